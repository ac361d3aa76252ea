/* Lists in protobuf that are longer than what is held in memory: their client gets them when the
 * API server has said all, as fast as it reads, and with their true length; whatever goes wrong
 * before is a sentence. Names that begin with "a" are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/worker.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/filter/filter.h"
#include "tests/unit/exchange_stage.h"
#include "tests/unit/protobuf_reference.h"
#include "tests/unit/worker_hang.h"

#define LIST	 "/clusters/prod/api/v1/namespaces/n/pods"
#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define JSON	 "application/json"
#define KIB	 ((size_t)1024)
#define ITEMS	 200
#define PADDING	 (8 * KIB)

static char directory[] = "/tmp/eksgate-spool-XXXXXX";
static struct buf list, wanted; /* 3.2 MiB, and the half that is shown */

static void put_pods(struct buf *out, bool is_whole)
{
	struct buf pods = {0}, pod = {0};
	for (unsigned i = 0; i < 2 * ITEMS; i++) {
		char name[16];
		if (i % 2 == 1 && !is_whole)
			continue;
		snprintf(name, sizeof name, "%s-%u", i % 2 == 0 ? "a" : "hidden", i);
		buf_clear(&pod);
		put_object(&pod, "n", name, PADDING);
		put_bytes(&pods, 2, &pod);
	}
	put_envelope(out, "v1", "PodList", &pods);
	buf_free(&pods);
	buf_free(&pod);
}

static int set_up_spooled(void **state)
{
	int failed = set_up(state);
	world.shown = "a";
	settings.proxy.limits.filtered_object = 1024 * KIB;
	settings.proxy.limits.answers_in_hand = 1024 * KIB;
	settings.proxy.limits.filtered_list = 4096 * KIB;
	settings.proxy.limits.filtered_lists = 4096 * KIB;
	/* The exchanges are made anew with a directory. */
	settings.proxy.cache_dir = directory;
	exchanges_free(&all);
	metrics_free(&metrics);
	metrics = metrics_new();
	struct exchanges_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .holdings = &holdings};
	all = exchanges_new(&options);
	return failed;
}

/* No file that is open and has no name below the directory; nor one that has. */
static int tear_down_spooled(void **state)
{
	assert_int_equal(all->spools.all.held, 0);
	int failed = tear_down(state);
	for (int fd = 3; fd < 100; fd++) {
		char link[64], path[256] = "";
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof path - 1) > 0)
			assert_null(strstr(path, directory));
	}
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
	return failed;
}

