/* The publisher, as a subscriber sees it that does and says whatever a test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "tests/unit/bus_stage.h"

static void expect_refusal(
    struct stage *stage, struct peer *peer, const char *code, const char *text)
{
	peer->counts[MESSAGE_REJECT] = 0;
	assert_true(expect(stage, peer, MESSAGE_REJECT, 1));
	assert_string_equal(peer->code, code);
	if (strstr(peer->text, text) == NULL)
		fail_msg("%s: %s", code, peer->text);
}

static void test_snapshot_then_deltas(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 300, 4096);
	struct peer *peer = add_peer(&stage, 0);
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	assert_int_equal(peer->counts[MESSAGE_WELCOME], 1);
	assert_int_equal(peer->counts[MESSAGE_SNAPSHOT_BEGIN], 1);
	assert_true(peer->counts[MESSAGE_SNAPSHOT_CHUNK] >= 5);
	assert_int_equal(peer->items, 300);
	assert_true(peer->sequence == 100000);
	assert_true(message_digest_equal(&peer->digest, &peer->last[MESSAGE_SNAPSHOT_END].digest));
	assert_int_equal(peer->last[MESSAGE_SNAPSHOT_END].count, 300);
	for (int i = 0; i < 200; i++)
		publish(&stage, "c0001", i % 2 == 0 ? "y" : "z");
	publish(&stage, "c0002", NULL);
	while (peer->sequence < 100201)
		assert_true(expect(&stage, peer, MESSAGE_DELTA, peer->counts[MESSAGE_DELTA] + 1));
	assert_int_equal(peer->counts[MESSAGE_DELTA], 4);
	peer->counts[MESSAGE_HEARTBEAT] = 0;
	assert_true(expect(&stage, peer, MESSAGE_HEARTBEAT, 2));
	const struct message_header *beat = &peer->last[MESSAGE_HEARTBEAT];
	assert_true(beat->sequence == 100201 && beat->base_sequence == 100201);
	assert_int_equal(beat->count, 299);
	assert_true(message_digest_equal(&beat->digest, &peer->last[MESSAGE_DELTA].digest));
	close_stage(&stage);
}

static void test_empty_table(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 0, 0);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "tap", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	assert_int_equal(peer->counts[MESSAGE_SNAPSHOT_CHUNK], 0);
	close_stage(&stage);
}

static void test_credit_bounds_what_is_under_way(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 2000, 2048);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 3);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_CHUNK, 2));
	peer->counts[MESSAGE_HEARTBEAT] = 0;
	assert_true(expect(&stage, peer, MESSAGE_HEARTBEAT, 3));
	assert_int_equal(peer->data, 3);
	say_ack(peer, 1, 0);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_CHUNK, 3));
	bus_run(&stage.world, 60);
	assert_int_equal(peer->data, 4);
	/* An ACK of another session moves nothing. */
	const union message_body stale = {.ack = {.session = 6, .received = 4}};
	assert_true(say(peer, MESSAGE_ACK, 0, &stale, GROUP));
	bus_run(&stage.world, 60);
	assert_int_equal(peer->data, 4);
	peer->acks = true;
	say_ack(peer, 4, 0);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	assert_int_equal(peer->items, 2000);
	close_stage(&stage);
}

/* The snapshot is of its first moment, whatever changes while it is sent. */
static void test_changes_during_a_snapshot(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 1000, 2048);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 2);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_CHUNK, 1));
	publish(&stage, "c0999", NULL);
	publish(&stage, "c0998", "new");
	peer->acks = true;
	say_ack(peer, 2, 0);
	assert_true(expect(&stage, peer, MESSAGE_DELTA, 1));
	assert_int_equal(peer->items, 1002);
	assert_int_equal(peer->last[MESSAGE_SNAPSHOT_END].count, 1000);
	assert_true(peer->sequence == 100002);
	close_stage(&stage);
}

