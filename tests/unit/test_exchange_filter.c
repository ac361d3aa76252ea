/* Answers of which the user may see some, on their way: what the API server is asked, when the head
 * leaves, and how it ends when the answer cannot be filtered. Names that begin with "a" are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "kubeproxyd/exchange/exchange_private.h"
#include "tests/unit/exchange_stage.h"

#define LIST	     "/clusters/prod/api/v1/namespaces/n/pods"
#define WATCH	     LIST "?watch=1"
#define JSON	     "application/json"
#define ITEM(name)   "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\"}}"
#define EVENT(name)  "{\"type\":\"ADDED\",\"object\":" ITEM(name) "}\n"
#define EXPIRED_CODE "\"code\":410"

static int set_up_filtered(void **state)
{
	int failed = set_up(state);
	world.shown = "a";
	settings.proxy.limits.filtered_object = (size_t)1024 * 1024;
	return failed;
}

static void accept_field(const char *accept, const char *encoding)
{
	fields_clear(&request.fields);
	if (accept != NULL)
		fields_add_text(&request.fields, "Accept", accept);
	if (encoding != NULL)
		fields_add_text(&request.fields, "Accept-Encoding", encoding);
}

/* The head of an answer in some format. */
static void answer_with(unsigned status, const char *type, const char *encoding)
{
	struct http_head head = {
	    .status = status, .body = HTTP_BODY_LENGTH, .content_length = 1000, .keep_alive = true};
	if (type != NULL)
		fields_add_text(&head.fields, "Content-Type", type);
	if (encoding != NULL)
		fields_add_text(&head.fields, "Content-Encoding", encoding);
	fields_add_text(&head.fields, "ETag", "\"all\"");
	struct side *upstream = &upstreams[upstream_count - 1];
	upstream->events->on_head(upstream->arg, &head);
	http_head_free(&head);
}

static void answer_bytes(const struct buf *bytes)
{
	struct side *upstream = &upstreams[upstream_count - 1];
	upstream->events->on_body(upstream->arg, (const uint8_t *)bytes->data, bytes->len);
}

static void test_a_list(void **state)
{
	(void)state;
	accept_field(
	    "application/json;as=Table;v=v1;g=meta.k8s.io, application/cbor, */*", "br, gzip");
	ask("GET", LIST, HTTP_BODY_NONE);
	assert_string_equal(
	    sent(0, "Accept"), "application/json;as=Table;v=v1;g=meta.k8s.io, application/json");
	assert_string_equal(sent(0, "Accept-Encoding"), "gzip");
	answer_with(200, JSON, NULL);
	assert_false(client.has_head); /* it is not known yet whether it can be filtered */
	answer_body(0, "{\"items\":[" ITEM("a"));
	assert_true(client.has_head);
	assert_int_equal(client.head.status, 200);
	assert_int_equal(client.head.body, HTTP_BODY_CHUNKED);
	assert_null(fields_get(&client.head.fields, "ETag"));
	answer_body(0, "," ITEM("b") "]}");
	assert_string_equal(buf_text(&client.body), "{\"items\":[" ITEM("a") "]}");
	struct http_fields trailers = {0};
	fields_add_text(&trailers, "X-Sum", "1");
	upstreams[0].events->on_trailers(upstreams[0].arg, &trailers);
	fields_free(&trailers);
	answer_end(0);
	assert_true(client.is_ended && client.is_released && upstreams[0].is_released);
}

/* The client has room again, in the turn that brought the end. */
static void test_room_behind_the_end(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, "{\"items\":[" ITEM("a") "]}");
	upstreams[0].events->on_end(upstreams[0].arg);
	assert_true(client.is_ended);
	client.is_ended = false;
	exchange_client_events.on_drain(exchange);
	assert_false(client.is_ended);
	end_turn();
	assert_true(client.is_released);
	assert_string_equal(buf_text(&client.body), "{\"items\":[" ITEM("a") "]}");
}

static void test_what_is_counted(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, "{\"items\":[" ITEM("a") "," ITEM("b") "," ITEM("c") ",{}]}");
	answer_end(0);
	count_is("eksgate_filtered_objects_total{verdict=\"passed\"} 1\n");
	count_is("eksgate_filtered_objects_total{verdict=\"dropped\"} 2\n");
	count_is("eksgate_filtered_objects_total{verdict=\"unreadable\"} 1\n");
}

