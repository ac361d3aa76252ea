#!/usr/bin/env bash
# Runs every test and ends with "N passed, N failed, N skipped". Called by `make test` (bounded counts) and, with --long,
# by `make test-long` (full counts, scenarios on both builds). Logs of every part stay in build/test-logs.
#
#   tests/run.sh [--long] [PATTERN]     only parts whose name contains PATTERN
set -u
cd "$(dirname "$0")/.."

long=0
[ "${1:-}" = --long ] && { long=1; shift; }
pattern=${1:-}
logs=build/test-logs
rm -rf "$logs" && mkdir -p "$logs"
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
export UBSAN_OPTIONS=print_stacktrace=1
export NODE_NO_WARNINGS=1
if [ "$long" = 1 ]; then
	export EKSGATE_LONG=1 EKSGATE_ROUNDS=${EKSGATE_ROUNDS:-200}
fi

# Scenarios that run once more with the daemons under valgrind: each way of a request, reloads, a stop, both daemons' rounds.
valgrinds="first-discovery cluster-recreated roles-reloaded untouched h2-cuts failed-upgrade reload-busy api-server-killed"
valgrind="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --suppressions=tests/valgrind.supp"

# Scenarios whose daemons have no more than their units in packaging/systemd leave them: each destination of audit events,
# each way of a request, both daemons' reloads, the tap. (ASan and seccomp do not go together.)
confinements="first-discovery audit-sinks recording kubectl-exec tls reload-busy bustap-serve"

# NAME|COMMAND, one a line; every command prints TAP or is one test by its exit status.
list_parts() {
	local file name
	for file in build/asan/tests/test_*; do
		[ -x "$file" ] && [ -f "$file" ] && printf 'unit-%s|%s\n' "${file##*/test_}" "$file"
	done
	for file in build/asan/fuzz/fuzz_*; do
		name=${file##*/fuzz_}
		[ -x "$file" ] && [ -f "$file" ] && printf 'replay-%s|%s tests/fuzz/corpus/%s\n' "$name" "$file" "$name"
	done
	for file in units hardening options metrics; do
		printf 'check-%s|tests/check-%s.sh\n' "$file" "$file"
	done
	for file in tests/sim/*.test.mjs; do
		name=${file##*/}
		printf 'sim-%s|node --test-reporter=tap %s\n' "${name%.test.mjs}" "$file"
	done
	for file in tests/scenarios/*.test.mjs; do
		name=${file##*/}
		printf 'asan-%s|env EKSGATE_BUILD=build/asan node --test-reporter=tap %s\n' "${name%.test.mjs}" "$file"
		[ "$long" = 1 ] && printf 'release-%s|env EKSGATE_BUILD=build/release node --test-reporter=tap %s\n' \
			"${name%.test.mjs}" "$file"
	done
	for name in $confinements; do
		printf 'confined-%s|env EKSGATE_WRAP=%s EKSGATE_BUILD=build/release node --test-reporter=tap %s\n' "$name" \
			"'/usr/bin/python3 $PWD/tests/sim/confine.py'" "tests/scenarios/$name.test.mjs"
	done
	[ "$long" = 1 ] && for name in $valgrinds; do
		printf 'valgrind-%s|env EKSGATE_LONG= EKSGATE_ROUNDS=1 EKSGATE_PATIENCE=5 EKSGATE_WRAP=%s EKSGATE_BUILD=build/release %s\n' \
			"$name" "'$valgrind'" "node --test-reporter=tap tests/scenarios/$name.test.mjs"
	done
	true
}

# Runs one part; its verdict goes to NAME.count as "passed failed skipped".
run_part() {
	local name=$1 command=$2 log=$logs/$1.log status passed failed skipped begin=$SECONDS
	timeout "${EKSGATE_PART_TIMEOUT:-400}" bash -c "$command" >"$log" 2>&1 </dev/null
	status=$?
	# cmocka writes "not ok" for a test that was skipped.
	skipped=$(grep -cE '^ *(not )?ok [0-9].*# SKIP' "$log")
	passed=$(grep -E '^ *ok [0-9]' "$log" | grep -cv '# SKIP')
	failed=$(grep -E '^ *not ok [0-9]' "$log" | grep -cv '# SKIP')
	if [ $((passed + failed + skipped)) -eq 0 ]; then
		[ "$status" -eq 0 ] && passed=1 || failed=1
	elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		failed=1
	fi
	printf '%s %s %s\n' "$passed" "$failed" "$skipped" >"$logs/$name.count"
	if [ "$failed" -gt 0 ]; then
		printf '%-32s FAILED (%s passed, %s failed, exit status %s, %ss)\n' "$name" "$passed" "$failed" "$status" \
			$((SECONDS - begin))
	else
		printf '%-32s ok (%s%s, %ss)\n' "$name" "$passed" "$([ "$skipped" -gt 0 ] && printf ', %s skipped' "$skipped")" \
			$((SECONDS - begin))
	fi
}
export -f run_part
export logs

list_parts | grep -F -- "$pattern" >"$logs/parts"
[ "$long" = 1 ] && export EKSGATE_PART_TIMEOUT=${EKSGATE_PART_TIMEOUT:-1800}
# Most parts wait more than they compute: three keep two cores busy.
xargs -d '\n' -P "${EKSGATE_JOBS:-3}" -I{} bash -c 'line=$1; run_part "${line%%|*}" "${line#*|}"' _ {} <"$logs/parts"

for count in "$logs"/*.count; do
	read -r passed failed skipped <"$count"
	[ "$failed" -eq 0 ] && continue
	name=${count##*/}
	printf '\n--- %s: the end of build/test-logs/%s.log\n' "${name%.count}" "${name%.count}"
	grep -nE 'not ok|ERROR: |runtime error|error:' "$logs/${name%.count}.log" | head -20
	tail -60 "$logs/${name%.count}.log"
done
grep -hE '(: |is )skipped|# SKIP' "$logs"/*.log | sort -u | head -20
cat "$logs"/*.count | awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }'
