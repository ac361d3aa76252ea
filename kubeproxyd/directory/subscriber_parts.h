/* Shared by the two halves of the subscriber: subscriber.c (connection, time, what is sent) and
 * subscriber_follow.c (what is received). */
#ifndef EKSGATE_SUBSCRIBER_PARTS_H
#define EKSGATE_SUBSCRIBER_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/mono.h"
#include "common/zsock.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/directory/subscriber.h"
#include "proto/message.h"

#define SUBSCRIBER_REJECTIONS 8 /* told in one ACK */

struct metric;

enum subscriber_state {
	SUBSCRIBER_DOWN, /* not connected, or waiting before the next HELLO */
	SUBSCRIBER_HELLO, /* said, not answered yet */
	SUBSCRIBER_SYNC, /* welcome; the snapshot is coming */
	SUBSCRIBER_LIVE, /* every change is applied as it comes */
	SUBSCRIBER_STALE, /* connected, but nothing is heard */
};

/* A snapshot under way. */
struct shadow {
	struct directory_table *table; /* NULL: not begun */
	uint64_t sequence;
	uint32_t count;
	struct message_digest digest;
	char last[MESSAGE_NAME_MAX + 1]; /* names must ascend over all chunks */
};

struct refreshed {
	char name[MESSAGE_NAME_MAX + 1];
	struct mono at;
};

struct subscriber {
	struct loop *loop;
	struct directory *directory;
	char *path, *instance;
	uint64_t group;
	struct zsock_context *context;
	struct zsock *zsock;
	struct timer *tick;
	struct deferred ack;

	enum subscriber_state state;
	bool is_connected;
	struct duration backoff; /* between attempts; grows while they fail */
	struct mono attempt_at; /* the next HELLO, or the next new socket, not before */
	struct mono hello_at, live_at; /* when it was said; when LIVE began */
	struct mono heard_at, opened_at;
	struct mono complained_at; /* about a publisher that is not to be followed */
	struct duration heartbeat;

	int64_t session; /* of the latest HELLO */
	uint64_t epoch, publisher; /* epoch and instance of the publisher that is followed */
	uint8_t publisher_minor; /* its minor version */
	const struct subscriber_work *work; /* NULL: none is taken */
	int64_t received; /* data messages since WELCOME */
	struct shadow shadow;
	struct message_rejection rejected[SUBSCRIBER_REJECTIONS];
	size_t rejected_count;
	bool has_more_rejected;
	struct refreshed *refreshed;
	size_t refreshed_count;
	struct {
		struct metric *live, *sequence, *received, *resyncs;
	} metrics;
};

/* One message of the publisher. */
void subscriber_receive(struct subscriber *subscriber, const struct zsock_message *message);
/* Something does not fit: everything is fetched anew. `why` is one word, for log and metrics. */
void subscriber_resync(struct subscriber *subscriber, const char *why);
/* The publisher does not want us, or is not to be followed: try again later with a new connection.
 */
void subscriber_back_off(struct subscriber *subscriber, const char *why);
void subscriber_set_state(
    struct subscriber *subscriber, enum subscriber_state state, const char *why);
/* False: not sent. */
bool subscriber_send(
    struct subscriber *subscriber, enum message_type type, const union message_body *body);
void subscriber_drop_shadow(struct subscriber *subscriber);

#endif