static void test_what_cannot_be_filtered_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *type, *encoding, *body, *says;
	} rows[] = {
	    {"application/yaml", NULL, "items: []", "application/yaml"},
	    {"application/cbor", NULL, "", "application/cbor"},
	    {NULL, NULL, "", "no Content-Type"},
	    {JSON, "br", "", "br"},
	    {JSON, NULL, "items: []", "does not begin"},
	    {JSON, NULL, "{\"more\":1,\"items\":[]}", "more than items"},
	    {JSON, "gzip", "{\"items\":[]}", "compression"},
	    {JSON, "part", "", "part"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		side_clear(&client);
		ask("GET", LIST, HTTP_BODY_NONE);
		struct side *upstream = &upstreams[upstream_count - 1];
		bool is_part = rows[i].encoding != NULL && strcmp(rows[i].encoding, "part") == 0;
		answer_with(is_part ? 206 : 200, rows[i].type, is_part ? NULL : rows[i].encoding);
		if (!client.is_released)
			answer_body(upstream_count - 1, rows[i].body);
		assert_refused(502, rows[i].says);
		assert_true(upstream->is_released);
	}
}

/* Which of two counts is for the client to guess. */
static void test_types_and_encodings_that_stand_twice(void **state)
{
	(void)state;
	static const struct {
		const char *name, *first, *second, *says;
	} rows[] = {
	    {"Content-Type", JSON, "text/plain", "cannot be filtered"},
	    {"Content-Type", JSON, JSON, "cannot be filtered"},
	    {"Content-Encoding", "identity", "gzip", "cannot be filtered"},
	    {"Content-Encoding", "gzip", "gzip", "cannot be filtered"},
	    {"Content-Encoding", "gzip, gzip", NULL, "cannot be filtered"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_head head = {
		    .status = 200, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
		if (strcmp(rows[i].name, "Content-Encoding") == 0)
			fields_add_text(&head.fields, "Content-Type", JSON);
		fields_add_text(&head.fields, rows[i].name, rows[i].first);
		if (rows[i].second != NULL)
			fields_add_text(&head.fields, rows[i].name, rows[i].second);
		side_clear(&client);
		ask("GET", LIST, HTTP_BODY_NONE);
		struct side *upstream = &upstreams[upstream_count - 1];
		upstream->events->on_head(upstream->arg, &head);
		http_head_free(&head);
		assert_refused(502, rows[i].says);
	}
}

/* An object that has begun is held, but not in more memory than there is for all answers. */
static void test_large_objects_in_no_more_memory_than_there_is(void **state)
{
	(void)state;
	struct buf part = {0};
	for (int has_begun = 0; has_begun < 2; has_begun++) {
		size_t index = upstream_count;
		side_clear(&client);
		ask("GET", LIST, HTTP_BODY_NONE);
		answer_with(200, JSON, NULL);
		answer_body(index, has_begun ? "{\"items\":[" ITEM("a") ",{\"x\":\"" : "{\"x\":\"");
		buf_clear(&part);
		for (size_t i = 0; i < 8192; i++)
			buf_append_char(&part, 'x');
		for (size_t i = 0; i < 100 && !client.is_released; i++) {
			assert_true(i < 40);
			answer_bytes(&part);
		}
		assert_true(client.is_released && !client.is_ended == has_begun);
		if (!has_begun)
			assert_refused(503, "answers_in_hand");
		assert_int_equal(holdings.held, 0);
	}
	count_is("eksgate_proxy_refused_total{reason=\"answers_in_hand\"} 2\n");
	buf_free(&part);
}

static void test_requests_that_could_not_be_filtered(void **state)
{
	(void)state;
	accept_field("application/yaml, application/cbor", NULL);
	ask("GET", LIST, HTTP_BODY_NONE);
	assert_refused(406, "application/json");
	side_clear(&client);
	accept_field(NULL, NULL);
	ask("GET", LIST "?limit=1&includeObject=None", HTTP_BODY_NONE);
	assert_refused(403, "includeObject");
	side_clear(&client);
	request.is_upgrade = true;
	ask("GET", WATCH, HTTP_BODY_NONE);
	request.is_upgrade = false;
	assert_refused(403, "WebSocket");
	assert_int_equal(upstream_count, 0);
}

/* Pages would count what is not shown, and their tokens name it. */
static void test_lists_come_whole(void **state)
{
	(void)state;
	static const struct {
		const char *asked, *sent;
	} rows[] = {
	    {"?limit=2", ""},
	    {"?%6cimit=2&continue=", "?continue="},
	    {"?labelSelector=a%3Db&limit=500&resourceVersion=0",
		"?labelSelector=a%3Db&resourceVersion=0"},
	    {"?&limit=500&&pretty", "?pretty"},
	    {"?Limit=500&pretty=limit=5", "?Limit=500&pretty=limit=5"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char target[100], wanted[100];
		side_clear(&client);
		snprintf(target, sizeof target, LIST "%s", rows[i].asked);
		snprintf(wanted, sizeof wanted, "/api/v1/namespaces/n/pods%s", rows[i].sent);
		ask("GET", target, HTTP_BODY_NONE);
		assert_string_equal(upstreams[upstream_count - 1].head.target, wanted);
		exchange_cut(exchange, "enough");
	}
	size_t count = upstream_count;
	side_clear(&client);
	ask("GET", LIST "?limit=2&continue=abc", HTTP_BODY_NONE);
	assert_refused(410, "list anew");
	side_clear(&client);
	ask("GET", LIST "?%63ontinue=abc", HTTP_BODY_NONE);
	assert_refused(410, "list anew");
	assert_int_equal(upstream_count, count);
	/* Who sees all has pages as ever. */
	world.shown = NULL;
	side_clear(&client);
	ask("GET", LIST "?limit=2&continue=abc", HTTP_BODY_NONE);
	assert_string_equal(
	    upstreams[count].head.target, "/api/v1/namespaces/n/pods?limit=2&continue=abc");
	exchange_cut(exchange, "enough");
}

/* "unable to transform key "/registry/secrets/kube-system/…"" */
static void test_errors_that_name_objects(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(500, JSON, NULL);
	assert_refused(500, "left out");
	assert_true(upstreams[0].is_released);
	side_clear(&client);
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(500, "text/plain", NULL);
	assert_refused(500, "left out");
	world.shown = NULL;
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(500, JSON, NULL);
	answer_body(2, "its own words");
	assert_string_equal(buf_text(&client.body), "its own words");
	answer_end(2);
}

static void test_a_list_that_breaks_is_cut(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, "{\"items\":[" ITEM("a"));
	answer_body(0, " " ITEM("a") "]}");
	assert_true(client.is_released && upstreams[0].is_released);
	assert_false(client.is_ended);
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(1, "{\"items\":[" ITEM("a"));
	answer_end(1); /* as if it were complete */
	assert_true(client.is_released && !client.is_ended);
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(2, "{\"items\":[" ITEM("a"));
	fail_upstream(2, PEER_CUT, false, false);
	assert_true(client.is_released && !client.is_ended);
	/* Before anything was relayed it is a sentence. */
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(3, "{\"kind\":");
	fail_upstream(3, PEER_CUT, false, false);
	assert_refused(502, "in the middle");
}

/* What was held of the first answer is forgotten. */
static void test_a_list_is_asked_for_again(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, "{\"kind\":");
	fail_upstream(0, PEER_REFUSED, false, false);
	assert_int_equal(upstream_count, 2);
	answer_with(200, JSON, NULL);
	answer_body(1, "{\"items\":[" ITEM("b") "]}");
	answer_end(1);
	assert_int_equal(client.head.status, 200);
	assert_string_equal(buf_text(&client.body), "{\"items\":[]}");
	assert_true(client.is_ended);
}

static void test_one_object(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, ITEM("b"));
	assert_refused(403, "");
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(1, ITEM("a"));
	answer_end(1);
	assert_string_equal(buf_text(&client.body), ITEM("a"));
}

