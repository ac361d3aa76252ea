/* The pool: what is handed out has the room that was asked for, whatever was freed before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/pool.h"

enum { SLOTS = 200, STEPS = 20000, SIZE_MAX_ASKED = 20000 };

struct slot {
	uint8_t *memory;
	size_t size;
	uint8_t mark;
};

static uint32_t next_random(void)
{
	static uint32_t state = 12345;
	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static size_t some_size(void)
{
	switch (next_random() % 4) {
	case 0:
		return next_random() % SIZE_MAX_ASKED;
	case 1:
		return 16384 + next_random() % 1200;
	default:
		return next_random() % 1100;
	}
}

static void assert_marked(const struct slot *slot)
{
	for (size_t i = 0; i < slot->size; i++)
		assert_int_equal(slot->memory[i], slot->mark);
}

static void fill(struct slot *slot, size_t size)
{
	slot->size = size;
	slot->mark = (uint8_t)next_random();
	memset(slot->memory, slot->mark, size);
}

/* Blocks that overlap, or are too small, would overwrite each other's marks. */
static void test_blocks_are_apart(void **state)
{
	(void)state;
	static struct slot slots[SLOTS];
	struct pool pool = {0};
	for (size_t step = 0; step < STEPS; step++) {
		struct slot *slot = &slots[next_random() % SLOTS];
		if (slot->memory == NULL) {
			size_t size = some_size();
			slot->memory = pool_malloc(&pool, size);
			assert_non_null(slot->memory);
			fill(slot, size);
			continue;
		}
		assert_marked(slot);
		if (next_random() % 4 == 0) {
			size_t size = some_size() + 1, kept = size < slot->size ? size : slot->size;
			slot->memory = pool_realloc(&pool, slot->memory, size);
			slot->size = kept;
			assert_marked(slot);
			fill(slot, size);
			continue;
		}
		pool_free(slot->memory);
		slot->memory = NULL;
	}
	for (size_t i = 0; i < SLOTS; i++)
		pool_free(slots[i].memory);
}

/* What malloc() itself gave may be freed here: OpenSSL may have some from before. */
static void test_foreign_blocks(void **state)
{
	(void)state;
	struct pool pool = {0};
	for (size_t size = 0; size < 1200; size++)
		pool_free(malloc(size));
	for (size_t size = 1; size < 1200; size++) {
		uint8_t *memory = pool_malloc(&pool, size);
		memset(memory, 1, size);
		pool_free(memory);
	}
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks_are_apart),
	    cmocka_unit_test(test_foreign_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
