/* The streams of an exec or an attach, read from its tunnel as it passes by: WebSocket channels
 * (channel.k8s.io up to v5, in binary or base64) and SPDY/3.1 streams. Knows, too, where in what
 * the server sends a last word of ours can be put, and how it is written. Nothing is held back. */
#ifndef EKSGATE_REMOTE_COMMAND_H
#define EKSGATE_REMOTE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct remote_command;

/* As the channels are numbered (Kubernetes: remotecommand constants.go). */
enum remote_stream {
	REMOTE_STDIN,
	REMOTE_STDOUT,
	REMOTE_STDERR,
	REMOTE_ERROR, /* a Status at the end */
	REMOTE_RESIZE, /* {"Width":80,"Height":24} each */
	REMOTE_STREAMS,
};

enum remote_side { REMOTE_CLIENT, REMOTE_SERVER, REMOTE_SIDES };

/* A piece of a message of a stream; borrowed. */
typedef void remote_command_fn(
    void *arg, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last);

/* Whether what was switched to can be read. `protocol` is Sec-WebSocket-Protocol or
 * X-Stream-Protocol-Version, as the server chose it, or one of those that a client offers; NULL:
 * none. */
bool remote_command_can_read(const char *upgrade, const char *protocol) MUST_USE;
/* Such a tunnel. `fn` NULL: nobody wants to know, and it is read only as far as a last word needs
 * it. */
struct remote_command *remote_command_new(
    const char *upgrade, const char *protocol, remote_command_fn *fn, void *arg) MUST_USE;
void remote_command_free(struct remote_command **command);

/* False: what this side sends cannot be read; nothing more of it is. */
bool remote_command_feed(struct remote_command *command, enum remote_side side, const uint8_t *data,
    size_t len) MUST_USE;
/* How many of the server's next bytes belong to a message that the client has the begin of; 0: a
 * last word may be said now. */
uint64_t remote_command_wanted(const struct remote_command *command) MUST_USE;
/* Appends what completes that message, nothing of the server's in it: NULs, which terminals pass
 * over. It counts as sent. False: that is no place for any, or they were too many. */
bool remote_command_fill(struct remote_command *command, struct buf *out) MUST_USE;
/* Whether the client can be told anything: what the server sent was read, and it did not close. */
bool remote_command_can_end(const struct remote_command *command) MUST_USE;

/* What ends a session for the client: `text` on a stream (NULL: none), a Status on the one for
 * errors, and the protocol's own goodbye. */
struct remote_last_word {
	enum remote_stream stream;
	const char *text;
	const char *status;
};
void remote_command_end(
    const struct remote_command *command, const struct remote_last_word *word, struct buf *out);

#endif
