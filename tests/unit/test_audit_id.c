/* Audit ids: their form, and that none comes twice however the random bytes are fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/record/audit_id.h"

#define IDS 1000

static void assert_form(const char *id)
{
	assert_int_equal(strlen(id), AUDIT_ID_TEXT - 1);
	for (size_t i = 0; i < AUDIT_ID_TEXT - 1; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		assert_non_null(
		    memchr(is_dash ? "-" : "0123456789abcdef", id[i], is_dash ? 1 : 16));
	}
	/* Version 4, variant 10 (RFC 9562, 5.4). */
	assert_int_equal(id[14], '4');
	assert_non_null(memchr("89ab", id[19], 4));
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void test_ids_are_well_formed_and_differ(void **state)
{
	(void)state;
	static char ids[IDS][AUDIT_ID_TEXT];
	for (size_t i = 0; i < IDS; i++) {
		audit_id_make(ids[i]);
		assert_form(ids[i]);
	}
	qsort(ids, IDS, sizeof ids[0], compare);
	for (size_t i = 1; i < IDS; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_are_well_formed_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
