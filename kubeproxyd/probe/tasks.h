/* The tasks that discoveryd gives this proxy (PROTOCOL.md, section 5): taken, done, answered once;
 * broken off without an answer when their session or their cluster is gone. */
#ifndef EKSGATE_TASKS_H
#define EKSGATE_TASKS_H

#include "common/attr.h"

#define TASKS_MAX 16

struct cluster;
struct clusters;
struct loop;
struct message_task;
struct prober;
struct rights;
struct subscriber;
struct tasks;
struct upstreams;

/* Borrowed. */
struct tasks_options {
	struct prober *prober;
	struct loop *loop;
	struct clusters *clusters;
	struct upstreams *upstreams;
	struct subscriber *subscriber;
	const struct rights *rights;
};

struct tasks *tasks_new(const struct tasks_options *options) MUST_USE;
void tasks_free(struct tasks **tasks);
/* `task` is borrowed for the call. */
void tasks_take(struct tasks *tasks, const struct message_task *task);
/* Without an answer: the session is over. */
void tasks_break_off(struct tasks *tasks);
/* Each is answered "failed" with this text. */
void tasks_end_all(struct tasks *tasks, const char *text);
/* The cluster is gone. */
void tasks_forget(struct tasks *tasks, const struct cluster *cluster);

#endif
