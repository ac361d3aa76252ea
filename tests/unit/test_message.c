/* Every message there and back, and tables of what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"
#include "proto/task.h"

#define RESOURCE "{\"kind\":\"kube_cluster\",\"metadata\":{\"name\":\"a\\\"b\"}}"

static struct message_header header_of(
    unsigned type, uint64_t base, uint64_t sequence, uint32_t count)
{
	return (struct message_header){.type = (uint8_t)type,
	    .version_major = MESSAGE_VERSION_MAJOR,
	    .version_minor = MESSAGE_VERSION_MINOR,
	    .group = message_group_id("prod"),
	    .epoch = 1764000000000,
	    .instance = UINT64_C(0xfedcba9876543210),
	    .base_sequence = base,
	    .sequence = sequence,
	    .count = count,
	    .digest = {{1, 2, 3}}};
}

/* Encodes, checks the text, decodes into *body. */
static void round_trip(const struct message_header *header, const union message_body *from,
    const char *expected, union message_body *body)
{
	char error[MESSAGE_ERROR_TEXT] = "";
	size_t len;
	char *text = message_encode_body(header->type, from, &len);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	uint8_t frame[MESSAGE_HEADER_SIZE];
	message_encode_header(header, text, len, frame);
	struct message_header back;
	memset(&back, 0, sizeof back);
	if (!message_decode_header(frame, sizeof frame, text, len, &back, error) ||
	    !message_decode_body(&back, text, len, body, error))
		fail_msg("%s: %s", expected, error);
	assert_int_equal(back.type, header->type);
	assert_int_equal(back.version_minor, header->version_minor);
	assert_true(back.group == header->group && back.epoch == header->epoch);
	assert_true(back.instance == header->instance);
	assert_true(back.base_sequence == header->base_sequence);
	assert_true(back.sequence == header->sequence);
	assert_int_equal(back.count, header->count);
	assert_true(message_digest_equal(&back.digest, &header->digest));
	free(text);
}

static void test_hello_and_welcome(void **state)
{
	(void)state;
	union message_body body, hello = {.hello = {.session = 3,
					      .role = (char[]){"proxy"},
					      .instance = (char[]){"main"},
					      .node = (char[]){"host-1"},
					      .software = (char[]){"0.1.0"},
					      .pid = 4711,
					      .credit = 8}};
	struct message_header header = header_of(MESSAGE_HELLO, 0, 41, 0);
	round_trip(&header, &hello,
	    "{\"session\":3,\"role\":\"proxy\",\"instance\":\"main\",\"node\":\"host-1\","
	    "\"software\":\"0.1.0\",\"pid\":4711,\"credit\":8}",
	    &body);
	assert_string_equal(body.hello.role, "proxy");
	assert_string_equal(body.hello.node, "host-1");
	assert_int_equal(body.hello.pid, 4711);
	assert_int_equal(body.hello.credit, 8);
	message_body_free(MESSAGE_HELLO, &body);

	union message_body welcome = {.welcome = {.session = 3, .heartbeat_ms = 250}};
	header = header_of(MESSAGE_WELCOME, 0, 41, 17);
	round_trip(&header, &welcome, "{\"session\":3,\"heartbeat_ms\":250}", &body);
	assert_int_equal(body.welcome.heartbeat_ms, 250);
	assert_null(body.welcome.software);
	message_body_free(MESSAGE_WELCOME, &body);
}

