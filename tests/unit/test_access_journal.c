/* The journal: what was begun is there after a restart, and nothing is begun that could not be
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/xmem.h"
#include "discoveryd/access_journal.h"
#include "tests/unit/discovery_fixture.h"

#define P "arn:aws:iam::111111111111:role/serve"
#define B "arn:aws:iam::111111111111:role/bootstrap"

static int set_up(void **state)
{
	*state = fixture_dir();
	return 0;
}

static int tear_down(void **state)
{
	char *dir = *state;
	fixture_remove_dir(&dir);
	return 0;
}

struct books {
	struct registry *registry;
	struct access_journal *journal;
};

static struct books open_books(const char *dir)
{
	char *error = NULL;
	struct books books = {.registry = registry_open(dir, "g", &error)};
	assert_non_null(books.registry);
	books.journal = access_journal_open(books.registry, &error);
	assert_non_null(books.journal);
	return books;
}

static void close_books(struct books *books)
{
	access_journal_close(&books->journal);
	registry_close(&books->registry);
}

static struct access_row *make_row(
    const char *arn, enum access_row_kind kind, const char *principal)
{
	struct access_row *row = access_row_new(arn, kind, principal);
	row->account = xstrdup("own");
	row->region = xstrdup(REGION);
	row->cluster = xstrdup("prod");
	row->token = xstrdup("t");
	row->created_at.ms = 7;
	return row;
}

static bool put(struct books *books, const char *arn, enum access_row_kind kind,
    const char *principal, enum access_stage stage)
{
	char *error = NULL;
	struct access_row *row = make_row(arn, kind, principal);
	bool is_done = access_journal_put(books->journal, row, stage, &error);
	assert_int_equal(is_done, error == NULL);
	free(error);
	access_row_free(&row);
	return is_done;
}

static void test_rows_come_back(void **state)
{
	struct books books = open_books(*state);
	char *error = NULL, *owner = xstrdup(access_journal_owner(books.journal));
	assert_int_equal(strlen(owner), 16);
	assert_true(put(&books, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, ACCESS_CREATING));
	assert_true(put(&books, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, ACCESS_GRANTED));
	assert_true(put(&books, ARN("a"), ACCESS_ROW_ENTRY, P, ACCESS_CREATED));
	assert_true(put(&books, ARN("b"), ACCESS_ROW_ENTRY, P, ACCESS_UPDATED));
	close_books(&books);

	books = open_books(*state);
	assert_string_equal(access_journal_owner(books.journal), owner);
	const struct access_row *row = access_journal_bootstrap(books.journal, ARN("a"));
	assert_string_equal(row->principal, B);
	assert_int_equal(row->stage, ACCESS_GRANTED);
	assert_int_equal(row->created_at.ms, 7);
	assert_string_equal(row->token, "t");
	assert_true(row->since.ms > 0);
	row = access_journal_next_of(books.journal, ARN("a"), NULL);
	assert_int_equal(row->kind, ACCESS_ROW_ENTRY);
	row = access_journal_next_of(books.journal, ARN("a"), row);
	assert_int_equal(row->kind, ACCESS_ROW_BOOTSTRAP);
	assert_null(access_journal_next_of(books.journal, ARN("a"), row));
	assert_null(access_journal_bootstrap(books.journal, ARN("b")));
	assert_true(
	    access_journal_remove(books.journal, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, &error));
	assert_true(
	    access_journal_remove(books.journal, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, &error));
	close_books(&books);

	books = open_books(*state);
	assert_null(access_journal_bootstrap(books.journal, ARN("a")));
	assert_non_null(access_journal_find(books.journal, ARN("a"), ACCESS_ROW_ENTRY, P));
	close_books(&books);
	free(owner);
}

static void test_what_cannot_be_written_is_not_begun(void **state)
{
	struct books books = open_books(*state);
	char *error = NULL;
	assert_true(put(&books, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, ACCESS_CREATED));
	sqlite3_exec(registry_database(books.registry), "PRAGMA query_only = 1", NULL, NULL, NULL);
	assert_false(put(&books, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, ACCESS_GRANTING));
	assert_false(put(&books, ARN("b"), ACCESS_ROW_ENTRY, P, ACCESS_CREATING));
	assert_false(
	    access_journal_remove(books.journal, ARN("a"), ACCESS_ROW_BOOTSTRAP, B, &error));
	assert_non_null(strstr(error, "registry.db"));
	free(error);
	assert_int_equal(access_journal_bootstrap(books.journal, ARN("a"))->stage, ACCESS_CREATED);
	assert_null(access_journal_next_of(books.journal, ARN("b"), NULL));
	close_books(&books);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rows_come_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_what_cannot_be_written_is_not_begun, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
