/* Query strings as the API server sees them. Every rule here is one of Go's net/url (ParseQuery,
 * QueryUnescape) or of the conversion that Kubernetes applies to boolean parameters: a difference
 * would be a hole. Called by request_info.c and path_policy.c. */
#include "kubeproxyd/policy/query.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *put_byte(char *out, char byte)
{
	if (byte != '\0') {
		*out = byte;
		return out + 1;
	}
	out[0] = '\xc0';
	out[1] = '\x80';
	return out + 2;
}

bool percent_decode(const char *text, size_t len, bool plus_is_space, char *out, const char **bad)
{
	/* Mostly nothing is encoded. */
	if (memchr(text, '%', len) == NULL && memchr(text, '\0', len) == NULL &&
	    !(plus_is_space && memchr(text, '+', len) != NULL)) {
		memcpy(out, text, len);
		out[len] = '\0';
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (plus_is_space && text[i] == '+') {
			out = put_byte(out, ' ');
			continue;
		}
		if (text[i] != '%') {
			out = put_byte(out, text[i]);
			continue;
		}
		bool is_whole = len - i > 2;
		int high = is_whole ? hex_value(text[i + 1]) : -1;
		int low = is_whole ? hex_value(text[i + 2]) : -1;
		if (high < 0 || low < 0) {
			*bad = text + i;
			return false;
		}
		out = put_byte(out, (char)(high << 4 | low));
		i += 2;
	}
	*out = '\0';
	return true;
}

bool query_next(const char **cursor, char *scratch, struct query_pair *pair)
{
	const char *begin = *cursor + strspn(*cursor, "&");
	if (*begin == '\0')
		return false;
	size_t len = strcspn(begin, "&");
	*cursor = begin + len;
	const char *equals = memchr(begin, '=', len);
	size_t key_len = equals != NULL ? (size_t)(equals - begin) : len;
	const char *value = equals != NULL ? equals + 1 : begin + len;
	const char *bad;
	*pair = (struct query_pair){.key = "", .value = "", .is_dropped = true};
	if (memchr(begin, ';', len) != NULL || !percent_decode(begin, key_len, true, scratch, &bad))
		return true;
	char *value_at = scratch + strlen(scratch) + 1;
	if (!percent_decode(value, (size_t)(begin + len - value), true, value_at, &bad))
		return true;
	*pair = (struct query_pair){.key = scratch, .value = value_at};
	return true;
}

const char *query_get(const char *query, const char *key, char *out)
{
	struct query_pair pair;
	while (query_next(&query, out, &pair)) {
		if (!pair.is_dropped && strcmp(pair.key, key) == 0)
			return pair.value;
	}
	return NULL;
}

bool query_is_true(const char *value)
{
	return value != NULL && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0;
}
