/* The publisher's conversation with one subscriber: HELLO, snapshot under credit, deltas,
 * heartbeats, ACK, the end. Shared between publisher.c, which owns the sockets and the table, and
 * publisher_session.c. */
#ifndef EKSGATE_PUBLISHER_SESSION_H
#define EKSGATE_PUBLISHER_SESSION_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/zsock.h"
#include "discoveryd/publisher.h"
#include "discoveryd/publisher_roles.h"
#include "discoveryd/publisher_table.h"
#include "proto/message.h"

#define SESSION_ID_MAX	   255 /* bytes of a routing id */
#define SESSION_REJECTIONS 8 /* kept for the inventory */
#define SESSION_PRINCIPALS 8 /* the same */

struct metric;

enum session_state {
	SESSION_NEW, /* connected, no HELLO yet */
	SESSION_REFUSED, /* got a REJECT; remembered for a while, so that it cannot ask for ever */
	SESSION_WAITING, /* for its turn: few snapshots are sent at a time */
	SESSION_SNAPSHOT,
	SESSION_LIVE,
};
const char *session_state_text(enum session_state state);

struct session {
	TAILQ_ENTRY(session) entry;
	struct publisher *publisher;
	enum session_state state;
	struct zsock_peer peer;
	uint8_t id[SESSION_ID_MAX];
	size_t id_len;
	unsigned role; /* one BUS_ROLE_ bit */
	uint64_t proxy; /* since its latest HELLO, for those who listen; 0: not a proxy's */
	char *role_name, *instance, *node, *software;
	struct unix_time since;
	struct mono changed_at; /* the state */
	unsigned faults; /* messages that were refused */

	int64_t nonce; /* of its latest HELLO: ACKs of an earlier one do not count */
	int64_t credit;
	int64_t sent, received; /* data messages since WELCOME */
	struct mono progress_at;
	int64_t sent_sequence; /* the table it has once everything sent has arrived */
	int64_t applied; /* the table it says it has */
	struct bus_view *view; /* the snapshot under way */
	size_t view_at;
	bool is_begun; /* SNAPSHOT_BEGIN was sent */
	struct message_rejection rejected[SESSION_REJECTIONS];
	size_t rejected_count;
	char *principals[SESSION_PRINCIPALS]; /* that its reports name, since its latest HELLO */
	size_t principal_count;
	bool is_gone; /* off the list; freed at the end of the turn */
};

TAILQ_HEAD(session_list, session);

struct publisher {
	struct loop *loop;
	char *path, *group;
	uint64_t group_id, epoch, instance;
	struct duration heartbeat, patience;
	const struct aws_context *aws;
	int lock;
	struct zsock_context *context;
	struct zsock *zsock; /* NULL while the path cannot be bound anew */
	struct publisher_roles *roles;
	struct publisher_table *table;
	struct session_list sessions;
	size_t session_count, snapshots; /* under way */
	bool is_held; /* the table is not what there is: publisher_hold() */
	struct timer *beat, *upkeep;
	struct deferred pump;
	struct publisher_tasks *tasks;
	publisher_refresh_fn *on_refresh;
	void *arg;
	double refresh_tokens;
	struct mono refresh_filled_at, refused_logged_at;
	struct {
		struct metric *subscribers, *lag, *items, *sequence;
		struct metric *messages, *faults, *snapshots, *refreshes, *rebinds;
	} metrics;
};

/* Made at the first message of a peer; state SESSION_NEW. */
struct session *session_new(struct publisher *publisher, const struct zsock_frame *id,
    const struct zsock_peer *peer) MUST_USE;
/* Takes it off the list; `session` stays valid until the end of the turn. */
void session_drop(struct session *session, const char *why);
/* One message from it. It may be gone afterwards. */
void session_receive(
    struct session *session, const struct zsock_frame *header, const struct zsock_frame *body);
/* It sent something that is no message at all. */
void session_fault(struct session *session, const char *code, const char *text);
/* Sends what credit allows. */
void session_pump(struct session *session);
/* Sends a heartbeat, and ends the session when it has made no progress for too long. */
void session_beat(struct session *session);
bool session_send_task(struct session *session, const union message_body *task) MUST_USE;
void session_say_bye(struct session *session, const char *code, const char *text);
/* {instance, role, uid, …, principals: […]} (json_object_put). */
struct json_object *session_json(const struct session *session) MUST_USE;
/* It uses the credentials of this principal. */
void session_note_principal(struct session *session, const char *principal);
void session_forget_principals(struct session *session);

/* For session_receive(): the refresh goes up unless it comes too often. */
void publisher_take_refresh(struct publisher *publisher, const char *name, const char *reason);

#endif