static void test_items(void **state)
{
	(void)state;
	struct message_item items[] = {{.name = (char[]){"a"},
					   .revision = 7,
					   .resource = (char[]){RESOURCE},
					   .resource_len = strlen(RESOURCE)},
	    {.name = (char[]){"b"}, .revision = 9, .renamed_to = (char[]){"c"}},
	    {.name = (char[]){"c"}, .revision = 12}};
	union message_body body, delta = {.items = {items, 3}};
	struct message_header header = header_of(MESSAGE_DELTA, 6, 12, 3);
	round_trip(&header, &delta,
	    "{\"items\":[{\"name\":\"a\",\"revision\":7,\"resource\":\"{\\\"kind\\\":\\\"kube_"
	    "cluster\\\","
	    "\\\"metadata\\\":{\\\"name\\\":\\\"a\\\\\\\"b\\\"}}\"},"
	    "{\"name\":\"b\",\"revision\":9,\"renamed_to\":\"c\"},{\"name\":\"c\",\"revision\":12}]"
	    "}",
	    &body);
	assert_int_equal(body.items.count, 3);
	assert_string_equal(body.items.items[0].resource, RESOURCE);
	assert_int_equal(body.items.items[0].resource_len, strlen(RESOURCE));
	assert_null(body.items.items[1].resource);
	assert_string_equal(body.items.items[1].renamed_to, "c");
	message_body_free(MESSAGE_DELTA, &body);

	union message_body chunk = {.items = {items, 1}};
	header = header_of(MESSAGE_SNAPSHOT_CHUNK, 0, 12, 1);
	round_trip(&header, &chunk,
	    "{\"items\":[{\"name\":\"a\",\"revision\":7,\"resource\":\"{\\\"kind\\\":\\\"kube_"
	    "cluster\\\","
	    "\\\"metadata\\\":{\\\"name\\\":\\\"a\\\\\\\"b\\\"}}\"}]}",
	    &body);
	message_body_free(MESSAGE_SNAPSHOT_CHUNK, &body);

	const union message_body nothing = {0};
	header = header_of(MESSAGE_SNAPSHOT_BEGIN, 0, 12, 2);
	round_trip(&header, &nothing, "{}", &body);
	header = header_of(MESSAGE_SNAPSHOT_END | MESSAGE_TYPE_OPTIONAL, 0, 12, 2);
	round_trip(&header, &nothing, "{}", &body);
}

static void test_ack_and_heartbeat(void **state)
{
	(void)state;
	struct message_rejection rejected[] = {
	    {.name = (char[]){"x"}, .revision = 3, .text = (char[]){"spec.endpoint: is missing"}}};
	union message_body body, ack = {.ack = {.session = 1,
					    .received = 12,
					    .rejected = rejected,
					    .rejected_count = 1,
					    .has_more = true}};
	struct message_header header = header_of(MESSAGE_ACK, 0, 12, 1);
	round_trip(&header, &ack,
	    "{\"session\":1,\"received\":12,\"rejected\":[{\"name\":\"x\",\"revision\":3,"
	    "\"text\":\"spec.endpoint: is missing\"}],\"has_more\":true}",
	    &body);
	assert_int_equal(body.ack.rejected_count, 1);
	assert_string_equal(body.ack.rejected[0].text, "spec.endpoint: is missing");
	assert_true(body.ack.has_more);
	message_body_free(MESSAGE_ACK, &body);

	ack.ack.rejected_count = 0;
	ack.ack.has_more = false;
	round_trip(&header, &ack, "{\"session\":1,\"received\":12}", &body);
	message_body_free(MESSAGE_ACK, &body);

	union message_body beat = {.heartbeat = {.clock_offset_ms = -420000}};
	header = header_of(MESSAGE_HEARTBEAT, 11, 12, 2);
	round_trip(&header, &beat, "{\"clock_offset_ms\":-420000}", &body);
	assert_int_equal(body.heartbeat.clock_offset_ms, -420000);
}

static void test_the_rest(void **state)
{
	(void)state;
	union message_body body;
	union message_body reason = {
	    .reason = {(char[]){"slow"}, (char[]){"no progress for 30 s"}}};
	for (int i = 0; i < 2; i++) {
		struct message_header header =
		    header_of(i == 0 ? MESSAGE_BYE : MESSAGE_REJECT, 0, 0, 0);
		round_trip(&header, &reason,
		    "{\"code\":\"slow\",\"text\":\"no progress for 30 s\"}", &body);
		message_body_free(header.type, &body);
	}
	union message_body refresh = {.refresh = {(char[]){"prod"}, (char[]){"401"}}};
	struct message_header header = header_of(MESSAGE_REFRESH, 0, 0, 0);
	round_trip(&header, &refresh, "{\"name\":\"prod\",\"reason\":\"401\"}", &body);
	message_body_free(header.type, &body);

	union message_body task = {
	    .task = {(char[]){"n1"}, (char[]){"probe"}, (char[]){"prod"}, (char[]){"{}"}}};
	header = header_of(MESSAGE_TASK, 0, 0, 0);
	round_trip(&header, &task,
	    "{\"nonce\":\"n1\",\"kind\":\"probe\",\"cluster\":\"prod\",\"body\":\"{}\"}", &body);
	message_body_free(header.type, &body);

	union message_body result = {.task_result = {(char[]){"n1"}, true, (char[]){"done"}, NULL}};
	header = header_of(MESSAGE_TASK_RESULT, 0, 0, 0);
	round_trip(&header, &result, "{\"nonce\":\"n1\",\"ok\":true,\"text\":\"done\"}", &body);
	assert_true(body.task_result.is_ok);
	message_body_free(header.type, &body);
}

