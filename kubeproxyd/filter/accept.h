/* What an API server is asked to answer in, so that the answer can be filtered. Pure. */
#ifndef EKSGATE_ACCEPT_H
#define EKSGATE_ACCEPT_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"

/* Appends to `out` what is left of an Accept (RFC 9110, 12.5.1) when only what filter.h can read
 * may come: ranges with "*" become JSON, "" is JSON. False: nothing is left. */
bool accept_reduce(const char *accept, struct buf *out) MUST_USE;
/* Whether an Accept-Encoding takes gzip; NULL takes nothing. */
bool accept_has_gzip(const char *accept_encoding) MUST_USE;

#endif
