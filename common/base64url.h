/* base64url without padding (RFC 4648, 5, as RFC 7515 has it): tokens, keys, subprotocols. Strict:
 * one text for one value. Pure. */
#ifndef EKSGATE_BASE64URL_H
#define EKSGATE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

/* Appends what `text` stands for. False, with nothing appended: other characters, padding, or bits
 * that no encoder leaves behind the last byte. */
bool base64url_decode(const char *text, size_t len, struct buf *out) MUST_USE;
void base64url_encode(const void *data, size_t len, struct buf *out);

#endif
