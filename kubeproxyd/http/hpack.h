/* The piece of HPACK (RFC 7541) that is ours: fields as literals that enter no table. Such a
 * literal leaves both dynamic tables alone, so it may be appended to any header block. Pure. */
#ifndef EKSGATE_HPACK_H
#define EKSGATE_HPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* Appends a literal that is never indexed (6.2.3), compressed, for what is encoded once and used
 * many times. `name` is lower case. */
void hpack_encode_never_indexed(
    struct buf *out, const char *name, const char *value, size_t value_len);
/* Appends a literal as it is, for what is encoded each time: never indexed, or, without
 * `is_private`, not indexed here (6.2.2). `name` may have any case. */
void hpack_append(struct buf *out, const char *name, size_t name_len, const char *value,
    size_t value_len, bool is_private);
/* At most so many bytes come with each hpack_append() besides name and value. */
#define HPACK_APPEND_EXTRA 13

#endif
