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

static void test_in_and_out(void **state)
{
	(void)state;
	struct buf all = {0};
	struct cast_piece piece;
	size_t at = 0;
	assert_false(cast_pieces_next(&all, &at, &piece));
	for (size_t i = 0; i < COUNT; i++)
		cast_pieces_add(&all, &pieces[i]);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(cast_pieces_next(&all, &at, &piece));
		assert_int_equal(piece.kind, pieces[i].kind);
		assert_int_equal(piece.stream, pieces[i].stream);
		assert_int_equal(piece.is_last, pieces[i].is_last);
		assert_int_equal(piece.at.ns, pieces[i].at.ns);
		assert_int_equal(piece.len, pieces[i].len);
		if (piece.len > 0)
			assert_memory_equal(piece.data, pieces[i].data, piece.len);
		if (piece.kind != CAST_STREAM)
			assert_int_equal(strlen(piece.data), piece.len);
	}
	assert_false(cast_pieces_next(&all, &at, &piece));
	assert_int_equal(at, all.len);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_and_out)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
