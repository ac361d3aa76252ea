/* The stage of the publisher's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "tests/unit/bus_stage.h"

/* --- the subscriber by hand */

bool say(struct peer *peer, enum message_type type, uint64_t sequence,
    const union message_body *body, const char *group)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	size_t len;
	char *text = message_encode_body(type, body, &len);
	struct message_header header = {.type = (uint8_t)type,
	    .version_major = 1,
	    .group = message_group_id(group),
	    .epoch = 1000,
	    .sequence = sequence};
	message_encode_header(&header, text, len, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {text, len}};
	bool is_sent = zsock_send(peer->zsock, frames, 2) == ZSOCK_SENT;
	free(text);
	return is_sent;
}

void say_hello(struct peer *peer, const char *role, const char *group, int64_t credit)
{
	char role_text[17];
	snprintf(role_text, sizeof role_text, "%s", role);
	memset(peer->counts, 0, sizeof peer->counts);
	peer->data = 0;
	const union message_body body = {.hello = {.session = 7,
					     .role = role_text,
					     .instance = (char[]){"main"},
					     .node = (char[]){"here"},
					     .software = (char[]){"0.0"},
					     .pid = getpid(),
					     .credit = credit}};
	assert_true(say(peer, MESSAGE_HELLO, 0, &body, group));
}

void say_ack(struct peer *peer, int64_t received, uint64_t applied)
{
	const union message_body body = {.ack = {.session = 7, .received = received}};
	assert_true(say(peer, MESSAGE_ACK, applied, &body, GROUP));
}

static void take_items(struct peer *peer, const struct message_items *items)
{
	peer->items += items->count;
	for (size_t i = 0; i < items->count; i++) {
		const struct message_item *item = &items->items[i];
		peer->bytes += item->resource_len;
		if (item->resource != NULL)
			message_digest_toggle(&peer->digest, item->name, item->revision,
			    item->resource, item->resource_len);
	}
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct peer *peer = arg;
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header;
	union message_body body;
	assert_int_equal(message->count, 2);
	if (!message_decode_header(message->frames[0].data, message->frames[0].len,
		message->frames[1].data, message->frames[1].len, &header, error) ||
	    !message_decode_body(
		&header, message->frames[1].data, message->frames[1].len, &body, error))
		fail_msg("%s", error);
	peer->counts[header.type]++;
	peer->last[header.type] = header;
	if (header.type == MESSAGE_SNAPSHOT_BEGIN) {
		peer->items = 0;
		memset(&peer->digest, 0, sizeof peer->digest);
	}
	if (header.type == MESSAGE_SNAPSHOT_CHUNK || header.type == MESSAGE_DELTA)
		take_items(peer, &body.items);
	if (header.type == MESSAGE_SNAPSHOT_END)
		peer->sequence = header.sequence;
	if (header.type == MESSAGE_DELTA) {
		assert_true(header.base_sequence == peer->sequence);
		assert_true(header.count <= 64);
		peer->sequence = header.sequence;
	}
	if (header.type == MESSAGE_REJECT || header.type == MESSAGE_BYE) {
		snprintf(peer->code, sizeof peer->code, "%s", body.reason.code);
		snprintf(peer->text, sizeof peer->text, "%s", body.reason.text);
	}
	if (header.type == MESSAGE_TASK) {
		snprintf(peer->nonce, sizeof peer->nonce, "%s", body.task.nonce);
		snprintf(peer->task, sizeof peer->task, "%s", body.task.body);
	}
	message_body_free(header.type, &body);
	peer->data += header.type >= MESSAGE_SNAPSHOT_BEGIN && header.type <= MESSAGE_DELTA;
	if (peer->acks && peer->data > 0 && header.type != MESSAGE_HEARTBEAT)
		say_ack(peer, peer->data, peer->sequence);
}

static void on_event(void *arg, enum zsock_event event)
{
	((struct peer *)arg)->is_connected = event == ZSOCK_CONNECTED;
}

bool is_connected(void *arg)
{
	return ((struct peer *)arg)->is_connected;
}

struct peer *add_peer(struct stage *stage, size_t i)
{
	struct peer *peer = &stage->peers[i];
	char *error = NULL;
	const struct zsock_options options = {.message_max = MESSAGE_BODY_MAX,
	    .send_queue = 64,
	    .receive_queue = 64,
	    .on_message = on_message,
	    .on_event = on_event,
	    .arg = peer};
	peer->context = zsock_context_new(stage->world.loop, NULL, NULL, &error);
	peer->zsock = zsock_connect(peer->context, stage->world.socket, &options, &error);
	assert_non_null(peer->zsock);
	assert_true(bus_wait(&stage->world, is_connected, peer, WAIT_MS));
	return peer;
}

/* --- the stage */

static void on_refresh(void *arg, const char *name, const char *reason)
{
	struct stage *stage = arg;
	stage->refreshes++;
	snprintf(stage->refreshed, sizeof stage->refreshed, "%s: %s", name, reason);
}

struct publisher *make_publisher(struct stage *stage, const struct publisher_change *initial,
    size_t count, int64_t sequence, char **error)
{
	static const char *const users[] = {"no-such-user-anywhere", "65533"};
	const struct publisher_options options = {.socket_path = stage->world.socket,
	    .group = GROUP,
	    .epoch = 1000,
	    .proxy_users = users,
	    .proxy_user_count = 2,
	    .heartbeat = duration_ms(50),
	    .patience = stage->patience};
	return publisher_new(stage->world.loop, stage->metrics, &options, initial, count, sequence,
	    on_refresh, stage, error);
}

/* `count` items named c0000..., each of about `size` bytes, at sequence 100000. */
void open_stage(struct stage *stage, size_t count, size_t size)
{
	char *error = NULL;
	bus_world_open(&stage->world);
	stage->metrics = metrics_new();
	stage->sequence = 100000;
	struct publisher_change *initial = xcalloc(count + 1, sizeof *initial);
	char *text = xcalloc(1, size + 1);
	memset(text, 'x', size);
	char(*names)[24] = xcalloc(count + 1, sizeof *names);
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "c%04zu", i);
		initial[i] = bus_change(names[i], (int64_t)i + 1, text);
	}
	stage->publisher = make_publisher(stage, initial, count, stage->sequence, &error);
	if (stage->publisher == NULL)
		fail_msg("%s", error);
	free(initial);
	free(text);
	free(names);
}

void close_stage(struct stage *stage)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		zsock_free(&stage->peers[i].zsock);
		zsock_context_free(&stage->peers[i].context);
	}
	publisher_free(&stage->publisher);
	metrics_free(&stage->metrics);
	bus_world_close(&stage->world);
}

void publish(struct stage *stage, const char *name, const char *resource)
{
	const struct publisher_change change = bus_change(name, ++stage->sequence, resource);
	publisher_publish(stage->publisher, &change, 1);
}

struct expectation {
	struct peer *peer;
	unsigned type, count;
};

static bool has_got(void *arg)
{
	const struct expectation *expectation = arg;
	return expectation->peer->counts[expectation->type] >= expectation->count;
}

bool expect(struct stage *stage, struct peer *peer, enum message_type type, unsigned count)
{
	struct expectation expectation = {peer, type, count};
	return bus_wait(&stage->world, has_got, &expectation, WAIT_MS);
}