static void answer_head_of(size_t index, const char *type, const char *encoding)
{
	struct http_head head = {.status = 200, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	fields_add_text(&head.fields, "Content-Type", type);
	if (encoding != NULL)
		fields_add_text(&head.fields, "Content-Encoding", encoding);
	upstreams[index].events->on_head(upstreams[index].arg, &head);
	http_head_free(&head);
}

/* Until nothing waits for the disk. */
static void settle(void)
{
	assert_true(worker_wait(all->spools.worker, duration_seconds(30)));
	end_turn();
}

static bool is_hanging;

/* In the pieces of a network, as fast as they are taken; until the exchange has enough. */
static void answer_part(size_t index, const struct buf *bytes, size_t from, size_t to)
{
	for (size_t at = from; at < to && !upstreams[index].is_released; at += 16 * KIB) {
		size_t part = to - at < 16 * KIB ? to - at : 16 * KIB;
		upstreams[index].events->on_body(
		    upstreams[index].arg, (const uint8_t *)bytes->data + at, part);
		if (upstreams[index].is_paused && !is_hanging)
			settle();
	}
}

static void finish(size_t index)
{
	answer_end(index);
	settle();
}

static size_t ask_for(const char *type, const char *encoding)
{
	size_t index = upstream_count;
	side_clear(&client);
	ask("GET", LIST, HTTP_BODY_NONE);
	answer_head_of(index, type, encoding);
	return index;
}

static size_t ask_for_list(const char *encoding)
{
	return ask_for(PROTOBUF, encoding);
}

/* Of the loop, and of the disk. */
static void turn(void)
{
	settle();
	run_for(0);
}

/* What is on record of an exchange that ends now. */
static void assert_passed(uint64_t count)
{
	struct filter_result result;
	assert_true(exchange_filter_result(exchange, &result));
	assert_int_equal(result.passed, count);
	assert_int_equal(result.dropped, ITEMS);
}

static void assert_client_has(const struct buf *bytes)
{
	assert_int_equal(client.body.len, bytes->len);
	assert_memory_equal(client.body.data, bytes->data, bytes->len);
}

/* Nothing leaves before the end; then all of it does, a turn's worth at a time. */
static void test_a_long_list(void **state)
{
	(void)state;
	size_t index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len);
	assert_false(client.has_head);
	assert_int_equal(exchange->status, 0);
	assert_in_range(all->spools.all.held, wanted.len - 256 * KIB, wanted.len);
	assert_true(holdings.held < 256 * KIB);
	count_is("eksgate_proxy_list_bytes_spooled 1");
	assert_passed(0);
	answer_end(index);
	assert_true(upstreams[index].is_released);
	assert_false(client.has_head);
	settle();
	assert_true(client.is_ended);
	assert_int_equal(client.head.status, 200);
	assert_true(client.is_ended && client.is_released);
	assert_client_has(&wanted);
	count_is("eksgate_filtered_objects_total{verdict=\"passed\"} 200\n");
	count_is("eksgate_filtered_objects_total{verdict=\"dropped\"} 200\n");
}

/* A slow reader keeps the file, and neither memory nor the API server's connection. */
static void test_a_slow_reader(void **state)
{
	(void)state;
	size_t index = ask_for_list(NULL), drains = 0;
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	assert_true(upstreams[index].is_released);
	for (; !client.is_ended; drains++) {
		size_t before = client.body.len;
		turn();
		assert_int_equal(client.body.len, before); /* it has room for nothing */
		assert_true(holdings.held < 256 * KIB);
		exchange_client_events.on_drain(exchange);
		assert_true(client.body.len - before < 160 * KIB);
	}
	end_turn();
	assert_true(drains > wanted.len / (160 * KIB));
	assert_client_has(&wanted);
}

static void pack(struct buf *out, const struct buf *in)
{
	z_stream stream = {0};
	assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	size_t room = deflateBound(&stream, in->len) + 64;
	stream.next_in = (Bytef *)in->data;
	stream.avail_in = (uInt)in->len;
	stream.next_out = (Bytef *)buf_reserve(out, room);
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	buf_commit(out, stream.total_out);
	deflateEnd(&stream);
}

static void unpack(struct buf *out, const struct buf *in)
{
	z_stream stream = {0};
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_in = (Bytef *)in->data;
	stream.avail_in = (uInt)in->len;
	stream.next_out = (Bytef *)buf_reserve(out, 8192 * KIB);
	stream.avail_out = (uInt)(8192 * KIB);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	buf_commit(out, stream.total_out);
	inflateEnd(&stream);
}

static void assert_client_has_packed(void)
{
	struct buf got = {0};
	unpack(&got, &client.body);
	assert_int_equal(got.len, wanted.len);
	assert_memory_equal(got.data, wanted.data, wanted.len);
	buf_free(&got);
}

/* What grows a hundredfold is in the file as it is, and leaves compressed; some of it is still to
 * be unpacked when the API server has ended. */
