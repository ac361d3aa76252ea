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

/* Clients mask what they send, servers do not (RFC 6455, 5.1); a peer ends what is otherwise. */
enum websocket_masking { WEBSOCKET_ANY, WEBSOCKET_MASKED, WEBSOCKET_BARE };

/* {0} plus fn and arg initialises; nothing is to be freed. */
struct websocket_reader {
	websocket_fn *fn;
	void *arg;
	enum websocket_masking masking;
	uint8_t head[14]; /* of the frame that is read */
	size_t head_len;
	uint64_t left; /* of its payload */
	size_t mask_at;
	bool is_in_payload, is_in_message, is_bad;
	bool is_closed; /* a close frame has begun: no message follows it */
};

/* False: this is no WebSocket, or one with extensions (compression); nothing more is read. */
bool websocket_feed(struct websocket_reader *reader, const uint8_t *data, size_t len);
/* How many of the next bytes belong to what has begun for certain; 0: between two messages, where
 * another may be put. */
uint64_t websocket_wanted(const struct websocket_reader *reader) MUST_USE;

#endif
