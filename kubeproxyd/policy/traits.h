/* What a credential says about its holder besides name and groups (claims of a token, for
 * instance): names with a few values each. Roles take them up as {{external.NAME}}; nothing else
 * does. Pure. */
#ifndef EKSGATE_TRAITS_H
#define EKSGATE_TRAITS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* More than a token of the longest kind can hold: what is not there, a role that denies by it would
 * not see. */
#define TRAITS_MAX	      4096 /* names */
#define TRAIT_VALUES_MAX      8192 /* a name */
#define TRAIT_VALUE_MAX_BYTES 16384

struct trait {
	char *name;
	char **values; /* as they came, each once */
	size_t count;
};

/* {0} is empty. A plain value that owns its strings. */
struct traits {
	struct trait *items;
	size_t count;
};

/* False, with nothing added, when a limit is reached or the value is too long: whoever reads
 * claims decides whether that refuses the credential. */
bool traits_add(struct traits *traits, const char *name, const char *value) MUST_USE;
/* NULL when absent; names are compared exactly. */
const struct trait *traits_get(const struct traits *traits, const char *name);
void traits_copy(struct traits *to, const struct traits *from);
void traits_free(struct traits *traits);

#endif
