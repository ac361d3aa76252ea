/* Tasks and reports: who may tell what, and whose result counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "proto/task.h"
#include "tests/unit/bus_stage.h"

/* What a listener heard. */
struct heard {
	uint64_t proxy, gone, task;
	unsigned reports, goings, results;
	bool is_ok;
	char name[64], instance[64], code[33];
};

static void on_report(
    void *arg, uint64_t proxy, const char *instance, const struct message_report *report)
{
	struct heard *heard = arg;
	heard->reports++;
	heard->proxy = proxy;
	snprintf(heard->name, sizeof heard->name, "%s", report->name);
	snprintf(heard->instance, sizeof heard->instance, "%s", instance);
}

static void on_gone(void *arg, uint64_t proxy)
{
	struct heard *heard = arg;
	heard->goings++;
	heard->gone = proxy;
}

static void on_result(void *arg, uint64_t task, bool is_ok, const char *code, const char *text)
{
	struct heard *heard = arg;
	assert_non_null(text);
	heard->results++;
	heard->task = task;
	heard->is_ok = is_ok;
	snprintf(heard->code, sizeof heard->code, "%s", code);
}

static void listen_to(struct stage *stage, struct heard *heard)
{
	publisher_listen(stage->publisher,
	    &(const struct publisher_listener){
		.on_report = on_report, .on_gone = on_gone, .on_result = on_result, .arg = heard});
}

#define PRINCIPAL "arn:aws:iam::111111111111:role/serve"

static void report_as(struct peer *peer, char *name)
{
	const union message_body body = {.report = {.name = name,
					     .is_serving = true,
					     .principal = (char[]){PRINCIPAL},
					     .code = (char[]){"ok"},
					     .text = (char[]){""}}};
	assert_true(say(peer, MESSAGE_REPORT | MESSAGE_TYPE_OPTIONAL, 0, &body, GROUP));
}

static void answer(struct peer *peer, char *nonce, bool is_ok, char *code)
{
	const union message_body body = {
	    .task_result = {.nonce = nonce, .is_ok = is_ok, .text = (char[]){"t"}, .code = code}};
	assert_true(say(peer, MESSAGE_TASK_RESULT, 0, &body, GROUP));
}

static struct heard *waited_for;
static bool has_report(void *count)
{
	return waited_for->reports >= *(unsigned *)count;
}

static bool has_result(void *count)
{
	return waited_for->results >= *(unsigned *)count;
}

static bool has_gone(void *count)
{
	return waited_for->goings >= *(unsigned *)count;
}

static void wait_until(
    struct stage *stage, struct heard *heard, bool (*condition)(void *), unsigned count)
{
	waited_for = heard;
	assert_true(bus_wait(&stage->world, condition, &count, WAIT_MS));
}

/* A connected proxy that has reported; *heard knows its number. */
static struct peer *open_with_proxy(struct stage *stage, struct heard *heard)
{
	open_stage(stage, 1, 10);
	listen_to(stage, heard);
	struct peer *peer = add_peer(stage, 0);
	peer->acks = true;
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(stage, peer, MESSAGE_SNAPSHOT_END, 1));
	report_as(peer, (char[]){"c0000"});
	wait_until(stage, heard, has_report, 1);
	return peer;
}

static uint64_t give(struct stage *stage, uint64_t proxy, int64_t timeout_ms)
{
	return publisher_give_task(stage->publisher, proxy, TASK_CHECK, "c0000",
	    (char[]){"{\"secret\":1}"}, duration_ms(timeout_ms));
}

static void test_reports_and_results_go_up(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	struct peer *peer = open_with_proxy(&stage, &heard);
	assert_string_equal(heard.name, "c0000");
	assert_true(heard.proxy != 0);
	uint64_t task = give(&stage, heard.proxy, 60000);
	assert_true(task != 0);
	assert_true(expect(&stage, peer, MESSAGE_TASK, 1));
	assert_string_equal(peer->task, "{\"secret\":1}");
	assert_int_equal(strlen(peer->nonce), 32);
	answer(peer, peer->nonce, false, (char[]){"forbidden"});
	wait_until(&stage, &heard, has_result, 1);
	assert_true(heard.task == task);
	assert_false(heard.is_ok);
	assert_string_equal(heard.code, "forbidden");
	/* Once is enough: a second result is dropped, and is no fault. */
	answer(peer, peer->nonce, true, (char[]){"ok"});
	report_as(peer, (char[]){"c0001"});
	wait_until(&stage, &heard, has_report, 2);
	assert_int_equal(heard.results, 1);
	assert_int_equal(peer->counts[MESSAGE_REJECT], 0);
	close_stage(&stage);
}

