#!/usr/bin/env bash
# Checks the systemd units as `make install` lays them: they verify without a word, and their exposure is at most 1.5.
set -u
cd "$(dirname "$0")/.."
build=${EKSGATE_BUILD:-build/release}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

make -s install DESTDIR="$root" BUILD="$build" >/dev/null || exit 1
mkdir -p "$root/bin" && cp /bin/kill "$root/bin/kill"
for target in sysinit basic network-online shutdown multi-user sockets; do
	printf '[Unit]\nDescription=%s\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
done

for unit in discoveryd.service kubeproxyd@main.service kubeproxyd@main.socket kubeproxyd.target eksgate-tap.service; do
	words=$(systemd-analyze verify --root="$root" --man=no --recursive-errors=no "$unit" 2>&1)
	if [ $? -ne 0 ] || [ -n "$words" ]; then
		printf 'verify %s:\n%s\n' "$unit" "$words"
		failed=$((failed + 1))
	fi
done

# Nothing of an audit log in the journal may be dropped for being much.
if ! grep -qx 'LogRateLimitIntervalSec=0' 'packaging/systemd/kubeproxyd@.service'; then
	echo 'kubeproxyd@.service: the journal would drop what exceeds its rate'
	failed=$((failed + 1))
fi

for file in packaging/systemd/*.service; do
	exposure=$(systemd-analyze security --offline=true "$file" 2>&1 | sed -n 's/.*: \([0-9.]*\) [A-Z].*/\1/p')
	printf '%-40s exposure %s\n' "$file" "$exposure"
	awk -v e="${exposure:-9}" 'BEGIN { exit !(e <= 1.5) }' || failed=$((failed + 1))
done
[ "$failed" -eq 0 ]
