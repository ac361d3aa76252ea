/* Queues of bytes: what goes in comes out, in full blocks, whatever the sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/net/stream_queue.h"

enum { RECORD = 16 * 1024, SMALL = 4 * 1024, MOST = 100000 };

static uint8_t bytes[MOST];
static size_t wiped;

/* In place of the C library's. */
void explicit_bzero(void *text, size_t len)
{
	memset(text, 0, len);
	wiped += len;
}

static void fill_bytes(void)
{
	for (size_t i = 0; i < MOST; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* Takes all of it, at most `step` at a time. */
static size_t take_all(struct stream_queue *queue, const uint8_t *wanted, size_t step)
{
	size_t got = 0, run;
	const uint8_t *data;
	while ((data = stream_queue_peek(queue, &run)) != NULL) {
		size_t used = run < step ? run : step;
		assert_true(run > 0 && run <= RECORD);
		assert_memory_equal(data, wanted + got, used);
		stream_queue_consume(queue, used);
		got += used;
	}
	assert_int_equal(run, 0);
	assert_int_equal(queue->len, 0);
	assert_int_equal(queue->cap, 0);
	return got;
}

static void test_all_sizes_of_pieces(void **state)
{
	(void)state;
	static const size_t pieces[] = {
	    1, 9, 100, 4095, 4096, 4097, 5000, RECORD, RECORD + 1, MOST};
	static const size_t steps[] = {1000, RECORD, MOST};
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++) {
			struct stream_queue queue = {0};
			size_t put = 0;
			while (put < MOST) {
				size_t more = pieces[i] < MOST - put ? pieces[i] : MOST - put;
				if (put % 2 == 0)
					stream_queue_append(&queue, bytes + put, more);
				else
					stream_queue_append_few(&queue, bytes + put, more);
				put += more;
				assert_int_equal(queue.len, put);
				assert_true(queue.cap >= queue.len);
			}
			assert_int_equal(take_all(&queue, bytes, steps[j]), MOST);
		}
	}
}

/* Tokens and Secrets go through queues. */
static void test_what_left_is_wiped(void **state)
{
	(void)state;
	struct stream_queue queue = {0}, other = {0};
	wiped = 0;
	stream_queue_append_few(&queue, bytes, 100);
	stream_queue_consume(&queue, 40);
	stream_queue_move(&other, &queue, 60);
	assert_int_equal(wiped, 100);
	stream_queue_clear(&other);
	assert_int_equal(wiped, 160);
	stream_queue_append_few(&queue, bytes, 100);
	stream_queue_append_few(&queue, bytes + 100, 3 * RECORD);
	(void)take_all(&queue, bytes, 100);
	assert_int_equal(wiped, 160 + 100 + 100 + 3 * RECORD);
}

static void test_little_takes_little_and_more_fills_records(void **state)
{
	(void)state;
	struct stream_queue queue = {0};
	size_t run;
	stream_queue_append_few(&queue, bytes, SMALL);
	assert_int_equal(queue.cap, SMALL);
	stream_queue_append_few(&queue, bytes + SMALL, 3 * RECORD);
	(void)stream_queue_peek(&queue, &run);
	assert_int_equal(run, RECORD);
	assert_int_equal(take_all(&queue, bytes, RECORD), SMALL + 3 * RECORD);
	stream_queue_append(&queue, bytes, 1);
	assert_int_equal(queue.cap, RECORD);
	stream_queue_append(&queue, NULL, 0);
	stream_queue_clear(&queue);
	stream_queue_append_few(&queue, NULL, 0);
	assert_int_equal(queue.cap, 0);
}

/* What TLS began to write is offered again with the same beginning, however much came behind it. */
static void test_what_is_offered_first_only_grows(void **state)
{
	(void)state;
	struct stream_queue queue = {0};
	size_t before, after;
	stream_queue_append_few(&queue, bytes, 3000);
	stream_queue_consume(&queue, 1000);
	for (size_t put = 3000; put < MOST; put += 500) {
		(void)stream_queue_peek(&queue, &before);
		stream_queue_append_few(&queue, bytes + put, 500);
		assert_memory_equal(stream_queue_peek(&queue, &after), bytes + 1000, before);
		assert_true(after >= before);
	}
	assert_int_equal(take_all(&queue, bytes + 1000, RECORD), MOST - 1000);
}

static void test_moves_between_queues(void **state)
{
	(void)state;
	for (size_t step = 1; step < 3 * RECORD; step = step * 3 + 1) {
		struct stream_queue from = {0}, to = {0};
		stream_queue_append(&from, bytes, MOST);
		while (from.len > 0) {
			stream_queue_move(&to, &from, from.len < step ? from.len : step);
			assert_int_equal(from.len + to.len, MOST);
		}
		assert_int_equal(from.cap, 0);
		assert_int_equal(take_all(&to, bytes, MOST), MOST);
		if (step < 10)
			step = 1000;
	}
	stream_queue_trim();
}

static void test_bits_of_what_waits(void **state)
{
	(void)state;
	struct stream_queue queue = {0};
	assert_false(stream_queue_set_bits(&queue, 0, 1));
	assert_false(stream_queue_set_bits(&queue, 1, 1));
	static uint8_t wanted[3 * RECORD];
	memcpy(wanted, bytes, sizeof wanted);
	stream_queue_append(&queue, bytes, 10);
	stream_queue_append(&queue, bytes + 10, sizeof wanted - 10);
	stream_queue_consume(&queue, 100);
	static const size_t places[] = {
	    100, 101, RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, sizeof wanted - 1};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		assert_true(stream_queue_set_bits(&queue, sizeof wanted - places[i], 0x81));
		wanted[places[i]] |= 0x81;
	}
	assert_false(stream_queue_set_bits(&queue, 0, 0x81));
	assert_false(stream_queue_set_bits(&queue, sizeof wanted - 99, 0x81));
	assert_false(stream_queue_set_bits(&queue, UINT64_MAX, 0x81));
	assert_int_equal(take_all(&queue, wanted + 100, RECORD), sizeof wanted - 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_sizes_of_pieces),
	    cmocka_unit_test(test_what_left_is_wiped),
	    cmocka_unit_test(test_little_takes_little_and_more_fills_records),
	    cmocka_unit_test(test_what_is_offered_first_only_grows),
	    cmocka_unit_test(test_moves_between_queues),
	    cmocka_unit_test(test_bits_of_what_waits),
	};
	fill_bytes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
