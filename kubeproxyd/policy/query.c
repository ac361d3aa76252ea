/* Query strings as the API server sees them. Every rule here is one of Go's net/url (ParseQuery,
 * QueryUnescape) or of the conversion that Kubernetes applies to boolean parameters: a difference
 * would be a hole. Called by request_info.c and path_policy.c. */
#include "kubeproxyd/policy/query.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/bytes16.h"
#include "common/text.h"

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

/* A '+' is one only in queries: elsewhere it takes the longer way. */
static inline bytes16 find_encoded(bytes16 bytes)
{
	return bytes16_or(bytes16_or(bytes == '%', bytes == '+'), bytes == '\0');
}

bool percent_decode(const char *text, size_t len, bool plus_is_space, char *out, const char **bad)
{
	/* Mostly nothing is encoded. */
	if (bytes16_are_free_of(find_encoded, text, len)) {
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
	const char *begin = *cursor;
	while (*begin == '&')
		begin++;
	if (*begin == '\0')
		return false;
	size_t len = (size_t)(strchrnul(begin, '&') - begin);
	*cursor = begin + len;
	const char *equals = memchr(begin, '=', len);
	size_t key_len = equals != NULL ? (size_t)(equals - begin) : len;
	const char *bad;
	*pair = (struct query_pair){.key = "", .value = "", .is_dropped = true};
	if (memchr(begin, ';', len) != NULL || !percent_decode(begin, key_len, true, scratch, &bad))
		return true;
	char *value = scratch + strlen(scratch);
	if (equals != NULL) {
		value++;
		if (!percent_decode(equals + 1, len - key_len - 1, true, value, &bad))
			return true;
	}
	*pair = (struct query_pair){.key = scratch, .value = value};
	return true;
}

/* Each pair that is kept takes as much of `out` as it does of the query with its '&', at most: a
 * value that is not there is the end of its key. */
void query_get_each(const char *query, const char *const *keys, const char **values, char *out)
{
	struct query_pair pair;
	for (size_t i = 0; keys[i] != NULL; i++)
		values[i] = NULL;
	while (query_next(&query, out, &pair)) {
		for (size_t i = 0; !pair.is_dropped && keys[i] != NULL; i++) {
			if (values[i] != NULL || !text_is(pair.key, keys[i]))
				continue;
			values[i] = pair.value;
			out += (size_t)(pair.value - out) + strlen(pair.value) + 1;
		}
	}
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
