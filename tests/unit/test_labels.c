/* Labels, patterns and selectors. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/labels.h"
#include "common/mono.h"
#include "common/near_miss.h"
#include "common/pattern.h"
#include "common/xmem.h"

static bool matches(const char *text, const char *value)
{
	char *error = NULL;
	struct pattern *pattern = pattern_new(text, &error);
	if (pattern == NULL)
		fail_msg("%s: %s", text, error);
	assert_string_equal(pattern_text(pattern), text);
	bool result = pattern_match(pattern, value);
	pattern_free(&pattern);
	assert_null(pattern);
	return result;
}

static void test_labels(void **state)
{
	(void)state;
	struct labels labels = {0}, copy = {0};
	labels_set(&labels, "env", "prod");
	labels_set(&labels, "a", "1");
	labels_set(&labels, "zone", "");
	labels_set(&labels, "env", "dev");
	assert_int_equal(labels.count, 3);
	assert_string_equal(labels.items[0].key, "a");
	assert_string_equal(labels.items[2].key, "zone");
	assert_string_equal(labels_get(&labels, "env"), "dev");
	assert_string_equal(labels_get(&labels, "zone"), "");
	assert_null(labels_get(&labels, "ENV"));
	labels_copy(&copy, &labels);
	assert_true(labels_equal(&copy, &labels));
	labels_set(&copy, "a", "2");
	assert_false(labels_equal(&copy, &labels));
	labels_copy(&copy, &labels);
	labels_set(&copy, "b", "2");
	assert_false(labels_equal(&copy, &labels));
	labels_free(&copy);
	labels_free(&labels);
	assert_null(labels_get(&labels, "a"));
}

/* Whatever they have been before, and wherever they come from. */
static void test_labels_are_equal_by_what_they_are(void **state)
{
	(void)state;
	struct labels one = {0}, other = {0}, copy = {0};
	assert_true(labels_equal(&one, &other));
	labels_set(&one, "a", "1");
	labels_set(&other, "a", "1");
	assert_true(labels_equal(&one, &other));
	labels_copy(&copy, &one);
	labels_set(&one, "a", "2");
	assert_false(labels_equal(&one, &copy));
	assert_true(labels_equal(&other, &copy));
	labels_set(&one, "a", "1");
	assert_true(labels_equal(&one, &copy));
	labels_free(&one);
	assert_false(labels_equal(&one, &copy));
	labels_set(&one, "b", "1");
	assert_false(labels_equal(&one, &copy));
	labels_free(&one);
	labels_free(&other);
	labels_free(&copy);
}

