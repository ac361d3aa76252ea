/* The life of the tap's one connection: HELLO, snapshot, deltas, credit, and beginning anew when
 * the stream does not go on where it was. Owned by bustap.c. */
#include "proto/bustap_follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/xmem.h"

#define STATUS_NO  1
#define CREDIT	   8
#define QUEUE	   64
#define LINGER_MS  100
#define TICK_MS	   250
#define SILENCE_MS 2000 /* longer than any sensible heartbeat: a new connection */

struct follower {
	const struct follow_options *options;
	struct loop *loop;
	struct zsock_context *context;
	struct zsock *zsock;
	struct timer *tick;
	struct deferred ack;
	bool is_connected, is_welcome, is_placed; /* placed: a snapshot has ended */
	int64_t session, received;
	uint64_t group_id, epoch, publisher, sequence;
	struct mono heard_at, tried_at;
};

static void tell(const char *text)
{
	fprintf(stderr, "bustap: %s\n", text);
}

/* --- the protocol */

static void finish(struct follower *follower, int status)
{
	follower->options->on_end(follower->options->arg, status);
}

static void send_message(
    struct follower *follower, enum message_type type, const union message_body *body)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	size_t len;
	if (follower->zsock == NULL)
		return;
	char *text = message_encode_body(type, body, &len);
	const struct message_header header = {.type = (uint8_t)type,
	    .version_major = MESSAGE_VERSION_MAJOR,
	    .version_minor = MESSAGE_VERSION_MINOR,
	    .group = follower->group_id,
	    .epoch = follower->epoch,
	    .instance = follower->publisher,
	    .sequence = follower->sequence};
	message_encode_header(&header, text, len, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {text, len}};
	if (zsock_send(follower->zsock, frames, 2) != ZSOCK_SENT)
		follower->is_connected = false;
	free(text);
}

static void say_hello(struct follower *follower)
{
	char node[65] = "", *role = xstrdup(follower->options->role);
	(void)!gethostname(node, sizeof node - 1);
	follower->session++;
	follower->tried_at = mono_now();
	follower->is_welcome = follower->is_placed = false;
	const union message_body body = {.hello = {.session = follower->session,
					     .role = role,
					     .instance = (char[]){"bustap"},
					     .node = node,
					     .software = (char[]){EKSGATE_VERSION},
					     .pid = getpid(),
					     .credit = CREDIT}};
	send_message(follower, MESSAGE_HELLO, &body);
	free(role);
}

static void on_ack(void *arg)
{
	struct follower *follower = arg;
	const union message_body body = {
	    .ack = {.session = follower->session, .received = follower->received}};
	if (follower->is_welcome)
		send_message(follower, MESSAGE_ACK, &body);
}

/* The stream does not go on where it was: begin again. */
static void resync(struct follower *follower, const char *why)
{
	tell(why);
	say_hello(follower);
}

static void on_welcome(struct follower *follower, const struct message_header *header,
    const struct message_welcome *welcome)
{
	if (welcome->session != follower->session)
		return;
	follower->is_welcome = true;
	follower->received = 0;
	follower->epoch = header->epoch;
	follower->publisher = header->instance;
}

static void on_refused(struct follower *follower, const struct message_reason *reason)
{
	if (strcmp(reason->code, "hello") == 0) {
		say_hello(follower);
		return;
	}
	fprintf(stderr, "bustap: discoveryd refuses: %s (%s)\n", reason->text, reason->code);
	finish(follower, STATUS_NO);
}

