/* The fields of a head behind its pseudo fields, encoded here when the head is submitted and
 * appended to the HEADERS frame when nghttp2 has made it: nghttp2 would copy each field, look for
 * it in two tables, compress it and remember it. Pure. */
#ifndef EKSGATE_H2_TAIL_H
#define EKSGATE_H2_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/head.h"

#define H2_FRAME_HEADER 9u
/* What every peer takes (RFC 9113, 6.5.2). */
#define H2_FRAME_PAYLOAD_MAX 16384u

/* Of the heads of one connection that are submitted and not written yet. {0} is empty. */
struct h2_tails {
	struct buf bytes;
	uint64_t base; /* the position of the first of them */
	size_t waiting;
};

/* A place among them. {0}: none. */
struct h2_tail {
	uint64_t at;
	uint32_t len;
	bool is_waiting;
};

/* Encodes the fields of `head` but those with a trait among `except`, and its length.
 * False, and nothing is done: they do not fit one frame beside `other` bytes. */
bool h2_tail_encode(struct h2_tails *tails, struct h2_tail *tail, const struct http_head *head,
    uint32_t except, size_t other) MUST_USE;
const char *h2_tail_bytes(const struct h2_tails *tails, const struct h2_tail *tail);
/* It was written. Heads are written in the order in which they were submitted. */
void h2_tail_written(struct h2_tails *tails, struct h2_tail *tail);
/* It never will be. */
void h2_tail_drop(struct h2_tails *tails, struct h2_tail *tail);
void h2_tails_free(struct h2_tails *tails);

/* The frame's header for a payload that is `more` bytes longer than that of `frame`. */
void h2_frame_header_grown(
    uint8_t header[H2_FRAME_HEADER], const uint8_t *frame, size_t frame_len, size_t more);

#endif
