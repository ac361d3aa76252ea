/* Client connections: accepted, shaken hands with, given to the protocol that ALPN chose, counted,
 * drained. */
#ifndef EKSGATE_SESSION_H
#define EKSGATE_SESSION_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/front/strangers.h"

struct exchanges;
struct holdings;
struct loop;
struct metric;
struct metrics;
struct settings;
struct stream;
struct tls_server;
struct sessions;

/* Whether another connection may be accepted: called when the answer changes. */
typedef void sessions_room_fn(void *arg, bool has_room);

/* Everything is borrowed; tls until sessions_set(). */
struct sessions_options {
	struct loop *loop;
	struct metrics *metrics;
	struct exchanges *exchanges;
	const struct settings *settings;
	struct tls_server *tls;
	struct holdings *holdings; /* of answers; outlives every stream. NULL: none */
	sessions_room_fn *on_room;
	void *arg;
};

struct sessions *sessions_new(const struct sessions_options *options) MUST_USE;
void sessions_free(struct sessions **sessions);
/* A listener_fn; `arg` is the sessions. */
void sessions_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len);
/* After SIGHUP, for connections to come; those with a certificate of an authority that was taken
 * away are cut. By themselves those are that the authority cannot vouch for any more, since its
 * revocation list is overdue or its own certificate expired. The old `tls` must still be there. */
void sessions_set(
    struct sessions *sessions, const struct settings *settings, struct tls_server *tls);
/* Idle ones end now, the others after their answer. */
void sessions_drain(struct sessions *sessions);
size_t sessions_count(const struct sessions *sessions) MUST_USE;

/* --- for the protocols of this room -------------------------------------------------------- */

struct session {
	struct sessions *owner;
	TAILQ_ENTRY(session) entry;
	struct stranger stranger; /* until it is known who it is */
	struct stream *stream;
	struct holdings *holdings; /* the sessions' */
	struct caller caller;
	const struct session_protocol *protocol; /* NULL while shaking hands */
	void *conversation;
	struct mono opened;
	struct unix_time authorities_end; /* of those that vouch for its certificate; 0: never */
	uint64_t requests;
};

struct session_protocol {
	/* Takes over the events of session->stream. */
	void *(*start)(struct session *session);
	/* No request after the ones under way. */
	void (*drain)(void *conversation);
	/* What runs is told that the client is gone; the session ends. */
	void (*cut)(void *conversation, const char *reason);
	void (*free)(void *conversation);
};

enum session_end { SESSION_CUT, SESSION_POLITE };

struct loop *session_loop(const struct session *session);
const struct settings *session_settings(const struct session *session);
struct exchanges *session_exchanges(const struct session *session);
bool session_is_draining(const struct session *session) MUST_USE;
/* No credential came yet that was accepted: whoever it is pays for each answer with a handshake. */
static inline bool session_is_strange(const struct session *session)
{
	return !session->caller.is_known;
}
void session_count_bad_request(struct session *session, unsigned status, const char *message);
/* The one end: polite writes what is queued and lingers, cut drops it. Freed at the end of the
 * turn. */
void session_end(struct session *session, enum session_end how, const char *reason);

#endif