static void test_report(void **state)
{
	(void)state;
	struct message_permission denied[] = {
	    {(char[]){"impersonate"}, (char[]){"groups"}, (char[]){"viewers"}},
	    {(char[]){"get"}, (char[]){"pods"}, NULL}};
	union message_body body, report = {.report = {.name = (char[]){"prod"},
					       .created_ms = 1764000000000,
					       .is_serving = true,
					       .principal = (char[]){"arn:aws:iam::1:role/serve"},
					       .is_exact = true,
					       .reachable = ANSWER_YES,
					       .authenticated = ANSWER_YES,
					       .permitted = ANSWER_NO,
					       .denied = denied,
					       .denied_count = 2,
					       .code = (char[]){"forbidden"},
					       .text = (char[]){"it may not impersonate"},
					       .checked_ms = 1764000000001}};
	struct message_header header = header_of(MESSAGE_REPORT | MESSAGE_TYPE_OPTIONAL, 0, 0, 0);
	round_trip(&header, &report,
	    "{\"name\":\"prod\",\"created_ms\":1764000000000,\"serving\":true,"
	    "\"principal\":\"arn:aws:iam::1:role/serve\",\"exact\":true,\"reachable\":\"yes\","
	    "\"authenticated\":\"yes\",\"permitted\":\"no\",\"healthy\":\"unknown\",\"denied\":["
	    "{\"verb\":\"impersonate\",\"resource\":\"groups\",\"object\":\"viewers\"},"
	    "{\"verb\":\"get\",\"resource\":\"pods\"}],\"code\":\"forbidden\","
	    "\"text\":\"it may not impersonate\",\"checked_ms\":1764000000001}",
	    &body);
	assert_true(body.report.is_serving && body.report.is_exact);
	assert_int_equal(body.report.permitted, ANSWER_NO);
	assert_int_equal(body.report.healthy, ANSWER_UNKNOWN);
	assert_int_equal(body.report.denied_count, 2);
	assert_string_equal(body.report.denied[0].object, "viewers");
	assert_null(body.report.denied[1].object);
	message_body_free(header.type, &body);

	/* What is not served has little to say; a word of a later version is "unknown". */
	const char *text =
	    "{\"name\":\"prod\",\"created_ms\":0,\"serving\":false,\"reachable\":\"sometimes\","
	    "\"authenticated\":\"no\",\"permitted\":\"no\",\"healthy\":\"no\",\"code\":\"x\","
	    "\"text\":\"\",\"checked_ms\":0,\"of\":[\"a later version\"]}";
	char error[MESSAGE_ERROR_TEXT];
	assert_true(message_decode_body(&header, text, strlen(text), &body, error));
	assert_int_equal(body.report.reachable, ANSWER_UNKNOWN);
	assert_int_equal(body.report.healthy, ANSWER_NO);
	assert_null(body.report.principal);
	message_body_free(header.type, &body);
}

