/* Reads one direction of a WebSocket connection (RFC 6455, 5) as it passes by. Nothing is held back
 * and nothing is changed: what cannot be read only ends the reading. */
#ifndef EKSGATE_WEBSOCKET_H
#define EKSGATE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* A part of a data message, unmasked; `is_first` and `is_last` of its message. Control frames do
 * not arrive. Borrowed. */
typedef void websocket_fn(void *arg, const uint8_t *data, size_t len, bool is_first, bool is_last);

/* {0} plus fn and arg initialises; nothing is to be freed. */
struct websocket_reader {
	websocket_fn *fn;
	void *arg;
	uint8_t head[14]; /* of the frame that is read */
	size_t head_len;
	uint64_t left; /* of its payload */
	size_t mask_at;
	bool is_in_payload, is_in_message, is_bad;
};

/* False: this is no WebSocket, or one with extensions (compression); nothing more is read. */
bool websocket_feed(struct websocket_reader *reader, const uint8_t *data, size_t len);

#endif
