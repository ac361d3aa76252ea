#!/usr/bin/env bash
# Checks that the programs carry the protections that the Makefile asks for: PIE, full RELRO, no executable stack, stack
# protector, fortified calls, landing pads for indirect branches (CET).
set -u
cd "$(dirname "$0")/.."
build=${EKSGATE_BUILD:-build/release}
failed=0

need() { # FILE WHAT COMMAND-THAT-PRINTS PATTERN
	if ! grep -qE "$4" <<<"$3"; then
		printf '%s: no %s\n' "$1" "$2"
		failed=$((failed + 1))
	fi
}

for program in discoveryd kubeproxyd bustap; do
	file=$build/$program
	header=$(readelf -hW "$file")
	segments=$(readelf -lW "$file")
	dynamic=$(readelf -dW "$file")
	symbols=$(readelf -sW --dyn-syms "$file")
	branches=$(objdump -d --no-show-raw-insn "$file" | grep -c endbr64)
	need "$program" PIE "$header" 'Type:.*DYN'
	need "$program" RELRO "$segments" 'GNU_RELRO'
	need "$program" 'immediate binding' "$dynamic" 'BIND_NOW|Flags:.*NOW'
	need "$program" 'stack without execution' "$segments" 'GNU_STACK.* RW '
	need "$program" 'stack protector' "$symbols" '__stack_chk_fail'
	need "$program" 'fortified calls' "$symbols" '__(mem|str|sn?printf|vsn?printf|vasprintf|asprintf|read|recv|pread)[a-z]*_chk'
	# Every function that may be called indirectly begins with a landing pad (CET's indirect branch tracking).
	need "$program" 'landing pads for indirect branches' "$branches" '^[0-9]{3,}$'
done
[ "$failed" -eq 0 ] && printf '%s: hardened\n' "$build"
[ "$failed" -eq 0 ]
