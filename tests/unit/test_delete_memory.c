/* What a deletecollection keeps of what it has listed counts among what is held of all answers, and
 * gives way when that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "tests/unit/exchange_stage.h"
#include "tests/unit/protobuf_reference.h"

#define COLLECTION "/clusters/prod/api/v1/namespaces/n/pods"
#define KIB	   ((size_t)1024)
#define PODS	   1200u
#define NAME_BYTES 250

/* A page of pods with long names, before another one. */
static void put_page(struct buf *out, unsigned count)
{
	struct buf list = {0}, meta = {0}, pod = {0};
	put_text(&meta, 3, "next");
	put_bytes(&list, 1, &meta);
	for (unsigned i = 0; i < count; i++) {
		char name[NAME_BYTES + 1];
		snprintf(name, sizeof name, "a%0*u", NAME_BYTES - 1, i);
		buf_clear(&meta);
		buf_clear(&pod);
		put_text(&meta, 1, name);
		put_text(&meta, 3, "n");
		put_text(&meta, 5, "uid");
		put_bytes(&pod, 1, &meta);
		put_bytes(&list, 2, &pod);
	}
	put_envelope(out, "meta.k8s.io/v1", "PartialObjectMetadataList", &list);
	buf_free(&list);
	buf_free(&meta);
	buf_free(&pod);
}

static void answer_page(size_t index, unsigned count)
{
	struct http_head head = {.status = 200, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	const struct side *upstream = &upstreams[index];
	struct buf page = {0};
	put_page(&page, count);
	fields_add_text(&head.fields, "Content-Type", "application/vnd.kubernetes.protobuf");
	upstream->events->on_head(upstream->arg, &head);
	upstream->events->on_body(upstream->arg, (const uint8_t *)page.data, page.len);
	upstream->events->on_end(upstream->arg);
	http_head_free(&head);
	buf_free(&page);
	run_for(1);
}

static void begin(void)
{
	world.shown = "a";
	settings.proxy.limits.requests_per_user = settings.proxy.limits.requests_per_cluster = 20;
	settings.proxy.limits.deletes_per_request = 10 * PODS;
	settings.proxy.limits.filtered_object = 64 * KIB;
	holdings.limit = 100 * 1024 * KIB;
	ask("DELETE", COLLECTION, HTTP_BODY_NONE);
	assert_int_equal(upstream_count, 1);
	answer_page(0, PODS);
	assert_int_equal(upstream_count, 2);
}

static void names_count_until_the_end(void **state)
{
	(void)state;
	begin();
	assert_in_range(holdings.held, PODS * NAME_BYTES, 2 * PODS * NAME_BYTES);
	exchange_client_events.on_failed(exchange, &(struct peer_failure){.kind = PEER_CUT});
	assert_int_equal(holdings.held, 0);
	run_for(1);
}

static void names_give_way(void **state)
{
	(void)state;
	begin();
	answer_page(1, PODS);
	assert_int_equal(upstream_count, 3);
	holdings.limit = holdings.held;
	answer_page(2, 1);
	assert_refused(503, "nothing was deleted");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
	assert_int_equal(holdings.held, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(names_count_until_the_end),
	    TEST(names_give_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
