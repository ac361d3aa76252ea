/* Makes aliases. Names that differ only in case are different clusters, so that a capital letter is
 * reason enough to hash. Called by the index, the admin interface and `kubeconfig`. */
#include "kubeproxyd/directory/alias.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HASH_BYTES   4
#define HASH_DIGITS  (2 * HASH_BYTES)
#define READABLE_MAX (ALIAS_MAX - 1 - HASH_DIGITS)
#define LABEL_BYTES  "abcdefghijklmnopqrstuvwxyz0123456789-"

static bool ends_like_a_hash(const char *name, size_t len)
{
	if (len < HASH_DIGITS + 1 || name[len - HASH_DIGITS - 1] != '-')
		return false;
	return strspn(name + len - HASH_DIGITS, "0123456789abcdef") == HASH_DIGITS;
}

static bool is_label(const char *name, size_t len)
{
	return len > 0 && len <= ALIAS_MAX && strspn(name, LABEL_BYTES) == len && name[0] != '-' &&
	       name[len - 1] != '-';
}

/* Without '-' at either end; may be empty. */
static size_t copy_readable(const char *name, char *text)
{
	size_t len = 0;
	for (; *name != '\0' && len < READABLE_MAX; name++) {
		char c = (char)tolower((unsigned char)*name);
		if (strchr(LABEL_BYTES, c) == NULL)
			c = '-';
		if (c != '-' || len > 0)
			text[len++] = c;
	}
	while (len > 0 && text[len - 1] == '-')
		len--;
	return len;
}

void alias_make(const char *name, char alias[ALIAS_MAX + 1])
{
	size_t len = strlen(name);
	if (is_label(name, len) && !ends_like_a_hash(name, len)) {
		memcpy(alias, name, len + 1);
		return;
	}
	unsigned char hash[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)name, len, hash);
	size_t at = copy_readable(name, alias);
	if (at == 0)
		alias[at++] = 'c';
	alias[at++] = '-';
	for (size_t i = 0; i < HASH_BYTES; i++, at += 2)
		snprintf(alias + at, 3, "%02x", hash[i]);
}
