/* A ZeroMQ socket on the event loop: messages arrive by callback, sends never block. The one module
 * that knows ZMQ_FD, monitors and ZAP. Only ipc:// paths: the bus is local. */
#ifndef EKSGATE_ZSOCK_H
#define EKSGATE_ZSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "common/mono.h"

struct loop;
struct zsock;
struct zsock_context;

/* Who is at the other end of a connection, as the kernel told when it was made. */
struct zsock_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};
/* "localhost:UID:GID:PID", as ZAP (RFC 27) gets it over ipc. False when it is anything else. */
bool zsock_peer_parse(const char *address, size_t len, struct zsock_peer *peer) MUST_USE;

/* Asked once per connection, before any message of it is delivered. */
typedef bool zsock_allow_fn(void *arg, const struct zsock_peer *peer);

/* One library context (one I/O thread, started with the first socket). With `allow`, sockets that
 * are bound here accept nobody else. NULL with *error (free()). */
struct zsock_context *zsock_context_new(
    struct loop *loop, zsock_allow_fn *allow, void *arg, char **error) MUST_USE;
/* Its sockets must be freed before. Waits at most their linger. */
void zsock_context_free(struct zsock_context **context);

#define ZSOCK_FRAMES_MAX 10

struct zsock_frame {
	const void *data;
	size_t len;
};

/* Borrowed during the callback. A bound socket's first frame is the routing id of the sender. */
struct zsock_message {
	struct zsock_frame frames[ZSOCK_FRAMES_MAX];
	size_t count;
	bool is_cut; /* there were more frames: dropped */
	struct zsock_peer peer; /* of a bound socket with `allow`; else zeros */
};

enum zsock_event {
	ZSOCK_CONNECTED,
	ZSOCK_DISCONNECTED,
	ZSOCK_REFUSED, /* the other side lets this user not in: the library tries no more */
};
typedef void zsock_message_fn(void *arg, const struct zsock_message *message);
typedef void zsock_event_fn(void *arg, enum zsock_event event);

struct zsock_options {
	size_t message_max; /* bytes of one frame; larger ones end the connection */
	int send_queue; /* messages per peer, either way */
	int receive_queue;
	struct duration linger; /* how long unsent messages are waited for at the end */
	zsock_message_fn *on_message;
	zsock_event_fn *on_event; /* may be NULL */
	void *arg;
};

/* A ROUTER at `path`, whose socket file is made with mode 0660. Who calls holds a lock for the
 * path: the library would take a path that is in use from its owner. NULL with *error (free()). */
struct zsock *zsock_bind(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error) MUST_USE;
/* An XPUB at `path`, in the same way: what is sent goes to whoever subscribed to how it begins, and
 * is dropped for who does not read; what arrives are subscriptions, as the library writes them. */
struct zsock *zsock_publish(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error) MUST_USE;
/* A DEALER that connects to `path`, again and again until it is freed or refused. Nothing is queued
 * while it is not connected. */
struct zsock *zsock_connect(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error) MUST_USE;
/* Safe in its own callbacks, which are not called any more. */
void zsock_free(struct zsock **zsock);

enum zsock_sent {
	ZSOCK_SENT,
	ZSOCK_FULL, /* the peer's queue is full, or nobody is connected: try later */
	ZSOCK_GONE, /* a bound socket's peer has gone */
};
/* All frames or none. Bytes are copied. */
enum zsock_sent zsock_send(
    struct zsock *zsock, const struct zsock_frame *frames, size_t count) MUST_USE;
/* The file at the bound path is still the one that was bound here. */
bool zsock_is_in_place(const struct zsock *zsock) MUST_USE;

#endif