static void test_a_packed_list(void **state)
{
	(void)state;
	struct buf packed = {0};
	pack(&packed, &list);
	for (int is_slow = 0; is_slow < 2; is_slow++) {
		size_t index = ask_for_list("gzip");
		client.is_full = is_slow;
		answer_part(index, &packed, 0, packed.len);
		assert_false(client.has_head);
		answer_end(index);
		for (int i = 0; i < 100 && !client.is_ended; i++) {
			turn();
			if (is_slow && client.has_head && !client.is_ended)
				exchange_client_events.on_drain(exchange);
		}
		assert_true(client.is_ended && upstreams[index].is_released);
		assert_string_equal(fields_get(&client.head.fields, "Content-Encoding"), "gzip");
		assert_client_has_packed();
	}
	buf_free(&packed);
}

/* A page that the proxy itself asked for stays in memory. */
static void test_a_page_of_our_own(void **state)
{
	(void)state;
	settings.proxy.limits.answers_in_hand = 16384 * KIB;
	settings.proxy.limits.filtered_list = 0;
	exchanges_set(all, &settings, NULL);
	size_t index = upstream_count;
	side_clear(&client);
	http_head_set_method(&request, "GET");
	http_head_set_target(&request, LIST, strlen(LIST));
	exchange = exchange_new(all, (struct peer){&side_verbs, &client}, &caller, &request);
	exchange_let_page(exchange);
	set_out();
	answer_head_of(index, PROTOBUF, NULL);
	answer_part(index, &list, 0, list.len);
	assert_int_equal(all->spools.all.held, 0);
	assert_in_range(holdings.held, wanted.len, 4096 * KIB);
	answer_end(index);
	turn();
	assert_true(client.is_ended);
	assert_client_has(&wanted);
	assert_int_equal(holdings.held, 0);
}

/* --- what goes wrong ------------------------------------------------------------------------- */

static void test_too_long_for_a_list(void **state)
{
	(void)state;
	settings.proxy.limits.filtered_list = wanted.len / 2;
	exchanges_set(all, &settings, NULL);
	size_t index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len);
	assert_refused(507, "eksgate.proxy.limits.filtered_list)");
	assert_null(fields_get(&client.head.fields, "Retry-After"));
	count_is("eksgate_proxy_refused_total{reason=\"filtered_list\"} 1\n");
}

/* First who reads slowly gives up its place, then whoever comes. */
static void test_no_room_for_all(void **state)
{
	(void)state;
	settings.proxy.limits.filtered_lists = wanted.len + wanted.len / 2;
	exchanges_set(all, &settings, NULL);
	size_t index = ask_for_list(NULL);
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	assert_true(client.has_head && !client.is_released);
	/* Another client is the side of an exchange whose own is kept apart. */
	struct side slow = client;
	client = (struct side){0};
	struct exchange *first = exchange;
	first->client.object = &slow;
	first->relay.client.object = &slow;
	index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len);
	assert_true(slow.is_released && !slow.is_ended);
	count_is("eksgate_proxy_refused_total{reason=\"filtered_lists\"} 1\n");
	settings.proxy.limits.filtered_lists = wanted.len / 2;
	exchanges_set(all, &settings, NULL);
	answer_end(index);
	for (int i = 0; i < 10 && !client.is_ended; i++)
		turn();
	assert_client_has(&wanted);
	index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len);
	assert_refused(503, "eksgate.proxy.limits.filtered_lists)");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "5");
	count_is("eksgate_proxy_refused_total{reason=\"filtered_lists\"} 2\n");
	side_clear(&slow);
}

/* The limit of memory counts what is unpacked when its turn comes, too. */
static void test_no_room_for_what_is_unpacked(void **state)
{
	(void)state;
	struct buf text = {0}, packed = {0};
	settings.proxy.limits.answers_in_hand = 2048 * KIB;
	settings.proxy.limits.filtered_object = 8192 * KIB;
	exchanges_set(all, &settings, NULL);
	buf_append_text(&text,
	    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"metadata\":"
	    "{\"name\":\"a\",\"namespace\":\"n\"},\"spec\":\"");
	memset(buf_reserve(&text, 6144 * KIB), 'x', 6144 * KIB);
	buf_commit(&text, 6144 * KIB);
	buf_append_text(&text, "\"}]}");
	pack(&packed, &text);
	size_t index = ask_for(JSON, "gzip");
	answer_part(index, &packed, 0, packed.len);
	for (int i = 0; i < 20 && !client.is_released; i++)
		turn();
	assert_true(client.is_released && !client.is_ended);
	assert_int_equal(holdings.held, 0);
	count_is("eksgate_proxy_refused_total{reason=\"answers_in_hand\"} 1\n");
	buf_free(&text);
	buf_free(&packed);
}