static void test_few_snapshots_at_a_time(void **state)
{
	(void)state;
	struct stage stage = {0};
	unsigned begun = 0, welcome = 0;
	open_stage(&stage, 500, 4096);
	for (size_t i = 0; i < PEERS_MAX; i++)
		say_hello(add_peer(&stage, i), "proxy", GROUP, 1);
	for (size_t i = 0; i < PEERS_MAX; i++)
		assert_true(expect(&stage, &stage.peers[i], MESSAGE_HEARTBEAT, 2));
	for (size_t i = 0; i < PEERS_MAX; i++) {
		begun += stage.peers[i].counts[MESSAGE_SNAPSHOT_BEGIN];
		welcome += stage.peers[i].counts[MESSAGE_WELCOME];
	}
	assert_int_equal(begun, 4);
	assert_int_equal(welcome, PEERS_MAX);
	/* As those finish or go, the others get theirs. */
	for (size_t i = 0; i < PEERS_MAX; i++)
		stage.peers[i].acks = true;
	zsock_free(&stage.peers[0].zsock);
	for (size_t i = 1; i < PEERS_MAX; i++) {
		if (stage.peers[i].data > 0)
			say_ack(&stage.peers[i], 1, 0);
	}
	for (size_t i = 1; i < PEERS_MAX; i++)
		assert_true(expect(&stage, &stage.peers[i], MESSAGE_SNAPSHOT_END, 1));
	close_stage(&stage);
}

static void test_who_falls_behind_gets_a_snapshot(void **state)
{
	(void)state;
	struct stage stage = {0};
	char resource[16];
	open_stage(&stage, 10, 10);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 4);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	for (int i = 0; i < 6000; i++) {
		snprintf(resource, sizeof resource, "%d", i);
		publish(&stage, "c0003", resource);
	}
	bus_run(&stage.world, 100);
	peer->acks = true;
	say_ack(peer, peer->data, 0);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 2));
	assert_true(peer->sequence == 106000);
	assert_true(message_digest_equal(&peer->digest, &peer->last[MESSAGE_SNAPSHOT_END].digest));
	close_stage(&stage);
}

static void test_no_progress_ends_the_session(void **state)
{
	(void)state;
	struct stage stage = {.patience = {200}};
	open_stage(&stage, 10, 10);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 4);
	assert_true(expect(&stage, peer, MESSAGE_BYE, 1));
	assert_string_equal(peer->code, "slow");
	say_ack(peer, 1, 0);
	expect_refusal(&stage, peer, "hello", "say HELLO first");
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 4);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	bus_run(&stage.world, 400);
	assert_int_equal(peer->counts[MESSAGE_BYE], 0);
	close_stage(&stage);
}

static void send_raw(struct peer *peer, size_t frames_count, const char *bytes, size_t len)
{
	const struct zsock_frame frames[] = {{bytes, len}, {bytes, len}, {bytes, len}};
	assert_int_equal(zsock_send(peer->zsock, frames, frames_count), ZSOCK_SENT);
}

static void test_refusals(void **state)
{
	(void)state;
	struct stage stage = {0};
	const union message_body refresh = {.refresh = {(char[]){"c0001"}, (char[]){"x"}}};
	const union message_body nothing = {0};
	const union message_body result = {.task_result = {(char[]){"n"}, true, (char[]){""}}};
	open_stage(&stage, 10, 10);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", "another", 8);
	expect_refusal(&stage, peer, "group", "discovery group \"test\"");
	say_hello(peer, "admin", GROUP, 8);
	expect_refusal(&stage, peer, "role", "no role \"admin\"");
	say_hello(peer, "tap", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_WELCOME, 1));
	assert_true(say(peer, MESSAGE_REFRESH, 0, &refresh, GROUP));
	expect_refusal(&stage, peer, "role", "only a proxy");
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(say(peer, MESSAGE_SNAPSHOT_END, 0, &nothing, GROUP));
	expect_refusal(&stage, peer, "read-only", "do not publish");
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(say(peer, MESSAGE_TASK_RESULT, 0, &result, GROUP));
	expect_refusal(&stage, peer, "task", "not given");
	say_hello(peer, "proxy", GROUP, 8);
	const union message_body forged = {.ack = {.session = 7, .received = 1000}};
	assert_true(say(peer, MESSAGE_ACK, 0, &forged, GROUP));
	expect_refusal(&stage, peer, "ack", "never sent");
	say_hello(peer, "proxy", GROUP, 8);
	say_ack(peer, 1, 999999999);
	expect_refusal(&stage, peer, "ack", "never sent");
	assert_int_equal(stage.refreshes, 0);
	close_stage(&stage);
}

