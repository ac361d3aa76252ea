/* Made-up streams, resolver and TLS client for tests of the back room: what was written is kept,
 * and what a peer does is done by calling the events. */
#ifndef EKSGATE_FAKE_STREAMS_H
#define EKSGATE_FAKE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/net/resolver.h"
#include "kubeproxyd/net/stream.h"

#define STREAMS 4

struct stream {
	const struct stream_events *events;
	void *arg;
	struct buf written;
	uint64_t bytes_written;
	size_t unread;
	bool is_paused, is_closed, is_finished, has_end;
};

extern struct stream streams[STREAMS];
extern size_t stream_count;
/* What ALPN chose on each: "http/1.1" unless said otherwise. */
extern const char *fake_alpn;
/* A stream is full above so many bytes: 1000 unless said otherwise. */
extern size_t fake_high_mark;
/* The last lookup. */
extern resolver_fn *on_resolved;
extern void *resolved_arg;
extern bool is_lookup_cancelled;

void fake_streams_reset(void);

#endif