static void test_other_answers_pass(void **state)
{
	(void)state;
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(410, JSON, NULL);
	answer_body(0, "{\"kind\":\"Status\"}");
	answer_end(0);
	assert_int_equal(client.head.status, 410);
	assert_string_equal(buf_text(&client.body), "{\"kind\":\"Status\"}");
	side_clear(&client);
	ask("HEAD", LIST, HTTP_BODY_NONE);
	struct http_head head = {
	    .status = 200, .body = HTTP_BODY_NONE, .content_length = 1000, .keep_alive = true};
	fields_add_text(&head.fields, "Content-Type", JSON);
	upstreams[1].events->on_head(upstreams[1].arg, &head);
	http_head_free(&head);
	answer_end(1);
	assert_int_equal(client.head.status, 200);
	assert_int_equal(client.head.content_length, 0); /* how much there is, is not told */
	assert_true(client.is_ended);
}

static void test_a_watch(void **state)
{
	(void)state;
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	assert_true(client.has_head);
	answer_body(0, EVENT("b"));
	assert_int_equal(client.body.len, 0);
	answer_body(0, EVENT("a"));
	assert_string_equal(buf_text(&client.body), EVENT("a"));
	answer_end(0);
	assert_true(client.is_ended);
}

static void test_roles_change_under_a_watch(void **state)
{
	(void)state;
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(0, EVENT("a"));
	exchanges_set(all, &settings, NULL);
	assert_false(client.is_released); /* nothing is different */
	world.shown = "b";
	exchanges_set(all, &settings, NULL);
	assert_non_null(strstr(buf_text(&client.body), EXPIRED_CODE));
	assert_true(client.is_ended && client.is_released && upstreams[0].is_released);
	/* What was shown whole cannot be followed by a part. */
	side_clear(&client);
	world.shown = NULL;
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	world.shown = "a";
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_released && !client.is_ended);
	side_clear(&client);
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	world.is_denied = true;
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_released && !client.is_ended);
	assert_int_equal(client.body.len, 0);
	world.is_denied = false;
	/* A list under way. */
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, NULL);
	answer_body(upstream_count - 1, "{\"items\":[" ITEM("a"));
	world.shown = "b";
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_released && !client.is_ended);
}