static void test_tasks(void **state)
{
	(void)state;
	char error[MESSAGE_ERROR_TEXT] = "";
	struct task_check check = {.created_ms = 5, .timeout_ms = 60000, .is_waiting = true}, back;
	char *text = task_check_encode(&check);
	assert_string_equal(text, "{\"created_ms\":5,\"timeout_ms\":60000,\"wait\":true}");
	assert_true(task_check_decode(text, &back, error));
	assert_true(back.is_waiting && back.created_ms == 5 && back.timeout_ms == 60000);
	free(text);
	struct task_apply_rbac apply = {.created_ms = 5,
	    .timeout_ms = 1,
	    .token = (char[]){"k8s-aws-v1.eA"},
	    .cluster_role = (char[]){"eksgate"},
	    .group = (char[]){"eksgate:proxy"}};
	struct task_apply_rbac applied;
	text = task_apply_rbac_encode(&apply);
	assert_string_equal(text, "{\"created_ms\":5,\"timeout_ms\":1,\"token\":\"k8s-aws-v1.eA\","
				  "\"cluster_role\":\"eksgate\",\"group\":\"eksgate:proxy\"}");
	assert_true(task_apply_rbac_decode(text, &applied, error));
	assert_string_equal(applied.token, "k8s-aws-v1.eA");
	assert_string_equal(applied.group, "eksgate:proxy");
	task_apply_rbac_free(&applied);
	free(text);
}

static void test_bad_tasks(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
	    {"", "object is expected"},
	    {"{\"created_ms\":1}", "\"timeout_ms\" is missing"},
	    {"{\"created_ms\":1,\"timeout_ms\":0}", "\"timeout_ms\" is out of range"},
	    {"{\"created_ms\":1,\"timeout_ms\":600001}", "\"timeout_ms\" is out of range"},
	    {"{\"created_ms\":1,\"timeout_ms\":1,\"token\":7}", "\"token\": a string"},
	    {"{\"created_ms\":1,\"timeout_ms\":1,\"token\":\"t\",\"token\":\"t\"}", "twice"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char error[MESSAGE_ERROR_TEXT] = "";
		struct task_apply_rbac task;
		assert_false(task_apply_rbac_decode(bad[i][0], &task, error));
		if (strstr(error, bad[i][1]) == NULL)
			fail_msg("%s: \"%s\" instead of \"%s\"", bad[i][0], error, bad[i][1]);
	}
}

