/* Between a head and HPACK: a head's fields as a header block, a field of a request as a part of
 * its head. Pure. */
#ifndef EKSGATE_H2_FIELDS_H
#define EKSGATE_H2_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/http/hpack_decode.h"

/* Appends the fields of `head`, and content-length: of the body, or what an answer to HEAD and a
 * 304 declare. Names become lower case (RFC 9113, 8.2); what is private is marked so that no
 * table ever holds it, but for a token that `kept` may (NULL: none). */
void h2_head_append(struct buf *out, const struct http_head *head, struct hpack_kept *kept);

/* A field as it came, which h2_rules.h allows, behind those that the list has. `traits`: of its
 * name. */
void h2_fields_add(struct http_fields *fields, const struct hpack_field *field, uint32_t traits);
/* A field of a request. False: it is neither a pseudo field nor one that heads keep as a member. */
bool h2_head_take(struct http_head *head, const struct hpack_field *field) MUST_USE;
/* The value of a content-length. */
uint64_t h2_field_length(const struct hpack_field *field) MUST_USE;
static inline bool h2_field_is(const struct hpack_field *field, const char *name, size_t name_len)
{
	return field->name_len == name_len && memcmp(field->name, name, name_len) == 0;
}

#endif