/* What a decision knows of objects is of the review, which is not kept. */
static void test_a_review_of_a_part_shows_nothing(void **state)
{
	(void)state;
	accept_field(NULL, NULL);
	fields_add_text(&request.fields, "Content-Type", JSON);
	settings.proxy.limits.body_in_hand = settings.proxy.limits.bodies_in_hand = 4096;
	ask("POST", "/clusters/prod/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
	    HTTP_BODY_CHUNKED);
	client_body(
	    "{\"spec\":{\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"pods\"}}}");
	client_end();
	assert_int_equal(upstream_count, 1);
	assert_true(exchange->admission.decision.is_restricted);
	assert_null(exchange->admission.decision.objects);
	answer_head(0, 201, NULL);
	answer_end(0);
}

/* --- compressed ------------------------------------------------------------------------------ */

static void pack(struct buf *out, const char *text, size_t len)
{
	z_stream stream = {0};
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	size_t room = deflateBound(&stream, len) + 64;
	stream.next_in = (Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)len;
	stream.next_out = (Bytef *)buf_reserve(out, room);
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	buf_commit(out, stream.total_out);
	deflateEnd(&stream);
}

/* What the client got; true: to the end of it. */
static bool unpack(struct buf *out)
{
	z_stream stream = {0};
	int result = Z_OK;
	buf_clear(out);
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_in = (Bytef *)client.body.data;
	stream.avail_in = (uInt)client.body.len;
	while (result == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0)) {
		stream.next_out = (Bytef *)buf_reserve(out, 65536);
		stream.avail_out = 65536;
		result = inflate(&stream, Z_SYNC_FLUSH);
		buf_commit(out, 65536 - stream.avail_out);
	}
	inflateEnd(&stream);
	return result == Z_STREAM_END;
}

/* API servers make each event a member of its own. */
static void test_a_packed_watch(void **state)
{
	(void)state;
	struct buf packed = {0}, text = {0};
	ask("GET", WATCH, HTTP_BODY_NONE);
	answer_with(200, JSON, "gzip");
	assert_string_equal(fields_get(&client.head.fields, "Content-Encoding"), "gzip");
	for (int i = 1; i <= 3; i++) {
		buf_clear(&packed);
		pack(&packed, EVENT("a") EVENT("b"), strlen(EVENT("a") EVENT("b")));
		answer_bytes(&packed);
		assert_false(unpack(&text)); /* there is more to come */
		assert_int_equal(text.len, (size_t)i * strlen(EVENT("a")));
	}
	world.shown = "b";
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_ended && unpack(&text));
	assert_non_null(strstr(buf_text(&text), EXPIRED_CODE));
	buf_free(&packed);
	buf_free(&text);
}

