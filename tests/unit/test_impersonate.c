/* The closing assertion over what says who somebody is: a head is ours, field by field, or is not
 * sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/impersonate.h"
#include "tests/unit/field_lines.h"

/* Whatever became of a head: what says who somebody is stands there exactly as it must. */
static void test_identity_is_checked_again(void **state)
{
	(void)state;
#define OURS_BUT_GROUPS "Authorization: Bearer token\nImpersonate-User: alice\n"
	static const struct {
		const char *lines;
		bool is_sound;
	} rows[] = {
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\n", true},
	    {OURS_BUT_GROUPS "Impersonate-Group: ops\nImpersonate-Group: dev\n", false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\n", false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\n"
			     "Impersonate-Group: system:masters\n",
		false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\n"
			     "impersonate-user: alice\n",
		false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\n"
			     "authorization: Bearer token\n",
		false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\nImpersonate-Uid: 1\n",
		false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-Group: ops\n"
			     "Impersonate-Extra-a: b\n",
		false},
	    /* Not as we write it. */
	    {"authorization: Bearer token\nImpersonate-User: alice\nImpersonate-Group: dev\n"
	     "Impersonate-Group: ops\n",
		false},
	    {"Authorization: Bearer token\nimpersonate-User: alice\nImpersonate-Group: dev\n"
	     "Impersonate-Group: ops\n",
		false},
	    {OURS_BUT_GROUPS "Impersonate-Group: dev\nImpersonate-group: ops\n", false},
	    {"Impersonate-User: alice\nImpersonate-Group: dev\nImpersonate-Group: ops\n", false},
	    {"Authorization: Bearer token\nImpersonate-Group: dev\nImpersonate-Group: ops\n",
		false},
	    {"Authorization: Bearer other\nImpersonate-User: alice\nImpersonate-Group: dev\n"
	     "Impersonate-Group: ops\n",
		false},
	    {"Authorization: Bearer token\nImpersonate-User: root\nImpersonate-Group: dev\n"
	     "Impersonate-Group: ops\n",
		false},
	};
	const char *const two[] = {"dev", "ops"};
	struct headers_input input = {
	    .token = "token", .user = "alice", .groups = two, .group_count = 2};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_fields fields = {0};
		add_lines(&fields, rows[i].lines);
		if (impersonate_is_sound(&input, &fields) != rows[i].is_sound)
			fail_msg("%s", rows[i].lines);
		fields_free(&fields);
	}
}

/* It keeps its traits and its value. */
static void rename_field(struct http_fields *fields, const char *from, const char *to)
{
	size_t at = 0;
	while (!fields_is_named(fields, at, from))
		at++;
	const char *value = fields_value(fields, at);
	struct http_fields copy = {0};
	fields_add_with(&copy, fields->items[at].traits, to, strlen(to), value, strlen(value));
	fields_copy(fields, &copy, 0);
	fields->items[at] = fields->items[--fields->count];
	fields_free(&copy);
}

/* What has the traits of ours has its name, too. */
static void test_names_of_ours_are_compared(void **state)
{
	(void)state;
	static const struct {
		const char *name, *instead;
	} rows[] = {
	    {"Authorization", "X-Authorization"},
	    {"Authorization", "Authorizatiox"},
	    {"Impersonate-User", "Impersonate-Uses"},
	    {"Impersonate-User", "Impersonate-Uid"},
	    {"Impersonate-Group", "X-Group"},
	    {"Impersonate-Uid", "Impersonate-User"},
	};
	const char *const one[] = {"dev"};
	struct headers_input input = {
	    .token = "token", .user = "alice", .groups = one, .group_count = 1, .uid = "7"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int is_instead = 0; is_instead < 2; is_instead++) {
			struct http_fields fields = {0};
			const char *name = is_instead ? rows[i].instead : rows[i].name;
			assert_true(impersonate_add_fields(&input, &fields));
			rename_field(&fields, rows[i].name, name);
			if (impersonate_is_sound(&input, &fields) != !is_instead)
				fail_msg("row %zu: %s", i, name);
			fields_free(&fields);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_identity_is_checked_again),
	    cmocka_unit_test(test_names_of_ours_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