static const struct {
	unsigned type;
	uint32_t count;
	const char *text, *error;
} bad_bodies[] = {
    {MESSAGE_WELCOME, 0, "", "object is expected"},
    {MESSAGE_WELCOME, 0, "[]", "object is expected"},
    {MESSAGE_WELCOME, 0, "{\"session\":1}", "\"heartbeat_ms\" is missing"},
    {MESSAGE_WELCOME, 0, "{\"session\":\"1\",\"heartbeat_ms\":1}",
	"\"session\": an integer is expected"},
    {MESSAGE_WELCOME, 0, "{\"session\":1,\"heartbeat_ms\":0}", "\"heartbeat_ms\" is out of range"},
    {MESSAGE_WELCOME, 0, "{\"session\":NaN,\"heartbeat_ms\":1}", "an integer is expected"},
    {MESSAGE_WELCOME, 0, "{\"session\":1e3,\"heartbeat_ms\":1}", "an integer is expected"},
    {MESSAGE_WELCOME, 0, "{\"session\":1,\"session\":1,\"heartbeat_ms\":1}",
	"\"session\" stands there twice"},
    {MESSAGE_WELCOME, 0, "{\"session\":1,\"heartbeat_ms\":1}x", "more bytes"},
    {MESSAGE_WELCOME, 0, "{\"session\":1,\"heartbeat_ms\":1} {}", "more bytes"},
    {MESSAGE_WELCOME, 0,
	"{\"session\":1,\"heartbeat_ms\":1,\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", "too deep"},
    {MESSAGE_WELCOME, 0, "{\"session\":1,\"heartbeat_ms\":1,\"x\":nope}", "bad value"},
    {MESSAGE_SNAPSHOT_BEGIN, 0, "", "object is expected"},
    {MESSAGE_HELLO, 0, "{\"session\":1,\"role\":\"12345678901234567\"}",
	"\"role\": a string is too long"},
    {MESSAGE_HELLO, 0,
	"{\"session\":1,\"role\":\"proxy\",\"instance\":\"a\",\"pid\":1,\"credit\":65}",
	"\"credit\" is out of range"},
    {MESSAGE_HELLO, 0, "{\"session\":1,\"role\":null}", "\"role\": a string is expected"},
    {MESSAGE_BYE, 0, "{\"code\":\"a\\u0000b\",\"text\":\"\"}", "NUL"},
    {MESSAGE_TASK_RESULT, 0, "{\"nonce\":\"a\",\"ok\":1,\"text\":\"\"}", "\"ok\": true or false"},
    {MESSAGE_REPORT, 0, "{\"name\":\"a\",\"created_ms\":1,\"serving\":\"yes\"}",
	"\"serving\": true or false"},
    {MESSAGE_REPORT, 0, "{\"name\":\"a\",\"created_ms\":1,\"serving\":true,\"reachable\":true}",
	"\"reachable\": a string is expected"},
    {MESSAGE_REPORT, 0, "{\"name\":\"a\",\"created_ms\":1,\"serving\":true}",
	"\"reachable\" is missing"},
    {MESSAGE_REPORT, 0, "{\"denied\":[{\"verb\":\"get\"}]}", "\"resource\" is missing"},
    {MESSAGE_DELTA, 1, "{\"items\":{}}", "\"items\": an array is expected"},
    {MESSAGE_DELTA, 1, "{\"items\":[1]}", "object is expected"},
    {MESSAGE_DELTA, 0, "{\"items\":[]}", "last item"},
    {MESSAGE_DELTA, 2, "{\"items\":[{\"name\":\"a\",\"revision\":12}]}",
	"1 items, the header says 2"},
    {MESSAGE_DELTA, 4000000000u, "{\"items\":[{\"name\":\"a\",\"revision\":12}]}",
	"1 items, the header says 4000000000"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\",\"revision\":13}]}", "beyond"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\",\"revision\":11}]}", "last item"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\",\"revision\":6}]}", "does not grow"},
    {MESSAGE_DELTA, 2,
	"{\"items\":[{\"name\":\"a\",\"revision\":12},{\"name\":\"b\",\"revision\":12}]}",
	"does not grow"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\",\"revision\":0}]}", "out of range"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"\",\"revision\":12}]}", "no usable name"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\\nb\",\"revision\":12}]}", "no usable name"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a b\",\"revision\":12}]}", "no usable name"},
    {MESSAGE_DELTA, 1,
	"{\"items\":[{\"name\":\"a\",\"revision\":12,\"resource\":\"\",\"renamed_to\":"
	"\"b\"}]}",
	"is renamed"},
    {MESSAGE_DELTA, 1, "{\"items\":[{\"name\":\"a\",\"revision\":12,\"resource\":{}}]}",
	"a string is expected"},
    {MESSAGE_SNAPSHOT_CHUNK, 1, "{\"items\":[{\"name\":\"a\",\"revision\":12}]}", "no resource"},
    {MESSAGE_SNAPSHOT_CHUNK, 2,
	"{\"items\":[{\"name\":\"b\",\"revision\":1,\"resource\":\"\"},{\"name\":\"a\","
	"\"revision\":2,\"resource\":\"\"}]}",
	"out of order"},
    {MESSAGE_SNAPSHOT_CHUNK, 2,
	"{\"items\":[{\"name\":\"a\",\"revision\":1,\"resource\":\"\"},{\"name\":\"a\","
	"\"revision\":2,\"resource\":\"\"}]}",
	"out of order"},
    {99, 0, "{}", "unknown type 99"},
    {0, 0, "{}", "unknown type 0"},
};

static void test_bad_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_bodies / sizeof bad_bodies[0]; i++) {
		char error[MESSAGE_ERROR_TEXT] = "";
		struct message_header header =
		    header_of(bad_bodies[i].type, 6, 12, bad_bodies[i].count);
		union message_body body;
		if (message_decode_body(
			&header, bad_bodies[i].text, strlen(bad_bodies[i].text), &body, error) ||
		    strstr(error, bad_bodies[i].error) == NULL)
			fail_msg("%s: \"%s\", not \"%s\"", bad_bodies[i].text, error,
			    bad_bodies[i].error);
	}
}

