/* What is put into a buffer of pieces comes out of it, as it was and in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/record/cast_pieces.h"

static const struct cast_piece pieces[] = {
    {CAST_STREAM, REMOTE_STDOUT, true, {12000000}, "hello", 5},
    {CAST_STREAM, REMOTE_STDIN, false, {12000001}, "a\0b", 3},
    {CAST_STREAM, REMOTE_STDERR, true, {INT64_MAX}, "", 0},
    {CAST_STREAM, REMOTE_RESIZE, true, {0}, NULL, 0},
    {CAST_OVER, REMOTE_STDIN, false, {1}, "the client left", 15},
    {CAST_STOPPED, REMOTE_STDIN, false, {2}, "", 0},
};
#define COUNT (sizeof pieces / sizeof pieces[0])

static void assert_pieces(const struct buf *all, const struct cast_piece *wanted, size_t count)
{
	struct cast_piece piece;
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		assert_true(cast_pieces_next(all, &at, &piece));
		assert_int_equal(piece.kind, wanted[i].kind);
		assert_int_equal(piece.stream, wanted[i].stream);
		assert_int_equal(piece.is_last, wanted[i].is_last);
		assert_int_equal(piece.at.ns, wanted[i].at.ns);
		assert_int_equal(piece.len, wanted[i].len);
		if (piece.len > 0)
			assert_memory_equal(piece.data, wanted[i].data, piece.len);
		if (piece.kind != CAST_STREAM)
			assert_int_equal(strlen(piece.data), piece.len);
	}
	assert_false(cast_pieces_next(all, &at, &piece));
	assert_int_equal(at, all->len);
}

static void test_in_and_out(void **state)
{
	(void)state;
	struct buf all = {0};
	assert_pieces(&all, NULL, 0);
	for (size_t i = 0; i < COUNT; i++)
		cast_pieces_add(&all, &pieces[i]);
	assert_pieces(&all, pieces, COUNT);
	buf_free(&all);
}

/* A message that is read in parts is one piece, as long as they follow each other at once. */
static void test_parts_of_a_message(void **state)
{
	(void)state;
	static const struct cast_piece parts[] = {
	    {CAST_STREAM, REMOTE_STDOUT, false, {7000000}, "one ", 4},
	    {CAST_STREAM, REMOTE_STDOUT, false, {7000001}, NULL, 0},
	    {CAST_STREAM, REMOTE_STDOUT, true, {17000000}, "message", 7},
	    {CAST_STREAM, REMOTE_STDOUT, false, {17000000}, "another", 7},
	    {CAST_STREAM, REMOTE_STDOUT, false, {27000001}, ", later", 7},
	    {CAST_STREAM, REMOTE_STDERR, false, {27000001}, "else", 4},
	    {CAST_OVER, REMOTE_STDERR, false, {27000001}, "over", 4},
	};
	static const struct cast_piece wholes[] = {
	    {CAST_STREAM, REMOTE_STDOUT, true, {7000000}, "one message", 11},
	    {CAST_STREAM, REMOTE_STDOUT, false, {17000000}, "another", 7},
	    {CAST_STREAM, REMOTE_STDOUT, false, {27000001}, ", later", 7},
	    {CAST_STREAM, REMOTE_STDERR, false, {27000001}, "else", 4},
	    {CAST_OVER, REMOTE_STDERR, false, {27000001}, "over", 4},
	};
	struct buf all = {0};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		cast_pieces_add(&all, &parts[i]);
	assert_pieces(&all, wholes, sizeof wholes / sizeof wholes[0]);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_and_out), cmocka_unit_test(test_parts_of_a_message)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
