/* The alias of a name: always a label, and never that of another name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/directory/alias.h"

static void test_plain(void **state)
{
	(void)state;
	char alias[ALIAS_MAX + 1];
	alias_make("prod-1-eks-eu-west-1-111111111111", alias);
	assert_string_equal(alias, "prod-1-eks-eu-west-1-111111111111");
	char name[ALIAS_MAX + 1] = "";
	memset(name, 'a', ALIAS_MAX);
	alias_make(name, alias);
	assert_string_equal(alias, name);
}

static void test_hashed(void **state)
{
	(void)state;
	static const char *const names[] = {"Prod", "pROD", "a.b", "a_b", "-a", "a-", "", "--",
	    "prod-0123abcd", "\xc3\xa9",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"};
	size_t count = sizeof names / sizeof names[0];
	char aliases[sizeof names / sizeof names[0]][ALIAS_MAX + 1];
	for (size_t i = 0; i < count; i++) {
		alias_make(names[i], aliases[i]);
		size_t len = strlen(aliases[i]);
		assert_in_range(len, 10, ALIAS_MAX);
		assert_int_equal(strspn(aliases[i], "abcdefghijklmnopqrstuvwxyz0123456789-"), len);
		assert_int_equal(aliases[i][len - 9], '-');
		assert_int_not_equal(aliases[i][0], '-');
		assert_string_not_equal(aliases[i], names[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(aliases[i], aliases[j]);
	}
	assert_memory_equal(aliases[0], "prod-", 5);
	assert_memory_equal(aliases[2], "a-b-", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_hashed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