/* As with lists: nor is what was packed of it complete. */
static void test_a_watch_that_breaks_is_cut(void **state)
{
	(void)state;
	struct buf event = {0}, text = {0};
	for (size_t i = 0; i < 2; i++, buf_clear(&event), side_clear(&client)) {
		ask("GET", WATCH, HTTP_BODY_NONE);
		answer_with(200, JSON, i == 0 ? NULL : "gzip");
		if (i == 0)
			buf_append_text(&event, EVENT("a"));
		else
			pack(&event, EVENT("a"), strlen(EVENT("a")));
		answer_bytes(&event);
		fail_upstream(i, PEER_CUT, false, false);
		assert_true(client.is_released && !client.is_ended && client.body.len > 0);
		assert_true(i == 0 || !unpack(&text));
	}
	buf_free(&event);
	buf_free(&text);
}

/* What grows a thousandfold comes no faster than the client reads it. */
static void test_a_packed_list_waits_for_its_reader(void **state)
{
	(void)state;
	struct buf list = {0}, packed = {0}, text = {0};
	buf_append_text(&list, "{\"items\":[" ITEM("a"));
	for (int i = 0; i < 100000; i++)
		buf_append_text(&list, "," ITEM("ab"));
	buf_append_text(&list, "]}");
	pack(&packed, list.data, list.len);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, "gzip");
	client.is_full = true;
	answer_bytes(&packed);
	answer_end(0);
	size_t before = client.body.len;
	assert_true(before < packed.len / 2 && !client.is_ended);
	exchange_client_events.on_drain(exchange);
	assert_true(client.body.len > before && !client.is_ended);
	client.is_full = false;
	exchange_client_events.on_drain(exchange);
	for (int i = 0; i < 100 && !client.is_ended; i++)
		run_for(0);
	assert_true(client.is_ended && unpack(&text));
	assert_int_equal(text.len, list.len);
	assert_memory_equal(text.data, list.data, list.len);
	buf_free(&list);
	buf_free(&packed);
	buf_free(&text);
}

/* What shows nothing is never waited for by a client: the proxy itself goes through it bit by bit.
 */
static void test_a_packed_list_of_nothing_takes_turns(void **state)
{
	(void)state;
	struct buf list = {0}, packed = {0};
	buf_append_text(&list, "{\"items\":[" ITEM("b"));
	for (int i = 0; i < 200000; i++)
		buf_append_text(&list, "," ITEM("bb"));
	buf_append_text(&list, "]}");
	pack(&packed, list.data, list.len);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_with(200, JSON, "gzip");
	answer_bytes(&packed);
	assert_true(upstreams[0].is_paused && holdings.held > 0);
	answer_end(0);
	size_t turns = 0;
	for (; !client.is_ended; turns++) {
		assert_true(turns < 100);
		run_for(0);
	}
	assert_in_range(turns, list.len / 1048576, list.len / 1048576 + 3);
	assert_int_equal(holdings.held, 0);
	buf_free(&list);
	buf_free(&packed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_filtered, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_list),
	    TEST(test_room_behind_the_end),
	    TEST(test_what_is_counted),
	    TEST(test_what_cannot_be_filtered_is_told),
	    TEST(test_requests_that_could_not_be_filtered),
	    TEST(test_types_and_encodings_that_stand_twice),
	    TEST(test_large_objects_in_no_more_memory_than_there_is),
	    TEST(test_lists_come_whole),
	    TEST(test_errors_that_name_objects),
	    TEST(test_a_list_that_breaks_is_cut),
	    TEST(test_a_list_is_asked_for_again),
	    TEST(test_one_object),
	    TEST(test_other_answers_pass),
	    TEST(test_a_watch),
	    TEST(test_a_review_of_a_part_shows_nothing),
	    TEST(test_roles_change_under_a_watch),
	    TEST(test_a_packed_watch),
	    TEST(test_a_watch_that_breaks_is_cut),
	    TEST(test_a_packed_list_waits_for_its_reader),
	    TEST(test_a_packed_list_of_nothing_takes_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
