/* The bearer token that a request carries: in its Authorization field or, for browsers that can set
 * none, in a WebSocket subprotocol. Pure. */
#ifndef EKSGATE_CREDENTIAL_H
#define EKSGATE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

struct http_fields;

#define CREDENTIAL_MAX_BYTES 16384

/* {0} is none. */
struct credential {
	const char *token; /* NULL: none; NUL-terminated; of the fields, or of `decoded` */
	size_t len;
	struct buf decoded; /* from a subprotocol */
};

/* Finds the one token in the fields. False: *error (static) says why what stands there cannot be
 * used. credential_free() after both. */
bool credential_find(
    const struct http_fields *fields, struct credential *credential, const char **error) MUST_USE;
void credential_free(struct credential *credential);

/* `list` (a value of Sec-WebSocket-Protocol) without the elements that carry tokens, in `out`;
 * nothing is appended when nothing else stands there. */
void credential_strip(const char *list, struct buf *out);

#endif
