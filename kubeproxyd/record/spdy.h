/* Reads one direction of a SPDY/3.1 connection (draft-mbelshe-httpbis-spdy-00 with 3.1's windows)
 * as it passes by: Kubernetes' older clients speak it in upgraded connections. Nothing is held back
 * and nothing is changed: what cannot be read only ends the reading. */
#ifndef EKSGATE_SPDY_H
#define EKSGATE_SPDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct spdy_reader;

/* Borrowed. Any may be NULL. */
struct spdy_events {
	/* A header of a SYN_STREAM, in lower case. */
	void (*on_header)(void *arg, uint32_t stream, const char *name, size_t name_len,
	    const char *value, size_t value_len);
	/* Its headers are complete. */
	void (*on_stream)(void *arg, uint32_t stream);
	void (*on_data)(void *arg, uint32_t stream, const uint8_t *data, size_t len, bool is_last);
};

struct spdy_reader *spdy_reader_new(const struct spdy_events *events, void *arg) MUST_USE;
void spdy_reader_free(struct spdy_reader **reader);
/* False: this is no SPDY/3, or a header block is longer than any of Kubernetes'; nothing more is
 * read. */
bool spdy_feed(struct spdy_reader *reader, const uint8_t *data, size_t len);
/* For on_data: whether the piece is the last of its frame. */
bool spdy_is_frame_end(const struct spdy_reader *reader) MUST_USE;
/* How many of the next bytes belong to the frame that has begun for certain; 0: between two. */
size_t spdy_wanted(const struct spdy_reader *reader) MUST_USE;
/* Whether they are data of a stream. */
bool spdy_is_in_data(const struct spdy_reader *reader) MUST_USE;

#endif
