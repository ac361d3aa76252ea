/* Frames of an HTTP/2 client that cost and say nothing, counted. */
#ifndef EKSGATE_FLOOD_H
#define EKSGATE_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/http/h2_frame.h"

struct proxy_limits;

enum flood_kind {
	FLOOD_PINGS,
	FLOOD_SETTINGS,
	FLOOD_EMPTY,
	FLOOD_RESETS, /* ours */
	FLOOD_CANCELS, /* the client's */
	FLOOD_KINDS,
};

/* A plain value; flood_init(). */
struct flood {
	struct mono since;
	unsigned counts[FLOOD_KINDS];
	uint64_t uncredited; /* bytes of answers for which no WINDOW_UPDATE was counted yet */
};

void flood_init(struct flood *flood);
/* Answers went out: that many bytes of window may come back. */
void flood_note_sent(struct flood *flood, size_t bytes);
/* A frame came. False: more than any client in good faith sends. */
bool flood_take(
    struct flood *flood, const struct proxy_limits *limits, const struct h2_frame *frame) MUST_USE;
/* A head came that is of no stream: the same. */
bool flood_take_stray(struct flood *flood, const struct proxy_limits *limits) MUST_USE;
/* We had to reset a stream, for which a request was started. */
bool flood_take_reset(struct flood *flood, const struct proxy_limits *limits) MUST_USE;

#endif
