/* What stands around an HTTP/1 session in its test: a made-up stream, a made-up exchange, a made-up
 * session. */
#ifndef EKSGATE_TESTS_SESSION_NEIGHBOURS_H
#define EKSGATE_TESTS_SESSION_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/settings.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/front/session_h1.h"
#include "kubeproxyd/net/stream.h"

/* The made-up stream: what was written, and what the session left unread. */
struct fake_wire {
	const struct stream_events *events;
	void *arg;
	struct buf written, unread;
	bool is_paused, is_full, is_offering, has_end, has_peer_left;
};
extern struct fake_wire wire;

/* The made-up exchange: one at a time. */
struct fake_life {
	struct peer client;
	const struct http_head *head;
	struct buf body;
	bool is_live, has_body_end;
	unsigned started, drained;
	char *failed;
	bool answers_at_once;
	bool answers_when_given_up;
};
extern struct fake_life life;

struct fake_end {
	bool has_ended;
	enum session_end how;
	char *reason;
	unsigned bad_status;
};
extern struct fake_end end;

extern struct session session;
extern struct settings settings;
extern struct loop *loop;
extern bool is_draining;

/* Hands what the client sent to the session, as far as it is not paused. */
void offer(void);
void receive(const char *text);
/* The exchange's side; the client of a whole answer is released at the end of the turn. */
void answer_whole(unsigned status, const char *text);
void answer(unsigned status, const char *text);
void want_body(void);
/* Runs what was put off to the end of the turn. */
void end_turn(void);
/* For cmocka. */
int set_up(void **state);
int tear_down(void **state);

#endif
