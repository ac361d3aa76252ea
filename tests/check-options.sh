#!/usr/bin/env bash
# Checks that every option that the programs know (discoveryd check --options) stands in etc/eksgate.yaml with its default
# and in packaging/man/eksgate.yaml.5 with its type and default, and that neither has one that is not known.
set -u
cd "$(dirname "$0")/.."

program=${EKSGATE_BUILD:-build/release}/discoveryd
sample=etc/eksgate.yaml
manual=packaging/man/eksgate.yaml.5
failed=0

complain() {
	printf '%s\n' "$1"
	failed=$((failed + 1))
}

# "path<TAB>value" of each key in the sample. A key behind "#" without a space is unset: its value is "-", but in the items
# of a list, which has none by default, it is what stands there. A comment
# "# default: x" behind a value stands for a sample that differs from the default.
sample_keys() {
	awk '
	function path(depth,   text, i) {
		for (i = 0; i <= depth; i++)
			if (i in name)
				text = text (text == "" ? "" : ".") name[i]
		return text
	}
	{
		is_unset = $0 ~ /^ *#(- )?[a-z]/
		if (!is_unset && $0 ~ /^ *(#|$)/)
			next
		if (is_unset)
			sub(/#/, "")
		is_item = sub(/- /, "  ")
		match($0, /^ */)
		depth = RLENGTH
		key = $0
		sub(/^ */, "", key)
		value = key
		sub(/:.*/, "", key)
		sub(/^[^:]*: ?/, "", value)
		for (i in name)
			if (i + 0 >= depth)
				delete name[i]
		if (is_item) {
			last = -1
			for (i in name)
				if (i + 0 > last)
					last = i + 0
			if (name[last] !~ /\[\]$/)
				name[last] = name[last] "[]"
		}
		name[depth] = key
		if (value ~ /# default: /)
			sub(/.*# default: /, "", value)
		printf "%s\t%s\n", path(depth), is_unset && path(depth) !~ /\[\]/ ? "-" : value
	}' "$sample"
}

# What a row's default looks like in the sample.
expected_in_sample() {
	local type=$1 default=$2
	[ "$type" = names ] && [ "$default" != - ] && default="[$default]"
	printf '%s' "$default"
}

rows=$("$program" check --options) || { printf '%s check --options failed\n' "$program"; exit 1; }
count=0
known=$'\n'
keys=$(sample_keys)
while IFS=$'\t' read -r key type default reloadable help; do
	count=$((count + 1))
	known+=$key$'\n'
	[ -n "$help" ] || complain "$key: has no help"

	value=$(awk -F'\t' -v key="$key" '$1 == key { print $2; exit }' <<<"$keys")
	case "$type" in
	refused) [ -z "$value" ] || complain "$sample: $key is refused and must not stand there" ;;
	*)
		if ! grep -qxF -- "$key" <(cut -f1 <<<"$keys"); then
			complain "$sample: $key is missing"
		elif [ "$default" != - ] && [ "$value" != "$(expected_in_sample "$type" "$default")" ]; then
			complain "$sample: $key is $value, its default is $default"
		fi
		;;
	esac

	# In the manual an option is ".It Ic KEY" and the next line says "TYPE, default DEFAULT." or "TYPE, no default.", and
	# "Needs a restart." when a reload does not change it.
	wanted="$type, no default."
	[ "$default" != - ] && wanted="$type, default $default."
	text=$(awk -v key="$key" '$0 == ".It Ic " key { found = 1; next } found && /^\.(It|El)/ { exit } found' "$manual")
	if [ -z "$text" ]; then
		complain "$manual: $key is missing"
	elif [ "$(head -1 <<<"$text")" != "$wanted" ]; then
		complain "$manual: $key: the line behind it must be \"$wanted\""
	elif [ "$reloadable" = no ] && ! grep -qxF 'Needs a restart.' <<<"$text"; then
		complain "$manual: $key: needs the line \"Needs a restart.\""
	elif [ "$reloadable" = yes ] && grep -qxF 'Needs a restart.' <<<"$text"; then
		complain "$manual: $key: can be reloaded"
	fi
done <<<"$rows"

# Sections are known by the keys in them.
while IFS=$'\t' read -r key _; do
	[[ $known == *$'\n'"$key"$'\n'* || $known == *$'\n'"$key".* ]] || complain "$sample: $key is not a key"
done <<<"$keys"
while read -r key; do
	[[ $known == *$'\n'"$key"$'\n'* ]] || complain "$manual: $key is not a key"
done < <(sed -n 's/^\.It Ic //p' "$manual")

printf '%d options checked, %d wrong\n' "$count" "$failed"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
