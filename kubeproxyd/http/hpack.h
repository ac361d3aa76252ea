/* The one piece of HPACK (RFC 7541) that is ours: a field as a literal that is never indexed
 * (6.2.3), encoded once and used many times. Such a literal leaves both dynamic tables alone, so it
 * may be appended to any header block. Pure. */
#ifndef EKSGATE_HPACK_H
#define EKSGATE_HPACK_H

#include <stddef.h>

#include "common/buf.h"

/* Appends the literal. `name` is lower case. */
void hpack_encode_never_indexed(
    struct buf *out, const char *name, const char *value, size_t value_len);

#endif