static void test_no_directory(void **state)
{
	(void)state;
	assert_int_equal(rmdir(directory), 0);
	size_t index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len);
	assert_refused(507, "eksgate.proxy.cache_dir");
	assert_non_null(strstr(buf_text(&client.body), "No such file or directory"));
	count_is("eksgate_proxy_refused_total{reason=\"cache_dir\"} 1\n");
	assert_int_equal(mkdir(directory, 0700), 0);
}

static void test_a_list_that_breaks_is_told(void **state)
{
	(void)state;
	struct buf bad = {0};
	size_t half = list.len / 2;
	/* Cut by the network. */
	size_t index = ask_for_list(NULL);
	answer_part(index, &list, 0, half);
	assert_true(all->spools.all.held > 0);
	fail_upstream(index, PEER_CUT, false, false);
	assert_refused(502, "in the middle");
	assert_int_equal(all->spools.all.held, 0);
	/* Ended too early, as if it were whole. */
	index = ask_for_list(NULL);
	answer_part(index, &list, 0, half);
	finish(index);
	assert_refused(502, "ends too early");
	/* Wrong behind its last object. */
	buf_append(&bad, list.data, list.len);
	put_text(&bad, 4, "text/plain");
	index = ask_for_list(NULL);
	answer_part(index, &bad, 0, bad.len);
	assert_refused(502, "twice");
	/* Others' objects are shown by now. */
	index = ask_for_list(NULL);
	answer_part(index, &list, 0, half);
	world.shown = "b";
	exchanges_set(all, &settings, NULL);
	assert_refused(503, "list anew");
	buf_free(&bad);
}

/* Nor does what was begun go on. */
static void test_roles_that_change_while_it_leaves(void **state)
{
	(void)state;
	size_t index = ask_for_list(NULL);
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	assert_true(client.has_head && all->spools.all.held > 0);
	world.shown = "b";
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_released && !client.is_ended);
	assert_int_equal(all->spools.all.held, 0);
	turn();
}

/* What cannot be read back is not made up: its client is cut, and knows that it was. */
static void test_a_file_that_breaks(void **state)
{
	(void)state;
	size_t index = ask_for_list(NULL);
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	for (int fd = 3; fd < 100; fd++) {
		char link[64], path[256] = "";
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof path - 1) > 0 && strstr(path, directory) != NULL)
			assert_int_equal(ftruncate(fd, (off_t)(512 * KIB)), 0);
	}
	client.is_full = false;
	exchange_client_events.on_drain(exchange);
	settle();
	assert_true(client.is_released && !client.is_ended);
	assert_in_range(client.body.len, 400 * KIB, 600 * KIB);
	count_is("eksgate_proxy_refused_total{reason=\"cache_dir\"} 1\n");
}

static void hang_disk(void)
{
	hang_worker(all->spools.worker);
	is_hanging = true;
}

static void release_disk(void)
{
	is_hanging = false;
	release_worker(all->spools.worker);
	end_turn();
}

/* As far as the exchange takes it; how much of it is left. */
static size_t answer_until_paused(size_t index, const struct buf *bytes)
{
	size_t at = 0;
	for (; at < bytes->len && !upstreams[index].is_paused; at += 16 * KIB)
		upstreams[index].events->on_body(upstreams[index].arg,
		    (const uint8_t *)bytes->data + at,
		    bytes->len - at < 16 * KIB ? bytes->len - at : 16 * KIB);
	return bytes->len - at;
}

