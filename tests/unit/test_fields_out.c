/* Fields on their way out: whatever runs they are copied in and whether there is room or not, the
 * list is the one that adding them one by one makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/http/fields_out.h"

#define COUNT 5

static const char *const received[COUNT][2] = {{"accept", "application/json"}, {"x-empty", ""},
    {"cookie", "a=b"}, {"", "nameless"}, {"User-Agent", "kubectl"}};

static struct http_fields receive(void)
{
	struct http_fields fields = {0};
	for (size_t i = 0; i < COUNT; i++)
		fields_add_text(&fields, received[i][0], received[i][1]);
	return fields;
}

/* Nothing can be copied at once, or everything. */
static struct http_fields list_with(bool has_room)
{
	struct http_fields fields = {0};
	if (!has_room)
		return fields;
	for (size_t i = 0; i < 40; i++)
		fields_add_text(&fields, "name-of-before", "value of a head before");
	fields_clear(&fields);
	return fields;
}

static void assert_same(const struct http_fields *fields, const struct http_fields *wanted)
{
	assert_int_equal(fields->count, wanted->count);
	assert_int_equal(fields->traits, wanted->traits);
	assert_int_equal(fields->block_len, wanted->block_len);
	if (wanted->block_len > 0)
		assert_memory_equal(fields->block, wanted->block, wanted->block_len);
	if (wanted->count > 0)
		assert_memory_equal(
		    fields->items, wanted->items, wanted->count * sizeof *wanted->items);
}

/* All runs, behind nothing and behind something. */
static void test_runs_are_as_if_added(void **state)
{
	(void)state;
	struct http_fields from = receive();
	for (unsigned i = 0; i < 4 * COUNT * (COUNT + 1); i++) {
		size_t first = i / 4 % COUNT, end = i / 4 / COUNT;
		if (first > end)
			continue;
		struct http_fields to = list_with(i % 2 != 0), wanted = {0};
		if (i / 2 % 2 != 0) {
			fields_add_text(&to, "Te", "x");
			fields_add_text(&wanted, "Te", "x");
		}
		for (size_t at = first; at < end; at++)
			fields_add_text(&wanted, received[at][0], received[at][1]);
		fields_out_copy(&to, &from, first, end);
		assert_same(&to, &wanted);
		fields_free(&to);
		fields_free(&wanted);
	}
	fields_free(&from);
}

/* What was told about a received field beside its name goes on. */
static void test_traits_are_of_the_field(void **state)
{
	(void)state;
	struct http_fields from = receive(), to = list_with(true);
	from.items[1].traits |= FIELD_PRIVATE;
	fields_out_copy(&to, &from, 1, 2);
	assert_true(fields_is(&to, 0, FIELD_PRIVATE));
	assert_true((to.traits & FIELD_PRIVATE) != 0);
	fields_free(&from);
	fields_free(&to);
}

/* Filled to the last byte, and to one byte more. */
static void test_room_ends_where_it_ends(void **state)
{
	(void)state;
	static struct field_name name = FIELD_NAME("n");
	for (size_t more = 0; more < 2; more++) {
		struct http_fields to = {0};
		fields_add_text(&to, "first", "");
		size_t cap = to.block_cap, len = cap - to.block_len - 3 + more;
		char value[256];
		memset(value, 'v', sizeof value);
		fields_out_add(&to, &name, value, len);
		assert_true(more > 0 ? to.block_cap > cap : to.block_len == cap);
		assert_int_equal(strlen(fields_value(&to, 1)), len);
		while (to.count < to.cap)
			fields_out_add(&to, &name, "", 0);
		fields_out_add(&to, &name, "last", 4);
		assert_string_equal(fields_value(&to, to.count - 1), "last");
		assert_string_equal(fields_name(&to, 2), "n");
		fields_free(&to);
	}
}

static void test_names_of_ours_are_as_if_looked_up(void **state)
{
	(void)state;
	static struct field_name names[] = {FIELD_NAME("Authorization"),
	    FIELD_NAME("Impersonate-Group"), FIELD_NAME("Audit-Id"), FIELD_NAME("X-Plain")};
	for (size_t i = 0; i < 3 * sizeof names / sizeof names[0]; i++) {
		struct field_name *name = &names[i % 4];
		struct http_fields to = list_with(i / 4 != 1), wanted = {0};
		fields_add_text(&wanted, name->text, "value");
		fields_out_add_text(&to, name, "value");
		assert_same(&to, &wanted);
		fields_add_prefixed(&wanted, name->text, "Bearer ", "token");
		fields_out_add_prefixed(&to, name, "Bearer ", "token", 5);
		assert_same(&to, &wanted);
		assert_string_equal(fields_value(&to, 1), "Bearer token");
		fields_free(&to);
		fields_free(&wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs_are_as_if_added),
	    cmocka_unit_test(test_traits_are_of_the_field),
	    cmocka_unit_test(test_room_ends_where_it_ends),
	    cmocka_unit_test(test_names_of_ours_are_as_if_looked_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
