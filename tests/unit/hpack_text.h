/* Header blocks as text, by nghttp2: an independent reader of what is encoded here. */
#ifndef EKSGATE_TESTS_HPACK_TEXT_H
#define EKSGATE_TESTS_HPACK_TEXT_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

nghttp2_hd_inflater *hpack_text_reader(void) MUST_USE;
/* Appends the fields of a whole block, "name: value" each, "!" behind what is never indexed, and
 * `end` behind that. False: it is not HPACK. */
bool hpack_text_append(struct buf *text, nghttp2_hd_inflater *reader, const void *block, size_t len,
    const char *end) MUST_USE;

#endif