/* A disk that hangs holds up who needs it, in little memory, and nobody else. */
static void test_a_disk_that_hangs(void **state)
{
	(void)state;
	/* While it is written: the API server waits. */
	hang_disk();
	size_t index = ask_for_list(NULL);
	size_t left = answer_until_paused(index, &list);
	assert_in_range(left, list.len - 512 * KIB, list.len - 1);
	assert_true(holdings.held < 256 * KIB);
	exchange_filter_look(exchange);
	assert_false(client.has_head);
	release_disk();
	assert_false(upstreams[index].is_paused);
	answer_part(index, &list, list.len - left, list.len);
	/* Behind its end: what is written must be, before a byte leaves. */
	hang_disk();
	answer_end(index);
	assert_false(client.has_head);
	release_disk();
	assert_true(client.is_ended);
	assert_client_has(&wanted);
	/* While it leaves. */
	index = ask_for_list(NULL);
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	hang_disk();
	client.is_full = false;
	exchange_client_events.on_drain(exchange);
	size_t before = client.body.len;
	assert_in_range(before, 1, 256 * KIB);
	exchange_client_events.on_drain(exchange);
	assert_int_equal(client.body.len, before);
	release_disk();
	assert_client_has(&wanted);
	/* Until its patience is over: then it is told, or cut. */
	hang_disk();
	index = ask_for_list(NULL);
	assert_true(answer_until_paused(index, &list) > 0);
	all->spools.patience = duration_ms(0);
	exchange_filter_look(exchange);
	assert_refused(507, "the disk does not answer");
	release_disk();
}

/* What comes compressed waits packed. */
static void test_a_disk_that_hangs_below_a_packed_list(void **state)
{
	(void)state;
	struct buf packed = {0};
	pack(&packed, &list);
	hang_disk();
	size_t index = ask_for_list("gzip");
	size_t left = answer_until_paused(index, &packed);
	answer_part(index, &packed, packed.len - left, packed.len);
	answer_end(index);
	assert_true(holdings.held < 512 * KIB);
	assert_false(client.has_head);
	release_disk();
	for (int i = 0; i < 100 && !client.is_ended; i++)
		turn();
	assert_true(client.is_ended);
	assert_client_has_packed();
	buf_free(&packed);
}

static void test_a_client_that_leaves(void **state)
{
	(void)state;
	struct peer_failure failure = {.kind = PEER_CUT, .reason = "it left"};
	size_t index = ask_for_list(NULL);
	answer_part(index, &list, 0, list.len / 2);
	exchange_client_events.on_failed(exchange, &failure);
	assert_true(upstreams[index].is_released);
	assert_int_equal(all->spools.all.held, 0);
	index = ask_for_list(NULL);
	client.is_full = true;
	answer_part(index, &list, 0, list.len);
	finish(index);
	assert_true(client.body.len > 0 && all->spools.all.held > 0);
	exchange_client_events.on_failed(exchange, &failure);
	assert_int_equal(all->spools.all.held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_spooled, tear_down_spooled)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_long_list),
	    TEST(test_a_slow_reader),
	    TEST(test_a_packed_list),
	    TEST(test_a_page_of_our_own),
	    TEST(test_too_long_for_a_list),
	    TEST(test_no_room_for_all),
	    TEST(test_no_room_for_what_is_unpacked),
	    TEST(test_no_directory),
	    TEST(test_a_list_that_breaks_is_told),
	    TEST(test_roles_that_change_while_it_leaves),
	    TEST(test_a_file_that_breaks),
	    TEST(test_a_disk_that_hangs),
	    TEST(test_a_disk_that_hangs_below_a_packed_list),
	    TEST(test_a_client_that_leaves),
	};
	if (mkdtemp(directory) == NULL)
		return 1;
	put_pods(&list, true);
	put_pods(&wanted, false);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_free(&list);
	buf_free(&wanted);
	rmdir(directory);
	return failed;
}
