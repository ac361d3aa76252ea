/* Writes header fields as HPACK (RFC 7541). But for one that may be kept, what is written leaves
 * the tables of both sides alone, so it may stand in any header block. Pure. */
#ifndef EKSGATE_HPACK_H
#define EKSGATE_HPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* Appends a literal as it is: never indexed (6.2.3), or, without `is_private`, not indexed here
 * (6.2.2). `name` may have any case. */
void hpack_append(struct buf *out, const char *name, size_t name_len, const char *value,
    size_t value_len, bool is_private);
/* The same where there is room already: for name, value and HPACK_APPEND_EXTRA. Returns the end of
 * what it wrote. At most 32 bits of lengths. */
char *hpack_put(char *at, const char *name, size_t name_len, const char *value, size_t value_len,
    bool is_private);
/* A field that nearly every head of a connection has, with the same value: a bearer token. It
 * enters the peer's table, alone there, and is one byte from then on. No field of anybody else is
 * ever looked for in that table, so no length tells anything about the token (7.1). {0} to begin
 * with. */
struct hpack_kept {
	struct buf value; /* what entered the table last */
};
void hpack_kept_free(struct hpack_kept *kept);
/* As hpack_put() with is_private, for one name a connection, which the static table has at `name`:
 * by `kept`, if it is not too long. Blocks leave in the order in which they are written. */
char *hpack_put_kept(
    char *at, struct hpack_kept *kept, size_t name, const char *value, size_t value_len);
/* At most so many bytes come with each call of these besides name and value; three of them are the
 * digits of a status. */
#define HPACK_APPEND_EXTRA 13

/* Size updates (6.3) stand first in a block. */
void hpack_append_table_size(struct buf *out, size_t size);
/* Pseudo fields, by index as far as the static table has them. `status` has three digits. */
void hpack_append_status(struct buf *out, unsigned status);
void hpack_append_method(struct buf *out, const char *method, size_t len);
void hpack_append_scheme_https(struct buf *out);
void hpack_append_path(struct buf *out, const char *path, size_t len);
void hpack_append_authority(struct buf *out, const char *authority, size_t len);

#endif