static void test_label_keys(void **state)
{
	(void)state;
	char key[258];
	static const char *const good[] = {"a", "A9", "teleport.dev/origin", "a:b_c-d.e*", "*"};
	static const char *const bad[] = {"", "a b", "a+b", "a=b", "a@b", "\xc3\xa9", "a\n"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(label_key_is_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(label_key_is_valid(bad[i]));
	memset(key, 'k', sizeof(key));
	key[255] = '\0';
	assert_true(label_key_is_valid(key));
	key[255] = 'k';
	key[256] = '\0';
	assert_false(label_key_is_valid(key));
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *value;
		bool matches;
	} rows[] = {
	    {"*", "", true},
	    {"*", "anything", true},
	    {"", "", true},
	    {"", "a", false},
	    {"prod", "prod", true},
	    {"prod", "Prod", false},
	    {"prod", "production", false},
	    {"prod*", "production", true},
	    {"prod*", "prod", true},
	    {"prod*", "pro", false},
	    {"*prod", "preprod", true},
	    {"*prod", "prod1", false},
	    {"p*d", "pd", true},
	    {"p*d", "p", false},
	    {"a*a", "a", false},
	    {"a*b*c", "a-b-c", true},
	    {"a*b*c", "a-c-b", false},
	    {"a*bc*bcd", "abcbcd", true},
	    {"a*bc*bcd", "abcd", false},
	    {"**", "", true},
	    {"a**b", "ab", true},
	    {"*aab*", "aaab", true},
	    {"a.c", "abc", false},
	    {"a.c*", "a.cd", true},
	    {"[ab]*", "[ab]c", true},
	    {"[ab]*", "ac", false},
	    {"(a|b)*", "a", false},
	    {"^a*", "^abc", true},
	    {"a*$", "abc$", true},
	    {"^", "^", true},
	    {"$", "$", true},
	    {"\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (matches(rows[i].pattern, rows[i].value) != rows[i].matches)
			fail_msg("%s on %s", rows[i].pattern, rows[i].value);
}

static void test_expressions(void **state)
{
	static const struct {
		const char *pattern, *value;
		bool matches;
	} rows[] = {
	    {"^$", "", true},
	    {"^$", "a", false},
	    {"^prod$", "prod", true},
	    {"^prod$", "prod1", false},
	    {"^(prod|staging)$", "staging", true},
	    {"^(prod|staging)$", "prodstaging", false},
	    {"^(?:prod|staging)-\\d+$", "prod-42", true},
	    {"^(?:prod|staging)-\\d+$", "prod-", false},
	    {"^\\d$", "d", false},
	    {"^\\w+\\s\\w+$", "ab cd", true},
	    {"^\\W\\S\\D$", "-xx", true},
	    {"^\\W$", "_", false},
	    {"^[\\d.]+$", "1.2.3", true},
	    {"^[^\\w]$", "-", true},
	    {"^[^\\w]$", "a", false},
	    {"^[\\W\\d]$", "7", true},
	    {"^[\\]\\-a]+$", "]-a", true},
	    {"^[]a]+$", "]a", true},
	    {"^[a-]+$", "a-", true},
	    {"^[[:alpha:]]+$", "abC", true},
	    {"^[[:^alpha:]]+$", "123", true},
	    {"^[[:^alpha:]]+$", "a", false},
	    {"^a.c$", "abc", true},
	    {"^a.c$",
		"a\xc3\xa9"
		"c",
		true},
	    {"^a.c$", "a\nc", false},
	    {"^[\xc3\xa0-\xc3\xbc]$", "\xc3\xa9", true},
	    {"^\\.$", ".", true},
	    {"^\\.$", "a", false},
	    {"^a\\x41\\x{e9}$", "aA\xc3\xa9", true},
	    {"^a{3}$", "aaa", true},
	    {"^a{3}$", "aa", false},
	    {"^a{2,}$", "aaaaa", true},
	    {"^a{2,}$", "a", false},
	    {"^a{0,2}$", "", true},
	    {"^a{0,2}$", "aa", true},
	    {"^a{0,2}$", "aaa", false},
	    {"^a{2,4}$", "aaaa", true},
	    {"^a{2,4}$", "aaaaa", false},
	    {"^ba{0}c$", "bc", true},
	    {"^(ab){1,2}$", "abab", true},
	    {"^a{,2}$", "a{,2}", true},
	    {"^a{$", "a{", true},
	    {"^x*?y+?z??$", "xxyy", true},
	    {"^(a*)*$", "aaa", true},
	    {"^(a|)+$", "", true},
	    {"^(|a)b$", "ab", true},
	    {"^(a|b|c)d$", "cd", true},
	    {"^a|b$", "axx", true},
	    {"^a|b$", "xxb", true},
	    {"^a|b$", "xbx", false},
	    {"^\\bfoo\\b.*$", "foo bar", true},
	    {"^\\bfoo\\b.*$", "foobar", false},
	    {"^foo\\Bbar$", "foobar", true},
	    {"^\\Aa\\z$", "a", true},
	    {"^.*\\$$", "cost$", true},
	    {"^a\\$", "xa$", false},
	    {"^eu-(west|central)-[1-3]$", "eu-central-1", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (matches(rows[i].pattern, rows[i].value) != rows[i].matches)
			fail_msg("%s on %s", rows[i].pattern, rows[i].value);
}

/* For access: what its author believes to be the whole value must be. */
static void test_strict_patterns(void **state)
{
	(void)state;
	static const char *const loose[] = {"^a|b$", "^(a)|(b)$", "^a|[|]b$", "^a\\$", "^a\\\\\\$",
	    "^[[:alpha:]]|b$", "^|$", "^*a$", "^?a$", "^{0,1}a$", "^*$"};
	static const char *const strict[] = {"*", "a|b", "a|b*", "^(a|b)$", "^[a|b]$", "^[]|]$",
	    "^[^|]$", "^a\\|b$", "^((a|b)|c)$", "^a\\\\$", "^[[:alpha:]|]$", "^$", "^.*a$",
	    "^\\*a$", "^{1}a$"};
	for (size_t i = 0; i < sizeof loose / sizeof loose[0]; i++) {
		char *error = NULL;
		struct pattern *pattern = pattern_new_strict(loose[i], &error);
		if (pattern != NULL)
			fail_msg("taken: %s", loose[i]);
		free(error);
	}
	for (size_t i = 0; i < sizeof strict / sizeof strict[0]; i++) {
		char *error = NULL;
		struct pattern *pattern = pattern_new_strict(strict[i], &error);
		if (pattern == NULL)
			fail_msg("%s: %s", strict[i], error);
		pattern_free(&pattern);
	}
}

static void test_bad_expressions(void **state)
{
	static const struct {
		const char *pattern, *error;
	} rows[] = {
	    {"^(a$", "a group is not closed (at character 5 of the expression)"},
	    {"^a)$", "a group is closed that was not opened (at character 3 of the expression)"},
	    {"^[a$", "a bracket is not closed (at character 5 of the expression)"},
	    {"^[b-a]$", "a range runs backwards (at character 6 of the expression)"},
	    {"^[[:foo:]]$", "an unknown class in brackets (at character 3 of the expression)"},
	    {"^[a-\\d]$", "an unknown escape (at character 6 of the expression)"},
	    {"^(*a)$", "nothing stands before the repetition (at character 3 of the expression)"},
	    {"^a**$",
		"a repetition of a repetition: put the first into (?:...) (at character 5 of the "
		"expression)"},
	    {"^a{2}{3}$",
		"a repetition of a repetition: put the first into (?:...) (at character 9 of the "
		"expression)"},
	    {"^a{3,2}$", "a repetition runs backwards (at character 8 of the expression)"},
	    {"^a{1001}$",
		"at most 1000 repetitions are supported (at character 9 of the expression)"},
	    {"^a{99999999999}$",
		"at most 1000 repetitions are supported (at character 16 of the expression)"},
	    {"^((a{100}){100}){100}$",
		"the expression is too large: use fewer repetitions (at character 16 of the "
		"expression)"},
	    {"^(?i)prod$",
		"of the groups with '?' only (?:...) is supported, no flags and no look-around "
		"(at character 3 of the expression)"},
	    {"^(?=a)$",
		"of the groups with '?' only (?:...) is supported, no flags and no look-around "
		"(at character 3 of the expression)"},
	    {"^\\p{L}$",
		"\\p classes are not supported: list the characters in brackets (at character 3 of "
		"the expression)"},
	    {"^(a)\\1$", "back references are not supported (at character 6 of the expression)"},
	    {"^\\q$", "an unknown escape (at character 3 of the expression)"},
	    {"^\\xZZ$",
		"\\x needs two hexadecimal digits, or digits in braces (at character 4 of the "
		"expression)"},
	    {"^\\x{110000}$", "\\x names no character (at character 12 of the expression)"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *error = NULL;
		struct pattern *pattern = pattern_new(rows[i].pattern, &error);
		assert_null(pattern);
		assert_string_equal(error, rows[i].error);
		free(error);
	}
}

static void test_long_expression(void **state)
{
	(void)state;
	char text[1100], *error = NULL;
	memset(text, 'a', sizeof(text));
	text[0] = '^';
	text[1025] = '$';
	text[1026] = '\0';
	assert_null(pattern_new(text, &error));
	assert_non_null(strstr(error, "longer than 1024 bytes"));
	free(error);
	memset(text, '(', sizeof(text));
	text[0] = '^';
	text[1000] = '$';
	text[1001] = '\0';
	assert_null(pattern_new(text, &error));
	assert_non_null(strstr(error, "too many groups"));
	free(error);
}

/* What would take a backtracking matcher for ever. */
static void test_time_is_bounded(void **state)
{
	(void)state;
	char value[256];
	memset(value, 'a', 255);
	value[255] = '\0';
	struct mono begin = mono_now();
	assert_false(matches("^(a+)+(a+)+(a+)+b$", value));
	assert_false(matches("^(a|a)*(a|a)*(a|a)*c$", value));
	assert_false(matches("^(a?){200}a{200}b$", value));
	assert_false(matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", value));
	assert_true(mono_since(begin).ms < 2000);
}

/* Small random expressions of the syntax that both know must mean what they mean to POSIX. */
static void test_agrees_with_posix(void **state)
{
	(void)state;
	static const char letters[] = "aab.|()*+?";
	unsigned seed = 1;
	size_t compared = 0;
	for (int round = 0; round < 20000; round++) {
		char text[16] = "^(", value[8] = "", *error = NULL;
		size_t len = 2;
		for (int i = 0; i < 8; i++) {
			seed = seed * 1103515245 + 12345;
			text[len++] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		memcpy(text + len, ")$", 3);
		for (int i = 0; i < 6; i++) {
			seed = seed * 1103515245 + 12345;
			value[i] = "ab\0"[(seed >> 16) % 3];
		}
		regex_t posix;
		struct pattern *ours = pattern_new(text, &error);
		free(error);
		/* A second sign is laziness here and one more repetition there. */
		bool is_lazy = strstr(text, "+?") || strstr(text, "*?") || strstr(text, "??");
		if (ours == NULL || is_lazy ||
		    regcomp(&posix, text, REG_EXTENDED | REG_NOSUB) != 0) {
			pattern_free(&ours);
			continue;
		}
		bool expected = regexec(&posix, value, 0, NULL, 0) == 0;
		if (pattern_match(ours, value) != expected)
			fail_msg("%s on %s: POSIX says %d", text, value, expected);
		compared++;
		regfree(&posix);
		pattern_free(&ours);
	}
	assert_true(compared > 1000);
}

/* "key=value" pairs; the list ends with NULL. */
static struct selector *make_selector(const char *const *pairs)
{
	struct selector *selector = selector_new();
	for (; *pairs != NULL; pairs++) {
		char *key = xstrdup(*pairs), *error = NULL;
		char *value = strchr(key, '=');
		*value++ = '\0';
		assert_true(selector_add(selector, key, value, &error));
		free(key);
	}
	return selector;
}

static void test_near_misses(void **state)
{
	static const struct {
		const char *wanted, *found, *what;
	} rows[] = {
	    {"prod", "prod", NULL},
	    {"prod", "Prod", "case only"},
	    {"prod", " prod\t", "white space at its ends only"},
	    {"prod", "PROD ", "case and white space only"},
	    {"us-east", "us_east", "punctuation only"},
	    {"prod", "pord", "one letter away"},
	    {"production", "prodcton", "two letters away"},
	    {"prod", "dev", NULL},
	    {"a", "b", NULL},
	    {"", "", NULL},
	    {"", " ", "white space"},
	    {"^pr.*$", "PROD", "case only"},
	    {"^pr.*$", " prod", "white space"},
	    {"pr*", "Production", "case only"},
	    {"pr*", "test", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *error = NULL;
		struct pattern *pattern = pattern_new(rows[i].wanted, &error);
		const char *what = near_miss_pattern(pattern, rows[i].found);
		if ((what == NULL) != (rows[i].what == NULL) ||
		    (what != NULL && strstr(what, rows[i].what) == NULL))
			fail_msg("\"%s\" and \"%s\": %s", rows[i].wanted, rows[i].found, what);
		pattern_free(&pattern);
	}
}

static void test_selectors(void **state)
{
	static const struct {
		const char *pairs[6];
		bool matches;
		const char *reason;
	} rows[] = {
	    {{NULL}, false, "the selector is empty, which matches nothing"},
	    {{"*=*"}, true, NULL},
	    {{"*=*", "env=other"}, true, NULL},
	    {{"*=*", "*=x"}, false, "label * is absent"},
	    {{"*=prod"}, false, "label * is absent"},
	    {{"env=prod"}, true, NULL},
	    {{"env=dev", "env=prod"}, true, NULL},
	    {{"env=prod", "team=*"}, true, NULL},
	    {{"env=prod", "owner=*"}, false, "label owner is absent"},
	    {{"ENV=prod"}, false,
		"label ENV is absent; there is env=\"prod\", whose name differs in upper and lower "
		"case only"},
	    {{"env=Prod"}, false,
		"label env is \"prod\", wanted \"Prod\": it differs in upper and lower case only"},
	    {{"env=prd", "env=dev"}, false,
		"label env is \"prod\", wanted \"prd\" or \"dev\": it is one letter away from "
		"\"prd\""},
	    {{"region=EU-*"}, false,
		"label region is \"eu-west-1\", wanted \"EU-*\": it differs in upper and lower "
		"case "
		"only"},

	    {{"e*=prod"}, false, "label e* is absent"},
	    {{"env=dev", "env=^st.*$"}, false,
		"label env is \"prod\", wanted \"dev\" or \"^st.*$\""},
	    {{"region=eu-*", "env=^pr(od|e)$"}, true, NULL},
	    {{"env=dev", "owner=*"}, false,
		"label env is \"prod\", wanted \"dev\"; label owner is absent"},
	};
	(void)state;
	struct labels labels = {0}, none = {0};
	labels_set(&labels, "env", "prod");
	labels_set(&labels, "team", "a");
	labels_set(&labels, "region", "eu-west-1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *reason = NULL;
		struct selector *selector = make_selector(rows[i].pairs);
		assert_int_equal(selector_match(selector, &labels), rows[i].matches);
		assert_int_equal(selector_explain(selector, &labels, &reason), rows[i].matches);
		if (rows[i].matches)
			assert_null(reason);
		else
			assert_string_equal(reason, rows[i].reason);
		free(reason);
		selector_free(&selector);
	}
	struct selector *all = make_selector((const char *const[]){"*=*", NULL});
	assert_true(selector_match(all, &none));
	selector_free(&all);
	labels_free(&labels);
}

static void test_selector_text_and_equality(void **state)
{
	(void)state;
	struct selector *a =
	    make_selector((const char *const[]){"env=prod", "team=*", "env=staging", NULL});
	struct selector *b =
	    make_selector((const char *const[]){"team=*", "env=staging", "env=prod", NULL});
	struct selector *c = make_selector((const char *const[]){"env=prod", "team=*", NULL});
	struct selector *none = selector_new();
	char *text = selector_text(a);
	assert_string_equal(text, "env=prod|staging, team=*");
	free(text);
	assert_true(selector_equal(a, b));
	assert_false(selector_equal(a, c));
	assert_false(selector_equal(c, none));
	assert_true(selector_is_empty(none));
	assert_false(selector_is_empty(c));
	char *error = NULL;
	assert_false(selector_add(c, "env", "^($", &error));
	assert_non_null(error);
	free(error);
	selector_free(&a);
	selector_free(&b);
	selector_free(&c);
	selector_free(&none);
	selector_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_labels_are_equal_by_what_they_are),
	    cmocka_unit_test(test_label_keys),
	    cmocka_unit_test(test_globs),
	    cmocka_unit_test(test_expressions),
	    cmocka_unit_test(test_strict_patterns),
	    cmocka_unit_test(test_bad_expressions),
	    cmocka_unit_test(test_long_expression),
	    cmocka_unit_test(test_time_is_bounded),
	    cmocka_unit_test(test_agrees_with_posix),
	    cmocka_unit_test(test_near_misses),
	    cmocka_unit_test(test_selectors),
	    cmocka_unit_test(test_selector_text_and_equality),
	};
	return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