static void on_data(struct follower *follower, const struct message_header *header)
{
	follower->received++;
	loop_defer(follower->loop, &follower->ack);
	if ((header->type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_SNAPSHOT_END)
		follower->is_placed = true;
	else if ((header->type & ~MESSAGE_TYPE_OPTIONAL) != MESSAGE_DELTA)
		return;
	else if (!follower->is_placed || header->base_sequence != follower->sequence)
		resync(follower, "a change is missing, asking for everything again");
	follower->sequence = header->sequence;
}

static void follow(
    struct follower *follower, const struct message_header *header, union message_body *body)
{
	switch (header->type & ~MESSAGE_TYPE_OPTIONAL) {
	case MESSAGE_WELCOME:
		on_welcome(follower, header, &body->welcome);
		break;
	case MESSAGE_SNAPSHOT_BEGIN:
	case MESSAGE_SNAPSHOT_CHUNK:
	case MESSAGE_SNAPSHOT_END:
	case MESSAGE_DELTA:
		if (follower->is_welcome)
			on_data(follower, header);
		break;
	case MESSAGE_HEARTBEAT:
		if (follower->is_placed && header->base_sequence != follower->sequence)
			resync(follower, "a change is missing, asking for everything again");
		break;
	case MESSAGE_REJECT:
		on_refused(follower, &body->reason);
		break;
	case MESSAGE_BYE:
		fprintf(stderr, "bustap: discoveryd ends the session: %s\n", body->reason.text);
		follower->is_welcome = follower->is_placed = false;
		break;
	default:
		break;
	}
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct follower *follower = arg;
	char error[MESSAGE_ERROR_TEXT] = "a message has exactly two frames";
	struct message_header header;
	union message_body body = {0};
	const struct zsock_frame *frames = message->frames;
	bool is_good = message->count == 2 && !message->is_cut &&
		       message_decode_header(frames[0].data, frames[0].len, frames[1].data,
			   frames[1].len, &header, error);
	bool is_known = is_good && message_type_name(header.type) != NULL;
	if (is_known)
		is_good = message_decode_body(&header, frames[1].data, frames[1].len, &body, error);
	if (!is_good) {
		fprintf(stderr, "bustap: a bad message: %s\n", error);
		return;
	}
	follower->heard_at = mono_now();
	follower->options->on_message(
	    follower->options->arg, &header, is_known ? &body : NULL, &frames[1]);
	if (is_known) {
		follow(follower, &header, &body);
		message_body_free(header.type, &body);
	}
}

static void on_event(void *arg, enum zsock_event event)
{
	struct follower *follower = arg;
	follower->is_connected = event == ZSOCK_CONNECTED;
	if (event == ZSOCK_CONNECTED) {
		say_hello(follower);
	} else if (event == ZSOCK_REFUSED) {
		tell("this user may not look: run it as one of eksgate.bus.tap_users, as in "
		     "`sudo -u eksgate-tap bustap`");
		finish(follower, STATUS_NO);
	} else {
		tell("discoveryd has gone, connecting again");
	}
}

static bool open_socket(struct follower *follower, char **error)
{
	const struct zsock_options options = {.message_max = MESSAGE_BODY_MAX,
	    .send_queue = QUEUE,
	    .receive_queue = QUEUE,
	    .linger = duration_ms(LINGER_MS),
	    .on_message = on_message,
	    .on_event = on_event,
	    .arg = follower};
	follower->tried_at = mono_now();
	follower->is_connected = follower->is_welcome = follower->is_placed = false;
	follower->zsock =
	    zsock_connect(follower->context, follower->options->socket, &options, error);
	return follower->zsock != NULL;
}

static void on_tick(void *arg)
{
	struct follower *follower = arg;
	char *error = NULL;
	int64_t limit = follower->options->timeout.ms, silence = mono_since(follower->heard_at).ms;
	timer_set(follower->tick, duration_ms(TICK_MS));
	if (limit > 0 && silence > limit) {
		tell("the bus is silent: does discoveryd run?");
		finish(follower, STATUS_NO);
		return;
	}
	if (silence < SILENCE_MS || mono_since(follower->tried_at).ms < SILENCE_MS)
		return;
	zsock_free(&follower->zsock);
	if (open_socket(follower, &error))
		return;
	tell(error);
	free(error);
	finish(follower, STATUS_NO);
}

/* --- life */

/* ZeroMQ connects again and again, and does not say why it cannot. */
static bool is_open_to_us(const char *path, char **error)
{
	if (access(path, R_OK | W_OK) == 0)
		return true;
	if (errno == EACCES) {
		*error = xasprintf("cannot use %s: %s: run it as one of eksgate.bus.tap_users, as "
				   "in `sudo -u eksgate-tap bustap`",
		    path, strerror(errno));
		return false;
	}
	fprintf(
	    stderr, "bustap: discoveryd does not run here (no socket %s): waiting for it\n", path);
	return true;
}

struct follower *follower_new(struct loop *loop, const struct follow_options *options, char **error)
{
	struct follower *follower = xcalloc(1, sizeof *follower);
	follower->options = options;
	follower->loop = loop;
	follower->group_id = message_group_id(options->group);
	follower->heard_at = mono_now();
	follower->ack = (struct deferred){.fn = on_ack, .arg = follower};
	follower->tick = timer_new(loop, on_tick, follower);
	follower->context = zsock_context_new(loop, NULL, NULL, error);
	if (follower->context == NULL || !is_open_to_us(options->socket, error) ||
	    !open_socket(follower, error)) {
		follower_free(&follower);
		return NULL;
	}
	timer_set(follower->tick, duration_ms(TICK_MS));
	return follower;
}

void follower_free(struct follower **follower)
{
	if (*follower == NULL)
		return;
	zsock_free(&(*follower)->zsock);
	zsock_context_free(&(*follower)->context);
	loop_undefer((*follower)->loop, &(*follower)->ack);
	timer_free(&(*follower)->tick);
	xfree(follower);
}