/* A newer peer within the major version may send more members and optional types. */
static void test_newer_peers_are_understood(void **state)
{
	(void)state;
	static const char text[] =
	    "{\"new\":{\"a\":[1,null,true,{\"b\":\"c\"}]},\"session\":1,"
	    "\"a_member_with_a_name_longer_than_any_of_ours\":0,\"heartbeat_ms\":5}";
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header = header_of(MESSAGE_WELCOME, 0, 0, 0), back;
	header.version_minor = 9;
	uint8_t frame[MESSAGE_HEADER_SIZE];
	message_encode_header(&header, text, strlen(text), frame);
	assert_true(message_decode_header(frame, sizeof frame, text, strlen(text), &back, error));
	union message_body body;
	assert_true(message_decode_body(&back, text, strlen(text), &body, error));
	assert_int_equal(body.welcome.heartbeat_ms, 5);
	message_body_free(MESSAGE_WELCOME, &body);

	header.type = 0x80 | 77;
	message_encode_header(&header, text, strlen(text), frame);
	assert_true(message_decode_header(frame, sizeof frame, text, strlen(text), &back, error));
	assert_null(message_type_name(back.type));
	assert_string_equal(message_type_name(MESSAGE_DELTA | MESSAGE_TYPE_OPTIONAL), "DELTA");
}

static void test_bad_headers(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *error;
	} rows[] = {{0, 'X', "magic"}, {4, 2, "version 2.1 is not spoken"},
	    {4, 0, "version 0.1 is not"}, {6, 2, "SHA-256"}, {7, 1, "SHA-256"}, {8, 1, "SHA-256"},
	    {23, 9, "SHA-256"}, {47, 9, "SHA-256"}, {51, 9, "SHA-256"},
	    {52, 0x80, "the header says"}, {55, 1, "the header says 1"}, {56, 9, "SHA-256"},
	    {103, 0, "SHA-256"}};
	const struct message_header header = header_of(MESSAGE_BYE, 0, 1, 0);
	struct message_header back;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char error[MESSAGE_ERROR_TEXT] = "";
		uint8_t frame[MESSAGE_HEADER_SIZE];
		message_encode_header(&header, "{}", 2, frame);
		if (frame[rows[i].at] == rows[i].value)
			frame[rows[i].at] ^= 0xff;
		else
			frame[rows[i].at] = rows[i].value;
		if (message_decode_header(frame, sizeof frame, "{}", 2, &back, error) ||
		    strstr(error, rows[i].error) == NULL)
			fail_msg("byte %zu: \"%s\", not \"%s\"", rows[i].at, error, rows[i].error);
	}
	char error[MESSAGE_ERROR_TEXT];
	uint8_t frame[MESSAGE_HEADER_SIZE + 1] = {0};
	message_encode_header(&header, "{}", 2, frame);
	assert_false(message_decode_header(frame, 103, "{}", 2, &back, error));
	assert_false(message_decode_header(frame, 105, "{}", 2, &back, error));
	assert_false(message_decode_header(frame, 104, "{]", 2, &back, error));
	assert_false(message_decode_header(frame, 104, "{} ", 3, &back, error));
	assert_false(message_decode_header(frame, 104, "{", 1, &back, error));
	assert_true(message_decode_header(frame, 104, "{}", 2, &back, error));
}

/* A body of the largest size passes, one byte more does not. */
static void test_body_limit(void **state)
{
	(void)state;
	char error[MESSAGE_ERROR_TEXT];
	char *body = calloc(1, MESSAGE_BODY_MAX + 1);
	assert_non_null(body);
	const struct message_header header = header_of(MESSAGE_DELTA, 0, 1, 1);
	struct message_header back;
	uint8_t frame[MESSAGE_HEADER_SIZE];
	message_encode_header(&header, body, MESSAGE_BODY_MAX, frame);
	assert_true(
	    message_decode_header(frame, sizeof frame, body, MESSAGE_BODY_MAX, &back, error));
	message_encode_header(&header, body, MESSAGE_BODY_MAX + 1, frame);
	assert_false(
	    message_decode_header(frame, sizeof frame, body, MESSAGE_BODY_MAX + 1, &back, error));
	free(body);
}

