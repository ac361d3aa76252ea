#!/usr/bin/env bash
# Checks the direction of dependencies from the #include lines (the rules stand in README.md, "The house").
set -u
cd "$(dirname "$0")/.."

# From one room, the rooms that it may include, as an extended regular expression over include paths.
allowed() {
	case "$1" in
	proto/bustap*) echo '^(proto|common)/' ;;
	proto/*) echo '^proto/' ;;
	common/*) echo '^common/' ;;
	discoveryd/*) echo '^(proto|common|discoveryd)/' ;;
	kubeproxyd/http/*) echo '^(common|kubeproxyd/http)/' ;;
	kubeproxyd/net/*) echo '^(common|kubeproxyd/net)/' ;;
	kubeproxyd/policy/*) echo '^(common|kubeproxyd/(policy|http|gate/identity\.h))' ;;
	kubeproxyd/directory/*) echo '^(common|proto|kubeproxyd/(directory|net|http))/' ;;
	kubeproxyd/gate/*) echo '^(common|kubeproxyd/(gate|policy|directory|net|http))/' ;;
	kubeproxyd/back/*) echo '^(common|kubeproxyd/(back|exchange/peer\.h|policy|directory|net|http))' ;;
	kubeproxyd/filter/*) echo '^(common|kubeproxyd/(filter|policy/protobuf\.h))' ;;
	kubeproxyd/record/*) echo '^(common|kubeproxyd/(record|policy|gate/identity\.h|http))' ;;
	kubeproxyd/probe/*) echo '^(common|proto|kubeproxyd/(probe|back|policy|directory|net|http))/' ;;
	kubeproxyd/exchange/*) echo '^(common|kubeproxyd/(exchange|gate|back|record|filter|policy|directory|net|http))/' ;;
	kubeproxyd/front/*) echo '^(common|kubeproxyd/(front|exchange|gate|policy|directory|net|http))/' ;;
	kubeproxyd/*) echo '^(common|kubeproxyd)/' ;;
	tests/*) echo '.' ;;
	*) echo '^$' ;;
	esac
}

failed=0
checked=0
while read -r file; do
	pattern=$(allowed "$file")
	while IFS=: read -r line include; do
		if ! [[ $include =~ $pattern ]]; then
			printf '%s:%s: may not include %s\n' "$file" "$line" "$include"
			failed=$((failed + 1))
		fi
	done < <(grep -nE '^#include "' "$file" | sed -E 's/^([0-9]+):#include "([^"]+)".*/\1:\2/')
	checked=$((checked + 1))
done < <(git ls-files '*.c' '*.h')

# What belongs to one layer alone: TLS to the byte layer, libevent to the modules that bind a library to the loop.
only() {
	local pattern=$1 where=$2 hits
	hits=$(git grep -nE "$pattern" -- '*.c' ':!tests' | grep -vE "^($where):")
	if [ -n "$hits" ]; then
		printf '%s\n  %s is only for %s\n' "$hits" "$pattern" "$where"
		failed=$((failed + 1))
	fi
}
only '\bSSL_[a-z]' 'kubeproxyd/net/(stream|tls)[a-z_]*\.c'
only '#include <event2/' 'common/(xmem|loop|zsock|fetch|admin)\.c|kubeproxyd/net/resolver\.c'
only 'ZMQ_FD' 'common/zsock\.c'

printf '%d files checked, %d wrong\n' "$checked" "$failed"
[ "$failed" -eq 0 ]
