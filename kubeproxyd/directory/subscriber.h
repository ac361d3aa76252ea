/* The bus side of kubeproxyd: follows discoveryd and feeds the directory; never exits, never
 * empties it. */
#ifndef EKSGATE_SUBSCRIBER_H
#define EKSGATE_SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct directory;
struct loop;
struct message_report;
struct message_task;
struct metrics;
struct settings;
struct subscriber;

struct subscriber *subscriber_new(struct loop *loop, struct metrics *metrics,
    const struct settings *settings, const char *instance, struct directory *directory) MUST_USE;
void subscriber_free(struct subscriber **subscriber);
/* Asks discoveryd to describe this cluster again (at most once in 30 s per cluster; more are
 * dropped). */
void subscriber_refresh(struct subscriber *subscriber, const char *name, const char *reason);

/* What the publisher wants done, and when nobody waits for it any more. */
struct subscriber_work {
	/* Borrowed for the call; its body is a secret. */
	void (*on_task)(void *arg, const struct message_task *task);
	/* The session is over: its tasks are to be broken off, and reports are due anew. */
	void (*on_session_end)(void *arg);
	void *arg;
};
/* `work` is borrowed. Without it every task is answered unknown-kind. */
void subscriber_set_work(struct subscriber *subscriber, const struct subscriber_work *work);
/* What this proxy finds about a cluster (PROTOCOL.md, REPORT). False: not now, no session is LIVE
 * or the pipe is full; true also when the publisher is too old to be told. */
bool subscriber_report(struct subscriber *subscriber, const struct message_report *report) MUST_USE;
/* The result of a task of this session. */
void subscriber_answer_task(struct subscriber *subscriber, const char *nonce, bool is_ok,
    const char *code, const char *text);

#endif
