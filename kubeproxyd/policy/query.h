/* Query strings read exactly as Go's net/url reads them, because that is what the API server does:
 * pairs between '&', a pair that holds ';' or a bad escape does not exist, the first value of a key
 * counts. Pure. */
#ifndef EKSGATE_QUERY_H
#define EKSGATE_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* Decodes the %XX of `len` bytes into `out` (room for len + 1; a decoded NUL becomes C0 80) and
 * ends it with a NUL. `plus_is_space` as in queries. False on a bad escape, which *bad then points
 * to. */
bool percent_decode(
    const char *text, size_t len, bool plus_is_space, char *out, const char **bad) MUST_USE;

struct query_pair {
	const char *key, *value; /* decoded, in the scratch memory, until the next call */
	bool is_dropped; /* Go drops it: only then key and value are "" */
};

/* Walks over a query. *cursor begins at the first byte behind '?'. `scratch` has room for
 * strlen(query) + 2 bytes. False at the end. Empty pairs ("&&") are skipped. */
bool query_next(const char **cursor, char *scratch, struct query_pair *pair) MUST_USE;
/* The first value of `key`, decoded into `out` (strlen(query) + 2 bytes); NULL when there is none.
 */
const char *query_get(const char *query, const char *key, char *out) MUST_USE;
/* The same for each of `keys`, which are different and end with NULL, in one walk. The values last
 * as long as `out`. */
void query_get_each(const char *query, const char *const *keys, const char **values, char *out);
/* A boolean parameter as the API server reads it: absent, "0" and "false" in any case are false,
 * all else is true. */
bool query_is_true(const char *value);

#endif
