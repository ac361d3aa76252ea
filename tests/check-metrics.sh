#!/usr/bin/env bash
# Checks that the METRICS of each daemon's manual names every metric that the daemon has, and that no manual or sample names one
# that there is not.
set -u
cd "$(dirname "$0")/.."
failed=0
count=0

complain() {
	printf '%s\n' "$1"
	failed=$((failed + 1))
}

# The names of metrics in files.
names_in() {
	grep -rhoE 'eksgate_[a-z_]+' "$@" | sort -u
}

# Those that files make.
made_by() {
	grep -rhoE '"eksgate_[a-z_]+"' --include='*.c' "$@" | tr -d '"' | sort -u
}

for daemon in discoveryd kubeproxyd; do
	manual=packaging/man/$daemon.8
	listed=$(sed -n '/^\.Sh METRICS/,/^\.Sh [^M]/p' "$manual" | names_in -)
	while read -r name; do
		count=$((count + 1))
		grep -qxF -- "$name" <<<"$listed" || complain "$manual: METRICS lacks $name"
	done < <(made_by "$daemon")
done
known=$(made_by discoveryd kubeproxyd)
while read -r name; do
	grep -qxF -- "$name" <<<"$known" || complain "$name is in a manual, README or sample, and is no metric"
done < <(names_in packaging/man README.md etc)

printf '%d metrics checked, %d wrong\n' "$count" "$failed"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
