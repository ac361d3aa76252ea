#!/usr/bin/env bash
# Checks what the house style bounds: files of at most 600 lines, functions of at most 70, headers of at most 160, and that
# no unfinished work is marked as such. Prints the figures that the style speaks of.
set -u
cd "$(dirname "$0")/.."

sources=$(git ls-files '*.c' '*.h' '*.mjs' '*.sh')
failed=0

complain() {
	printf '%s\n' "$1"
	failed=$((failed + 1))
}

while read -r lines file; do
	limit=600
	case "$file" in
	total) continue ;;
	*.h) limit=160 ;;
	esac
	[ "$lines" -gt "$limit" ] && complain "$file: $lines lines, at most $limit: which two responsibilities live there?"
done < <(printf '%s\n' "$sources" | xargs wc -l)

# A function of ours starts with '{' in the first column and ends with '}' there.
functions=$(git ls-files '*.c' | xargs awk '
	FNR == 1 { start = 0 }
	/^[a-zA-Z_].*\(/ { name = $0 }
	/^\{/ { start = FNR }
	/^\}/ && start { print FNR - start - 1, FILENAME ":" start, name; start = 0 }')
while read -r lines where name; do
	[ "$lines" -gt 70 ] && complain "$where: $lines lines in $name, at most 70"
done <<<"$functions"

marks=$(git grep -nE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.mjs' Makefile)
[ -n "$marks" ] && complain "$marks"

conditionals=$(git grep -nE '^#\s*if' -- '*.c')
[ -n "$conditionals" ] && complain "$conditionals: no conditional compilation in .c files"

sorted=$(awk '{print $1}' <<<"$functions" | sort -n)
count=$(wc -l <<<"$sorted")
printf '%d functions: median %d lines, p90 %d, longest %d\n' "$count" "$(sed -n "$((count / 2 + 1))p" <<<"$sorted")" \
	"$(sed -n "$((count * 9 / 10 + 1))p" <<<"$sorted")" "$(tail -1 <<<"$sorted")"
[ "$failed" -eq 0 ]
