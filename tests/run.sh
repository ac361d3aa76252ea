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

# The parts that take longest, without what is before the dash. Those that mostly wait, for periods that are under test, run
# beside the others, to which they leave the processors; of both kinds the longest begin first, so that the last to end are
# short. A name too many or too few only costs time.
waiting="access-many directory recording-disk oidc-issuers bad-aws-replies access-bootstrap access-kill-proxy role-options
	expired-certificate throttled-cycles state-errors access-from-nothing access-proxies graceful-stop throttling aws_call
	quiet-cycle limits leaving access-existing installed why-missing aws-proxy role-revoked corrupt-registry tags-delayed"
busy="delete-collection kubectl-write kubectl-read bus large-lists audit installed-failures helm locks recording-strict recording-errors
	kubectl-exec h2-refused h2-bodies slow-readers kubectl-requests slow-clients advisories unrestricted registry_crash probe
	session-ends h2-strictness sessions-recorded kubectl-cp organization killed-kubeproxyd reload-busy filtered-kubectl"

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
# The parts that `names` name, in that order; and those that they do not.
named() {
	local names=$1 name
	for name in $names; do grep -E "^[a-z]+-$name[|]" "$logs/parts"; done
}
others() {
	local names
	read -r -a names <<<"${1//$'\n'/ }"
	grep -Ev "^[a-z]+-($(IFS='|' && echo "${names[*]}"))[|]" "$logs/parts"
}

run_parts() {
	xargs -d '\n' -P "$1" -I{} bash -c 'line=$1; run_part "${line%%|*}" "${line#*|}"' _ {}
}

# Those that compute wait for each other, too: three keep two cores busy.
jobs=${EKSGATE_JOBS:-3}
named "$waiting" >"$logs/parts.waiting"
{ named "$busy"; others "$waiting $busy"; } >"$logs/parts.busy"
if [ "$jobs" -eq 1 ]; then
	run_parts 1 <"$logs/parts"
else
	run_parts 2 <"$logs/parts.waiting" &
	run_parts "$jobs" <"$logs/parts.busy"
	wait
fi

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
