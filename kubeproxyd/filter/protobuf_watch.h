/* Filters a watch in protobuf: frames of a length in four bytes and a WatchEvent, which pass whole
 * or not at all. Owned by protobuf_filter.c. */
#ifndef EKSGATE_PROTOBUF_WATCH_H
#define EKSGATE_PROTOBUF_WATCH_H

#include "common/attr.h"
#include "kubeproxyd/filter/carry.h"
#include "kubeproxyd/filter/protobuf_out.h"

#define PROTOBUF_FRAME_HEAD 4

/* {.limits, .out, .result} initialises. */
struct protobuf_watch {
	const struct filter_limits *limits;
	struct protobuf_out *out;
	struct filter_result *result;
	uint8_t head[PROTOBUF_FRAME_HEAD];
	size_t head_read;
	uint64_t left; /* of the frame */
	bool is_too_long;
	struct carry gathered;
};

void protobuf_watch_feed(struct protobuf_watch *watch, const uint8_t *data, size_t len);
/* Whether it may end here. */
bool protobuf_watch_is_whole(const struct protobuf_watch *watch) MUST_USE;
void protobuf_watch_free(struct protobuf_watch *watch);

#endif
