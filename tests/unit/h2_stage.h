/* An engine of HTTP/2 on a stage: its peer's frames and its owner's verbs come from a script, what
 * it tells its owner and what it says to its peer is written down.
 *
 * A script is steps with ';' between them: frames as h2_script.h has them, or verbs, with requests
 * counted from 1 in the order they came up:
 *   >answer[/e] N STATUS	 a head; e: nothing follows
 *   >submit[/e][h]		 a request; h: of HEAD
 *   >send[/e] N BYTES		 of a body; e: the last ones
 *   >offer[/e] N BYTES		 the same, written at once as far as it may be
 *   >trailers N		 the end of a body, with trailers
 *   >take N BYTES, >widen N SIZE	 0: of the connection
 *   >reset N CODE, >terminate CODE
 *   >start, >flush, >goaway, >notice, >ping, >stop
 *   >room BYTES		 so many the transport takes until it is full
 * Told: "head/e 1", "body 1 10", "end 1", "close 1 CANCEL", "bad 1" (0: the connection), "reset",
 * "stray", "interim 1" (a head begins, clients). */
#ifndef EKSGATE_TESTS_H2_STAGE_H
#define EKSGATE_TESTS_H2_STAGE_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/http/h2.h"

#define STAGE_REQUESTS 3000

struct stage;

struct stage_request {
	struct h2_stream h2;
	struct stage *stage;
	unsigned number;
	struct buf fields; /* "name: value, " each, as they came */
	size_t to_send, received, taken; /* taken: for the test's own use */
	uint64_t digest; /* of what was received */
	bool is_last, has_trailers, is_over;
};

struct stage {
	struct h2 h2;
	struct buf wire; /* what was written and not looked at */
	struct buf told, said; /* as text */
	nghttp2_hd_inflater *reader;
	struct stage_request *requests[STAGE_REQUESTS];
	size_t count;
	size_t piece; /* so many bytes come at a time; 0: all */
	size_t room;
	size_t received; /* of bodies */
	bool takes; /* bodies, at once */
	bool is_refused; /* h2_receive() failed */
	const char *complaint; /* of on_field */
	const char *why; /* the last of on_malformed */
	/* In each event, when it was written down. NULL: nothing. `request`: NULL in those of the
	 * connection. */
	void (*hook)(struct stage *stage, const char *event, struct stage_request *request);
	void *hook_arg;
};

/* The windows are the default ones. Beginnings have been said. */
void stage_open(struct stage *stage, bool is_server);
/* The same with options of one's own; nothing has been said. */
void stage_open_with(struct stage *stage, const struct h2_options *options);
void stage_close(struct stage *stage);
/* Ends with a flush. */
void stage_play(struct stage *stage, const char *script);
/* The same without. */
void stage_play_on(struct stage *stage, const char *script);
/* Bytes of the peer. */
void stage_hear(struct stage *stage, const void *data, size_t len);
/* Since the last call. */
const char *stage_told(struct stage *stage);
const char *stage_said(struct stage *stage);
/* From 1 on. */
struct stage_request *stage_request(struct stage *stage, unsigned number);
struct stage_request *stage_submit(struct stage *stage, bool is_end, bool is_of_head);

#endif