static void test_noise_is_answered_thrice(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 1, 10);
	struct peer *peer = add_peer(&stage, 0), *good = add_peer(&stage, 1);
	for (size_t i = 0; i < 30; i++)
		send_raw(peer, 1 + i % 3, "noise", i % 6);
	assert_true(expect(&stage, peer, MESSAGE_REJECT, 3));
	bus_run(&stage.world, 100);
	assert_int_equal(peer->counts[MESSAGE_REJECT], 3);
	say_hello(good, "proxy", GROUP, 8);
	assert_true(expect(&stage, good, MESSAGE_SNAPSHOT_END, 1));
	assert_int_equal(peer->counts[MESSAGE_HEARTBEAT], 0);
	close_stage(&stage);
}

/* A newer subscriber's optional message is skipped; one of another major version is told why. */
static void test_versions(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 1, 10);
	struct peer *peer = add_peer(&stage, 0);
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	uint8_t frame[MESSAGE_HEADER_SIZE];
	struct message_header header = {.type = 0x80 | 99,
	    .version_major = 1,
	    .version_minor = 7,
	    .group = message_group_id(GROUP)};
	message_encode_header(&header, "{}", 2, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {"{}", 2}};
	assert_int_equal(zsock_send(peer->zsock, frames, 2), ZSOCK_SENT);
	publish(&stage, "c0000", "again");
	assert_true(expect(&stage, peer, MESSAGE_DELTA, 1));
	assert_int_equal(peer->counts[MESSAGE_REJECT], 0);
	header.version_major = 2;
	message_encode_header(&header, "{}", 2, frame);
	assert_int_equal(zsock_send(peer->zsock, frames, 2), ZSOCK_SENT);
	expect_refusal(&stage, peer, "message", "version 2.7 is not spoken here");
	close_stage(&stage);
}

static void test_refresh_goes_up_once(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 100, 10);
	struct peer *peer = add_peer(&stage, 0);
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	const union message_body unknown = {.refresh = {(char[]){"unknown"}, (char[]){"x"}}};
	assert_true(say(peer, MESSAGE_REFRESH, 0, &unknown, GROUP));
	for (int i = 0; i < 5; i++) {
		const union message_body refresh = {
		    .refresh = {(char[]){"c0001"}, (char[]){"401"}}};
		assert_true(say(peer, MESSAGE_REFRESH, 0, &refresh, GROUP));
	}
	bus_run(&stage.world, 100);
	assert_int_equal(stage.refreshes, 1);
	assert_string_equal(stage.refreshed, "c0001: 401");
	/* All together: a burst, no more. */
	for (int i = 10; i < 60; i++) {
		char name[16];
		snprintf(name, sizeof name, "c%04d", i);
		const union message_body refresh = {.refresh = {name, (char[]){"401"}}};
		assert_true(say(peer, MESSAGE_REFRESH, 0, &refresh, GROUP));
		bus_run(&stage.world, 2);
	}
	bus_run(&stage.world, 100);
	assert_in_range(stage.refreshes, 20, 21);
	close_stage(&stage);
}

static const char *member(struct json_object *array, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(json_object_array_get_idx(array, 0), key, &value);
	return value != NULL ? json_object_get_string(value) : "absent";
}

