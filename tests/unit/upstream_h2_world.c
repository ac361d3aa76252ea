/* See upstream_h2_world.h. */
#include "tests/unit/upstream_h2_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "tests/unit/loop_turn.h"

struct heard requests[REQUESTS];

struct loop *loop;
struct upstream_h2_pool pool;
struct upstream_h2 *connection; /* NULL once dead */
unsigned connects, not_h2s, deaths;
struct h2_end server;

/* --- the owner of requests -------------------------------------------------------------------- */

void release(struct heard *heard)
{
	struct peer peer = heard->peer;
	heard->peer = (struct peer){0};
	if (peer.object != NULL)
		peer.verbs->release(peer.object);
}

static void on_head(void *arg, const struct http_head *head)
{
	struct heard *heard = arg;
	heard->heads++;
	heard->status = head->status;
	heard->body_kind = head->body;
	heard->content_length = head->content_length;
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	struct heard *heard = arg;
	buf_append(&heard->body, data, len);
	if (heard->pauses)
		heard->peer.verbs->pause(heard->peer.object);
	if (heard->meanwhile != NULL)
		heard->meanwhile();
}

static void on_end(void *arg)
{
	struct heard *heard = arg;
	heard->ends++;
	if (!heard->keeps)
		release(heard);
}

static void on_drain(void *arg)
{
	((struct heard *)arg)->drains++;
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	struct heard *heard = arg;
	heard->failures++;
	heard->kind = failure->kind;
	heard->is_reused = failure->is_reused;
	heard->is_unsent = failure->is_unsent;
	free(heard->reason);
	heard->reason = xstrdup(failure->reason);
	if (heard->meanwhile != NULL)
		heard->meanwhile();
	if (!heard->keeps)
		release(heard);
}

static const struct peer_events events = {on_head, on_body, on_end, on_drain, on_failed, NULL};

struct peer lend(unsigned i, const struct upstream_want *want)
{
	static const struct upstream_want nothing;
	requests[i].peer =
	    upstream_h2_lend(connection, want != NULL ? want : &nothing, &events, &requests[i]);
	return requests[i].peer;
}

void fill_head(struct http_head *head, const char *method, const char *token)
{
	http_head_set_method(head, method);
	http_head_set_target(head, "/api", 4);
	http_head_set_authority(head, "api.example", strlen("api.example"));
	if (token != NULL)
		fields_add_text(&head->fields, "Authorization", token);
	fields_add_text(&head->fields, "Impersonate-User", "alice");
}

void ask(unsigned i, const char *method, enum http_body_kind body, const char *token)
{
	struct http_head head = {.body = body};
	fill_head(&head, method, token);
	assert_true(requests[i].peer.verbs->send_head(requests[i].peer.object, &head));
	http_head_free(&head);
	if (body == HTTP_BODY_NONE)
		requests[i].peer.verbs->send_end(requests[i].peer.object);
}

void get(unsigned i)
{
	lend(i, NULL);
	ask(i, "GET", HTTP_BODY_NONE, TOKEN);
}

bool post(unsigned i, size_t len, bool is_last)
{
	char *data = xmalloc(len + 1);
	memset(data, 'p', len);
	bool has_room =
	    requests[i].peer.verbs->send_body(requests[i].peer.object, (const uint8_t *)data, len);
	if (is_last)
		requests[i].peer.verbs->send_end(requests[i].peer.object);
	free(data);
	return has_room;
}

/* --- the pool --------------------------------------------------------------------------------- */

static void on_connected(void *arg)
{
	(void)arg;
	connects++;
}

static void on_not_h2(void *arg)
{
	(void)arg;
	not_h2s++;
}

static void on_dead(void *arg, struct upstream_h2 *dead)
{
	(void)arg;
	assert_ptr_equal(dead, connection);
	connection = NULL;
	deaths++;
}

/* --- the loop and the other end --------------------------------------------------------------- */

void end_turn(void)
{
	loop_end_turn(loop);
}

void wait_ms(int64_t ms)
{
	loop_run_for(loop, duration_ms(ms));
}

/* What the connection wrote, to the server. True: there was something. */
bool carry_up(void)
{
	end_turn();
	if (streams[0].written.len == 0)
		return false;
	assert_true(h2_end_hear(&server, streams[0].written.data, streams[0].written.len));
	buf_clear(&streams[0].written);
	if (!streams[0].is_closed)
		streams[0].events->on_drain(streams[0].arg);
	return true;
}

bool carry_down(void)
{
	struct buf said = {0};
	h2_end_say(&server, &said);
	bool is_something = said.len > 0;
	if (is_something && !streams[0].is_closed)
		streams[0].events->on_data(streams[0].arg, (const uint8_t *)said.data, said.len);
	buf_free(&said);
	end_turn();
	return is_something;
}

/* Until both are silent. */
void talk(void)
{
	bool goes_on = true;
	while (goes_on) {
		goes_on = carry_up();
		goes_on |= carry_down();
	}
}

void open_stream(void)
{
	struct resolver_address address = {0};
	on_resolved(resolved_arg, &address, 1, NULL);
	streams[0].events->on_open(streams[0].arg);
}

void connect_to(const struct h2_end_options *options)
{
	h2_end_free(&server);
	h2_end_init(&server, options);
	open_stream();
}

void answer(int32_t id, const char *status, const char *text)
{
	const char *const pairs[] = {":status", status, "content-type", "text/plain", NULL};
	h2_end_answer(&server, id, pairs, text != NULL);
	if (text != NULL)
		h2_end_send(&server, id, text, strlen(text), true);
}

void assert_failed(unsigned i, enum peer_failure_kind kind, bool is_unsent)
{
	assert_int_equal(requests[i].failures, 1);
	assert_int_equal(requests[i].kind, kind);
	assert_int_equal(requests[i].is_unsent, is_unsent);
	assert_int_equal(requests[i].ends, 0);
}

int set_up(void **state)
{
	(void)state;
	fake_streams_reset();
	fake_alpn = "h2";
	fake_high_mark = 64u * 1024;
	memset(requests, 0, sizeof requests);
	connects = not_h2s = deaths = 0;
	loop = loop_new();
	pool = (struct upstream_h2_pool){
	    .target = {.loop = loop,
		.host = "api.example",
		.port = 443,
		.timeout = duration_seconds(5)},
	    .ping_after = duration_ms(30),
	    .ping_timeout = duration_ms(100),
	    .idle_after = duration_ms(50),
	    .on_connected = on_connected,
	    .on_not_h2 = on_not_h2,
	    .on_dead = on_dead,
	};
	h2_end_init(&server, &(struct h2_end_options){.is_server = true});
	connection = upstream_h2_new(&pool, WINDOW);
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REQUESTS; i++) {
		requests[i].keeps = false;
		release(&requests[i]);
		buf_free(&requests[i].body);
		free(requests[i].reason);
	}
	if (connection != NULL)
		upstream_h2_drain(connection);
	loop_free(&loop);
	h2_end_free(&server);
	fake_streams_reset();
	return 0;
}
