/* Following the bus as an ordinary subscriber of role "tap": the reference reader of PROTOCOL.md.
 * It keeps no table, only its place in the stream, and hands every message to its caller. */
#ifndef EKSGATE_BUSTAP_FOLLOW_H
#define EKSGATE_BUSTAP_FOLLOW_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"
#include "common/zsock.h"
#include "proto/message.h"

struct loop;
struct follower;

/* `body` is NULL when the type is not known here; `text` is the body as it came. In the order of
 * the stream; what a subscriber has to ignore is told too. */
typedef void follow_message_fn(void *arg, const struct message_header *header,
    const union message_body *body, const struct zsock_frame *text);
/* It is over, with this exit status; the reason is on standard error. */
typedef void follow_end_fn(void *arg, int status);

struct follow_options {
	const char *socket, *group, *role;
	struct duration timeout; /* of silence; 0: none */
	follow_message_fn *on_message;
	follow_end_fn *on_end;
	void *arg;
};

/* The options are borrowed. NULL with *error (free()). */
struct follower *follower_new(
    struct loop *loop, const struct follow_options *options, char **error) MUST_USE;
void follower_free(struct follower **follower);

#endif
