/* Writes the fields of a head on its way out: what was received and passes, a run of fields at a
 * time, and what is ours, by names that are looked up once. Pure. */
#ifndef EKSGATE_FIELDS_OUT_H
#define EKSGATE_FIELDS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kubeproxyd/http/fields.h"

/* A name that is written again and again, and what is known about it once it was. Static. */
struct field_name {
	const char *text;
	size_t len;
	uint32_t traits;
	bool is_known;
};
#define FIELD_NAME(name)                                                                           \
	{                                                                                          \
		(name), sizeof(name) - 1, 0, false                                                 \
	}

/* The fields of `from` at `first` and behind it, up to the one at `end`, which does not belong to
 * them. */
void fields_out_copy(
    struct http_fields *to, const struct http_fields *from, size_t first, size_t end);
void fields_out_add(
    struct http_fields *to, struct field_name *name, const char *value, size_t value_len);
static inline void fields_out_add_text(
    struct http_fields *to, struct field_name *name, const char *value)
{
	fields_out_add(to, name, value, strlen(value));
}
/* The value is `prefix` and `rest`, a text of `rest_len` bytes, in one; no copy of either is left
 * elsewhere. */
void fields_out_add_prefixed(struct http_fields *to, struct field_name *name, const char *prefix,
    const char *rest, size_t rest_len);

#endif