static void test_digest(void **state)
{
	(void)state;
	struct message_digest a = {{0}}, b = {{0}}, none = {{0}};
	message_digest_toggle(&a, "one", 1, "{}", 2);
	message_digest_toggle(&a, "two", 2, "{\"x\":1}", 7);
	message_digest_toggle(&b, "two", 2, "{\"x\":1}", 7);
	message_digest_toggle(&b, "one", 1, "{}", 2);
	assert_true(message_digest_equal(&a, &b));
	message_digest_toggle(&b, "one", 1, "{}", 2);
	message_digest_toggle(&b, "one", 2, "{}", 2);
	assert_false(message_digest_equal(&a, &b));
	message_digest_toggle(&a, "one", 1, "{}", 2);
	message_digest_toggle(&a, "two", 2, "{\"x\":1}", 7);
	assert_true(message_digest_equal(&a, &none));
	/* SHA-256("one" 00 0000000000000001 "{}"), cut. */
	static const struct message_digest known = {{0xe3, 0x86, 0xc1, 0x02, 0xd5, 0x19, 0x93, 0x26,
	    0x81, 0x93, 0xb8, 0xff, 0x57, 0xb9, 0x2f, 0xee}};
	message_digest_toggle(&none, "one", 1, "{}", 2);
	assert_true(message_digest_equal(&none, &known));
	assert_true(message_group_id("default") == UINT64_C(0x37a8eec1ce19687d));
}

/* The bytes that PROTOCOL.md shows. */
static void test_example_of_the_protocol(void **state)
{
	(void)state;
	static const uint8_t expected[MESSAGE_HEADER_SIZE] = {0x45, 0x4b, 0x42, 0x31, 0x01, 0x00,
	    0x07, 0x00, 0xbb, 0x9b, 0x6e, 0x3d, 0x91, 0x9d, 0x66, 0x89, 0x00, 0x00, 0x01, 0x9a,
	    0xb6, 0x97, 0xe8, 0x00, 0x9a, 0x7e, 0x5c, 0x75, 0x4f, 0xcd, 0x09, 0x26, 0x00, 0x00,
	    0x00, 0x00, 0x00, 0x00, 0x00, 0x29, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x29,
	    0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x18, 0x41, 0x69, 0x12, 0xe1, 0x2b, 0x24,
	    0x61, 0xb5, 0x6a, 0x29, 0x36, 0x7f, 0x95, 0x4b, 0xd6, 0x53, 0xf9, 0x4a, 0x94, 0x4d,
	    0x9a, 0xa0, 0x55, 0x37, 0xc9, 0x41, 0x56, 0x7d, 0xbb, 0xcd, 0x24, 0x19, 0xa4, 0x01,
	    0x5e, 0xa7, 0x3a, 0x16, 0xb1, 0x79, 0xb6, 0x0e, 0x38, 0xf4, 0x6c, 0xd4, 0x8a, 0x4b};
	static const char body[] = "{\"clock_offset_ms\":-420}";
	struct message_header header = {.type = MESSAGE_HEARTBEAT,
	    .version_major = 1,
	    .group = message_group_id("aws-prod"),
	    .epoch = 1764000000000,
	    .instance = UINT64_C(0x9a7e5c754fcd0926),
	    .base_sequence = 41,
	    .sequence = 41,
	    .count = 2};
	message_digest_toggle(&header.digest, "a", 7, "{\"x\":1}", 7);
	message_digest_toggle(&header.digest, "b", 41, "{}", 2);
	uint8_t frame[MESSAGE_HEADER_SIZE];
	message_encode_header(&header, body, strlen(body), frame);
	assert_memory_equal(frame, expected, sizeof expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hello_and_welcome),
	    cmocka_unit_test(test_items),
	    cmocka_unit_test(test_ack_and_heartbeat),
	    cmocka_unit_test(test_the_rest),
	    cmocka_unit_test(test_report),
	    cmocka_unit_test(test_tasks),
	    cmocka_unit_test(test_bad_tasks),
	    cmocka_unit_test(test_bad_bodies),
	    cmocka_unit_test(test_newer_peers_are_understood),
	    cmocka_unit_test(test_bad_headers),
	    cmocka_unit_test(test_body_limit),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_example_of_the_protocol),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
