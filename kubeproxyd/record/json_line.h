/* Writes JSON text by hand into a buffer, for records of one line each. */
#ifndef EKSGATE_JSON_LINE_H
#define EKSGATE_JSON_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* A string (RFC 8259, 7), quoted. Bytes that are no UTF-8 become U+FFFD, one each, so that every
 * line can be read whatever a client sent. */
void json_line_string(struct buf *out, const char *text, size_t len);
/* The same behind `before`, which is written as it stands: a name and its colon. A comma follows.
 */
void json_line_member(
    struct buf *out, const char *before, size_t before_len, const char *text, size_t len);
/* A number in decimal. */
void json_line_int(struct buf *out, int64_t value);

#endif