static void test_inventory_and_metrics(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 5, 10);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	struct message_rejection rejection = {
	    (char[]){"c0004"}, 4, (char[]){"spec.endpoint: is missing"}};
	const union message_body ack = {
	    .ack = {.session = 7, .received = 3, .rejected = &rejection, .rejected_count = 1}};
	assert_true(say(peer, MESSAGE_ACK, 99990, &ack, GROUP));
	bus_run(&stage.world, 100);
	struct json_object *array = publisher_inventory(stage.publisher);
	assert_int_equal(json_object_array_length(array), 1);
	assert_string_equal(member(array, "instance"), "main");
	assert_string_equal(member(array, "role"), "proxy");
	assert_string_equal(member(array, "node"), "here");
	assert_string_equal(member(array, "version"), "0.0");
	assert_string_equal(member(array, "applied"), "99990");
	assert_string_equal(member(array, "lag"), "10");
	assert_string_equal(member(array, "state"), "live");
	assert_int_equal(atoi(member(array, "uid")), geteuid());
	assert_int_equal(atoi(member(array, "pid")), getpid());
	assert_non_null(strstr(member(array, "rejected"), "spec.endpoint: is missing"));
	json_object_put(array);
	struct buf out = {0};
	metrics_write(stage.metrics, &out);
	assert_non_null(
	    strstr(buf_text(&out), "eksgate_bus_subscribers{role=\"proxy\",state=\"live\"} 1\n"));
	assert_non_null(strstr(buf_text(&out), "eksgate_bus_lag 10\n"));
	assert_non_null(strstr(buf_text(&out), "eksgate_bus_items 5\n"));
	buf_free(&out);
	/* It goes without a word. */
	zsock_free(&peer->zsock);
	bus_run(&stage.world, 300);
	array = publisher_inventory(stage.publisher);
	assert_int_equal(json_object_array_length(array), 0);
	json_object_put(array);
	close_stage(&stage);
}

static bool is_disconnected(void *arg)
{
	return !((struct peer *)arg)->is_connected;
}

/* The BYE at the end may be overtaken by the end of the connection, which says the same. */
static void test_the_end_is_seen_at_once(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 5, 10);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	publisher_free(&stage.publisher);
	assert_true(bus_wait(&stage.world, is_disconnected, peer, 1000));
	close_stage(&stage);
}

static void test_too_large_items_are_left_out(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 3, 10);
	struct peer *peer = add_peer(&stage, 0);
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	char *large = xcalloc(1, MESSAGE_ITEM_MAX + 2);
	/* As bad for the encoder as it can be, and still within a message. */
	memset(large, '"', MESSAGE_ITEM_MAX);
	publish(&stage, "c0001", large);
	assert_true(expect(&stage, peer, MESSAGE_DELTA, 1));
	assert_int_equal(peer->bytes, 30 + MESSAGE_ITEM_MAX);
	large[MESSAGE_ITEM_MAX] = 'x';
	publish(&stage, "c0001", large);
	assert_true(expect(&stage, peer, MESSAGE_DELTA, 2));
	peer->counts[MESSAGE_HEARTBEAT] = 0;
	assert_true(expect(&stage, peer, MESSAGE_HEARTBEAT, 2));
	assert_int_equal(peer->last[MESSAGE_HEARTBEAT].count, 2);
	free(large);
	close_stage(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_snapshot_then_deltas),
	    cmocka_unit_test(test_empty_table),
	    cmocka_unit_test(test_credit_bounds_what_is_under_way),
	    cmocka_unit_test(test_changes_during_a_snapshot),
	    cmocka_unit_test(test_few_snapshots_at_a_time),
	    cmocka_unit_test(test_who_falls_behind_gets_a_snapshot),
	    cmocka_unit_test(test_no_progress_ends_the_session),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_noise_is_answered_thrice),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_refresh_goes_up_once),
	    cmocka_unit_test(test_inventory_and_metrics),
	    cmocka_unit_test(test_the_end_is_seen_at_once),
	    cmocka_unit_test(test_too_large_items_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
