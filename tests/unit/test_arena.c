/* Arenas: what is handed out is zeroed, apart from all else, and used again after arena_free(). */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/xmem.h"

enum { PIECES = 400 };

static void use(struct arena *arena, unsigned seed)
{
	static uint8_t *pieces[PIECES];
	static size_t sizes[PIECES];
	for (size_t i = 0; i < PIECES; i++) {
		sizes[i] = (seed * 31 + i * i * 7) % (i % 50 == 0 ? 5000 : 120);
		pieces[i] = arena_alloc(arena, sizes[i]);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)(i % 251) + 1, sizes[i]);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], (int)(i % 251) + 1);
}

static void test_pieces_are_apart(void **state)
{
	(void)state;
	struct arena one = {0}, other = {0};
	for (unsigned round = 0; round < 5; round++) {
		use(&one, round);
		use(&other, round + 7);
		arena_free(&one);
		arena_free(&other);
	}
	arena_free(&one);
}

/* Of each size around a block's end, the bytes are the arena's own and so are those behind. */
static void test_every_size(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 2048; size++) {
		struct arena arena = {0};
		for (unsigned i = 0; i < 3; i++) {
			memset(arena_alloc(&arena, size), 0xff, size);
			memset(arena_alloc(&arena, 1), 0xff, 1);
			assert_true(arena.left <= 2048);
		}
		arena_free(&arena);
	}
}

static void test_texts(void **state)
{
	(void)state;
	struct arena arena = {0};
	assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(&arena, "", 0), "");
	arena_free(&arena);
}

static void test_nothing_is_asked_for_when_warm(void **state)
{
	(void)state;
	uint64_t before = 0;
	for (unsigned round = 0; round < 100; round++) {
		struct arena arena = {0};
		for (size_t i = 0; i < 30; i++)
			memset(arena_alloc(&arena, 100), 1, 100);
		arena_free(&arena);
		if (round == 0)
			before = xmem_counts().ours;
	}
	/* Builds that keep no blocks ask each time. */
	assert_true(xmem_counts().ours == before || ARENA_KEPT == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces_are_apart),
	    cmocka_unit_test(test_every_size),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_nothing_is_asked_for_when_warm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
