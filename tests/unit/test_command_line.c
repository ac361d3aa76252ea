/* Options as rows: what is read, what is refused and how that is told, what --help says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/command_line.h"
#include "common/render.h"
#include "common/xmem.h"

struct fields {
	const char *user, *user_too;
	bool is_denied;
	struct option_list groups;
	enum render_format format;
	char **operands;
	char *error;
	char *argv[16]; /* copies of the words */
};

static const struct verb_option rows[] = {
    {"user", "NAME", option_text, offsetof(struct fields, user), "whose"},
    {"denied", NULL, option_flag, offsetof(struct fields, is_denied), "only those"},
    {"group", "GROUP", option_each, offsetof(struct fields, groups), "more than once"},
    {"user-too", "NAME", option_text, offsetof(struct fields, user_too), "whose else"},
    {"format", "table|json|yaml", option_format, offsetof(struct fields, format), "how"},
};

static const struct verb verb = {.name = "show",
    .operands = "WHAT [MORE]",
    .least = 1,
    .most = 2,
    VERB_OPTIONS(rows),
    .help = "shows"};

#define WORDS(...) ((const char *const[]){"show", __VA_ARGS__, NULL})

static enum verb_outcome read_words(
    const struct verb *what, const char *const *words, struct fields *fields)
{
	int count = 0;
	*fields = (struct fields){0};
	for (; words[count] != NULL; count++)
		fields->argv[count] = xstrdup(words[count]);
	return verb_read(what, count, fields->argv, fields, &fields->operands, &fields->error);
}

static void clear(struct fields *fields)
{
	for (size_t i = 0; fields->argv[i] != NULL; i++)
		free(fields->argv[i]);
	free(fields->groups.items);
	free(fields->error);
}

static void test_reads(void **state)
{
	(void)state;
	struct fields fields;
	assert_int_equal(read_words(&verb,
			     WORDS("a", "--user=u", "--denied", "--group", "x", "b", "--group", "",
				 "--format", "json"),
			     &fields),
	    VERB_READ);
	assert_string_equal(fields.user, "u");
	assert_true(fields.is_denied);
	assert_int_equal(fields.format, RENDER_JSON);
	assert_int_equal(fields.groups.count, 2);
	assert_string_equal(fields.groups.items[0], "x");
	assert_string_equal(fields.groups.items[1], "");
	assert_string_equal(fields.operands[0], "a");
	assert_string_equal(fields.operands[1], "b");
	assert_null(fields.operands[2]);
	clear(&fields);

	/* Beginnings are enough, and a whole name is no beginning of another. */
	assert_int_equal(
	    read_words(&verb, WORDS("a", "--gr=x", "--user", "u"), &fields), VERB_READ);
	assert_string_equal(fields.groups.items[0], "x");
	assert_string_equal(fields.user, "u");
	assert_null(fields.user_too);
	clear(&fields);

	assert_int_equal(read_words(&verb, WORDS("--", "--user"), &fields), VERB_READ);
	assert_null(fields.user);
	assert_string_equal(fields.operands[0], "--user");
	clear(&fields);
}

static void test_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *words[6];
		const char *error;
	} rows_of_mistakes[] = {
	    {{"show"}, "show takes WHAT [MORE], and got nothing"},
	    {{"show", "a", "b", "c"}, "show takes WHAT [MORE], and got more"},
	    {{"show", "a", "--user"}, "--user: its value is missing"},
	    {{"show", "a", "--denied=yes"}, "--denied takes no value"},
	    {{"show", "a", "--gruop", "x"},
		"--gruop: show has no such option; did you mean --group?"},
	    {{"show", "a", "--nothing-like-it=3"}, "--nothing-like-it: show has no such option"},
	    {{"show", "a", "--us", "x"}, "--us: which of --user, --user-too?"},
	    {{"show", "a", "--us=x"}, "--us: which of --user, --user-too?"},
	    {{"show", "a", "-x"}, "-x: show has no such option"},
	    {{"show", "a", "--format", "xml"}, "--format \"xml\": must be table, json or yaml"},
	};
	for (size_t i = 0; i < sizeof rows_of_mistakes / sizeof rows_of_mistakes[0]; i++) {
		struct fields fields;
		assert_int_equal(read_words(&verb, rows_of_mistakes[i].words, &fields), VERB_WRONG);
		assert_string_equal(fields.error, rows_of_mistakes[i].error);
		clear(&fields);
	}
	static const struct verb none = {.name = "none", .operands = "", .help = "nothing"};
	struct fields fields;
	assert_int_equal(read_words(&none, WORDS("a"), &fields), VERB_WRONG);
	assert_string_equal(fields.error, "none takes no operand");
	clear(&fields);
	static const struct verb any = {.name = "any", .operands = "[FILE]...", .most = -1};
	assert_int_equal(read_words(&any, WORDS("a", "b", "c", "d", "e"), &fields), VERB_READ);
	clear(&fields);
}

static void test_help(void **state)
{
	(void)state;
	struct fields fields;
	assert_int_equal(read_words(&verb, WORDS("--help"), &fields), VERB_HELP);
	clear(&fields);
	struct buf out = {0};
	verb_help(&verb, "program", &out);
	assert_string_equal(buf_text(&out),
	    "usage: program show WHAT [MORE] [OPTION...]\n\nshows\n\n"
	    "  --user NAME                whose\n"
	    "  --denied                   only those\n"
	    "  --group GROUP              more than once\n"
	    "  --user-too NAME            whose else\n"
	    "  --format table|json|yaml   how\n"
	    "  --help                     this text\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