static void test_the_inventory_tells_principals(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	struct peer *peer = open_with_proxy(&stage, &heard);
	report_as(peer, (char[]){"c0001"});
	wait_until(&stage, &heard, has_report, 2);
	struct json_object *array = publisher_inventory(stage.publisher), *principals = NULL;
	assert_int_equal(json_object_array_length(array), 1);
	assert_true(json_object_object_get_ex(
	    json_object_array_get_idx(array, 0), "principals", &principals));
	assert_int_equal(json_object_array_length(principals), 1);
	assert_string_equal(
	    json_object_get_string(json_object_array_get_idx(principals, 0)), PRINCIPAL);
	json_object_put(array);
	close_stage(&stage);
}

static void test_forged_results_change_nothing(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	struct peer *peer = open_with_proxy(&stage, &heard), *other = add_peer(&stage, 1);
	other->acks = true;
	say_hello(other, "proxy", GROUP, 8);
	assert_true(expect(&stage, other, MESSAGE_SNAPSHOT_END, 1));
	assert_true(give(&stage, heard.proxy, 60000) != 0);
	assert_true(expect(&stage, peer, MESSAGE_TASK, 1));
	/* The right nonce from another proxy, and a wrong one from the right proxy. */
	answer(other, peer->nonce, true, (char[]){"ok"});
	assert_true(expect(&stage, other, MESSAGE_REJECT, 1));
	assert_string_equal(other->code, "task");
	answer(peer, (char[]){"00000000000000000000000000000000"}, true, (char[]){"ok"});
	assert_true(expect(&stage, peer, MESSAGE_REJECT, 1));
	/* The refusal ended the session, so its task is lost; the nonce of before is worth
	 * nothing. */
	wait_until(&stage, &heard, has_result, 1);
	assert_string_equal(heard.code, PUBLISHER_TASK_LOST);
	char nonce[65];
	memcpy(nonce, peer->nonce, sizeof nonce);
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	answer(peer, nonce, true, (char[]){"ok"});
	assert_true(expect(&stage, peer, MESSAGE_REJECT, 1));
	assert_int_equal(heard.results, 1);
	close_stage(&stage);
}

static void test_a_tap_neither_reports_nor_is_asked(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	open_stage(&stage, 1, 10);
	listen_to(&stage, &heard);
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "tap", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_WELCOME, 1));
	assert_true(give(&stage, 0, 1000) == 0);
	assert_true(give(&stage, 1, 1000) == 0);
	report_as(peer, (char[]){"c0000"});
	assert_true(expect(&stage, peer, MESSAGE_REJECT, 1));
	assert_string_equal(peer->code, "role");
	assert_int_equal(heard.reports, 0);
	assert_int_equal(peer->counts[MESSAGE_TASK], 0);
	close_stage(&stage);
}

static void test_silence_and_departure_end_tasks(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	struct peer *peer = open_with_proxy(&stage, &heard);
	uint64_t first = give(&stage, heard.proxy, -4900);
	assert_true(first != 0);
	wait_until(&stage, &heard, has_result, 1);
	assert_string_equal(heard.code, TASK_TIMED_OUT);
	assert_true(heard.task == first);
	/* Late, so dropped. */
	answer(peer, peer->nonce, true, (char[]){"ok"});
	uint64_t second = give(&stage, heard.proxy, 60000), proxy = heard.proxy;
	publisher_drop_task(stage.publisher, give(&stage, heard.proxy, 60000));
	zsock_free(&peer->zsock);
	wait_until(&stage, &heard, has_gone, 1);
	assert_true(heard.gone == proxy);
	assert_int_equal(heard.results, 2);
	assert_true(heard.task == second);
	assert_string_equal(heard.code, PUBLISHER_TASK_LOST);
	assert_true(give(&stage, proxy, 1000) == 0);
	close_stage(&stage);
}

static void test_tasks_are_bounded(void **state)
{
	(void)state;
	struct stage stage = {0};
	struct heard heard = {0};
	(void)open_with_proxy(&stage, &heard);
	unsigned given = 0;
	while (given < 100 && give(&stage, heard.proxy, 60000) != 0)
		given++;
	assert_int_equal(given, 16);
	close_stage(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reports_and_results_go_up),
	    cmocka_unit_test(test_the_inventory_tells_principals),
	    cmocka_unit_test(test_forged_results_change_nothing),
	    cmocka_unit_test(test_a_tap_neither_reports_nor_is_asked),
	    cmocka_unit_test(test_silence_and_departure_end_tasks),
	    cmocka_unit_test(test_tasks_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
