/* The stage of an exchange's tests: see exchange_stage.h. */
#include "tests/unit/exchange_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/loop_turn.h"

struct side client;
struct exchanges *all;
struct loop *loop;
struct metrics *metrics;
struct settings settings;
struct holdings holdings;
struct caller caller;
struct http_head request;
struct exchange *exchange;

int set_up(void **state)
{
	(void)state;
	exchange_world_reset();
	side_clear(&client);
	settings.proxy.limits.body_in_hand = KEEP;
	settings.proxy.limits.bodies_in_hand = 2 * KEEP;
	settings.proxy.limits.response_timeout = duration_seconds(65);
	settings.proxy.limits.requests_per_user = 2;
	settings.proxy.limits.requests_per_cluster = 3;
	settings.proxy.limits.body_rate = 10;
	settings.proxy.limits.body_grace = duration_seconds(2);
	settings.proxy.limits.answers_in_hand = 100;
	holdings = (struct holdings){0};
	loop = loop_new();
	metrics = metrics_new();
	struct exchanges_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .holdings = &holdings};
	all = exchanges_new(&options);
	caller_init(&caller, NULL, NULL, "[2001:db8::1]:443");
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	assert_int_equal(exchanges_count(all), 0);
	caller_clear(&caller);
	assert_int_equal(world.identity.references, 1);
	exchanges_free(&all);
	loop_free(&loop);
	metrics_free(&metrics);
	http_head_free(&request);
	side_clear(&client);
	exchange_world_reset();
	return 0;
}

void end_turn(void)
{
	loop_end_turn(loop);
}

void set_out(void)
{
	exchange_start(exchange);
	end_turn();
}

void ask(const char *method, const char *target, enum http_body_kind body)
{
	http_head_set_method(&request, method);
	http_head_set_target(&request, target, strlen(target));
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	request.body = body;
	request.keep_alive = true;
	exchange = exchange_new(all, (struct peer){&side_verbs, &client}, &caller, &request);
	set_out();
}

void client_body(const char *text)
{
	exchange_client_events.on_body(exchange, (const uint8_t *)text, strlen(text));
	end_turn();
}

void client_end(void)
{
	exchange_client_events.on_end(exchange);
	end_turn();
}

void answer_head(size_t index, unsigned status, const char *upgrade)
{
	struct http_head head = {.status = status, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	if (upgrade != NULL) {
		head.is_upgrade = true;
		head.body = HTTP_BODY_NONE;
		fields_add_text(&head.fields, "Upgrade", upgrade);
	}
	fields_add_text(&head.fields, "WWW-Authenticate", "Bearer");
	upstreams[index].events->on_head(upstreams[index].arg, &head);
	end_turn();
	http_head_free(&head);
}

void answer_body(size_t index, const char *text)
{
	upstreams[index].events->on_body(upstreams[index].arg, (const uint8_t *)text, strlen(text));
	end_turn();
}

void answer_end(size_t index)
{
	upstreams[index].events->on_end(upstreams[index].arg);
	end_turn();
}

void fail_upstream(size_t index, enum peer_failure_kind kind, bool is_reused, bool is_unsent)
{
	struct peer_failure failure = {kind, "because", is_reused, is_unsent};
	upstreams[index].events->on_failed(upstreams[index].arg, &failure);
	end_turn();
}

void assert_refused(unsigned status, const char *says)
{
	assert_int_equal(client.head.status, status);
	assert_non_null(strstr(buf_text(&client.body), "\"Status\""));
	if (strstr(buf_text(&client.body), says) == NULL)
		fail_msg("\"%s\" is not in %s", says, buf_text(&client.body));
	assert_true(client.is_ended && client.is_released);
	assert_int_equal(strlen(fields_get(&client.head.fields, "Audit-Id")), 36);
	assert_null(fields_get(&client.head.fields, "WWW-Authenticate"));
}

const char *sent(size_t index, const char *name)
{
	return fields_get(&upstreams[index].head.fields, name);
}

void run_for(int64_t ms)
{
	loop_run_for(loop, duration_ms(ms));
}

void count_is(const char *line)
{
	struct buf text = {0};
	metrics_write(metrics, &text);
	if (strstr(buf_text(&text), line) == NULL)
		fail_msg("%s is not in %s", line, buf_text(&text));
	buf_free(&text);
}
