/* nghttp2 at one end of a connection, for fuzz targets: what it makes of the same bytes. */
#ifndef EKSGATE_FUZZ_H2_REFERENCE_H
#define EKSGATE_FUZZ_H2_REFERENCE_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define REFERENCE_STREAMS 4096

struct reference_stream {
	int32_t id;
	struct buf fields; /* "name: value, " each, of the head that came last */
	bool has_head; /* a final one */
	bool has_end, is_closed;
	uint64_t received, digest; /* as stage_request has it */
};

struct reference {
	nghttp2_session *session;
	struct reference_stream streams[REFERENCE_STREAMS];
	size_t count;
	bool is_dead;
	int why; /* nghttp2's error for the last frame or head that it did not accept; 0 */
};

void reference_open(struct reference *reference, bool is_server, size_t continuations_max);
void reference_close(struct reference *reference);
/* A client's: one request; the same as stage_submit(). */
void reference_submit(struct reference *reference, bool is_end, bool is_of_head);
void reference_hear(struct reference *reference, const void *data, size_t len);
/* NULL: it has not heard of it. */
struct reference_stream *reference_find(struct reference *reference, uint32_t id);

#endif
