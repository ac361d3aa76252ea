/* What stands around an HTTP/2 session in its tests: a made-up stream, a made-up session, and
 * made-up exchanges, as many as there are requests. */
#ifndef EKSGATE_TESTS_SESSION_H2_WORLD_H
#define EKSGATE_TESTS_SESSION_H2_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/settings.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/front/session_h2.h"
#include "kubeproxyd/net/stream.h"

#define LIVES 2000

struct fake_wire {
	const struct stream_events *events;
	void *arg;
	struct buf written;
	size_t high_mark;
};

/* One made-up exchange. */
struct life {
	struct peer client;
	const struct http_head *head; /* while it lives */
	char *method, *target, *authority;
	struct buf body;
	bool is_live, has_body_end, is_full;
	unsigned drained, failures;
	char *failure;
};

/* Of one session. */
struct world {
	struct loop *loop;
	struct settings settings;
	struct session session;
	struct fake_wire wire;
	struct life lives[LIVES];
	size_t count;
	bool answers_at_once, takes_bodies; /* what exchanges do when they begin */
	bool has_ended;
	enum session_end how;
	char *reason;
	unsigned bad_requests, bad_status;
};
extern struct world world;

/* The client has a certificate. */
void world_open(void);
/* Begins anew by the settings as they are now, before its client says anything. */
void world_restart(void);
/* The same, and its client has none. */
void world_become_stranger(void);
void world_close(void);
/* Bytes of the client. */
void world_receive(const void *data, size_t len);
/* Runs what was put off to the end of the turn. */
void world_end_turn(void);
/* The loop, for so long. */
void world_wait(long ms);

/* The exchange's side. `length` below 0: none is declared. */
void life_answer_head(struct life *life, unsigned status, long length);
void life_send(struct life *life, const char *data, size_t len);
/* Ends the answer and releases the client. */
void life_end(struct life *life);
void life_answer(struct life *life, unsigned status, const char *text);
/* Releases the client, whatever was answered. */
void life_release(struct life *life);

#endif
