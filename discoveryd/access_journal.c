/* The journal: a table in the registry's file, and its mirror in memory. Each change is a
 * transaction of its own with full synchronisation, since what follows it cannot be taken back. */
#include "discoveryd/access_journal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/xmem.h"
#include "discoveryd/registry.h"

RB_HEAD(access_rows, access_row);

struct access_journal {
	struct sqlite3 *db;
	struct access_rows rows;
	char owner[ACCESS_OWNER_TEXT];
};

static int compare_rows(const struct access_row *a, const struct access_row *b)
{
	int order = strcmp(a->arn, b->arn);
	if (order == 0)
		order = (a->kind > b->kind) - (a->kind < b->kind);
	return order != 0 ? order : strcmp(a->principal, b->principal);
}

RB_GENERATE_INTERNAL(
    access_rows, access_row, entry, compare_rows, __attribute__((__unused__)) static)

const char *access_stage_text(enum access_stage stage)
{
	static const char *const texts[] = {"creating", "created", "granting", "granted",
	    "deleting", "updating", "updated", "seen"};
	return texts[stage];
}

/* --- rows ------------------------------------------------------------------------------------- */

struct access_row *access_row_new(const char *arn, enum access_row_kind kind, const char *principal)
{
	struct access_row *row = xcalloc(1, sizeof *row);
	row->arn = xstrdup(arn);
	row->kind = kind;
	row->principal = xstrdup(principal);
	return row;
}

void access_row_free(struct access_row **row)
{
	if (*row == NULL)
		return;
	free((*row)->arn);
	free((*row)->principal);
	free((*row)->account);
	free((*row)->region);
	free((*row)->cluster);
	free((*row)->token);
	xfree(row);
}

static struct access_row *copy_row(const struct access_row *row)
{
	struct access_row *copy = access_row_new(row->arn, row->kind, row->principal);
	copy->created_at = row->created_at;
	copy->account = xstrdup(row->account);
	copy->region = xstrdup(row->region);
	copy->cluster = xstrdup(row->cluster);
	copy->stage = row->stage;
	copy->since = row->since;
	copy->token = xstrdup(row->token);
	return copy;
}

static struct access_row *find(const struct access_journal *journal, const char *arn,
    enum access_row_kind kind, const char *principal)
{
	struct access_row key = {.kind = kind};
	char *arn_copy = xstrdup(arn), *principal_copy = xstrdup(principal);
	key.arn = arn_copy;
	key.principal = principal_copy;
	struct access_rows rows = journal->rows;
	struct access_row *row = RB_FIND(access_rows, &rows, &key);
	free(arn_copy);
	free(principal_copy);
	return row;
}

static void forget(struct access_journal *journal, struct access_row *row)
{
	RB_REMOVE(access_rows, &journal->rows, row);
	access_row_free(&row);
}

/* --- the database ----------------------------------------------------------------------------- */

/* False, so that callers can return it. */
static bool fail(const struct access_journal *journal, char **error)
{
	*error = xasprintf("the journal of access entries in %s: %s: nothing is changed in EKS "
			   "until it can be written",
	    sqlite3_db_filename(journal->db, "main"), sqlite3_errmsg(journal->db));
	return false;
}

/* Prepares; the texts are bound in order. NULL with *error. */
static sqlite3_stmt *prepare(const struct access_journal *journal, const char *sql,
    const char *const *texts, int count, char **error)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) != SQLITE_OK) {
		(void)fail(journal, error);
		return NULL;
	}
	for (int i = 0; i < count; i++)
		sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
	return statement;
}

static bool finish(const struct access_journal *journal, sqlite3_stmt *statement, char **error)
{
	bool is_done = sqlite3_step(statement) == SQLITE_DONE || fail(journal, error);
	sqlite3_finalize(statement);
	return is_done;
}

static bool write_row(
    const struct access_journal *journal, const struct access_row *row, char **error)
{
	const char *const texts[] = {
	    row->arn, row->principal, row->account, row->region, row->cluster, row->token};
	sqlite3_stmt *statement = prepare(journal,
	    "INSERT OR REPLACE INTO access (arn, principal, account, region, cluster, token, kind,"
	    " created_at, stage, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	    texts, 6, error);
	if (statement == NULL)
		return false;
	sqlite3_bind_int(statement, 7, (int)row->kind);
	sqlite3_bind_int64(statement, 8, row->created_at.ms);
	sqlite3_bind_int(statement, 9, (int)row->stage);
	sqlite3_bind_int64(statement, 10, row->since.ms);
	return finish(journal, statement, error);
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return text != NULL ? text : "";
}

static void take_row(struct access_journal *journal, sqlite3_stmt *statement)
{
	int kind = sqlite3_column_int(statement, 2), stage = sqlite3_column_int(statement, 7);
	struct access_row *row = access_row_new(text_at(statement, 0),
	    kind == ACCESS_ROW_ENTRY ? ACCESS_ROW_ENTRY : ACCESS_ROW_BOOTSTRAP,
	    text_at(statement, 1));
	row->created_at.ms = sqlite3_column_int64(statement, 3);
	row->account = xstrdup(text_at(statement, 4));
	row->region = xstrdup(text_at(statement, 5));
	row->cluster = xstrdup(text_at(statement, 6));
	/* A stage that does not exist means the most careful one. */
	row->stage = stage >= ACCESS_CREATING && stage <= ACCESS_SEEN ? (enum access_stage)stage
								      : ACCESS_CREATING;
	row->since.ms = sqlite3_column_int64(statement, 8);
	row->token = xstrdup(text_at(statement, 9));
	RB_INSERT(access_rows, &journal->rows, row);
}

static bool load_rows(struct access_journal *journal, char **error)
{
	sqlite3_stmt *statement = prepare(journal,
	    "SELECT arn, principal, kind, created_at, account, region, cluster, stage, since, token"
	    " FROM access",
	    NULL, 0, error);
	int code = SQLITE_ERROR;
	while (statement != NULL && (code = sqlite3_step(statement)) == SQLITE_ROW)
		take_row(journal, statement);
	bool is_loaded = statement != NULL && (code == SQLITE_DONE || fail(journal, error));
	sqlite3_finalize(statement);
	return is_loaded;
}

static bool make_owner(struct access_journal *journal, char **error)
{
	uint64_t number;
	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		abort();
	snprintf(journal->owner, sizeof journal->owner, "%016llx", (unsigned long long)number);
	const char *const texts[] = {journal->owner};
	sqlite3_stmt *statement =
	    prepare(journal, "INSERT INTO meta VALUES ('owner', ?1)", texts, 1, error);
	return statement != NULL && finish(journal, statement, error);
}

static bool load_owner(struct access_journal *journal, char **error)
{
	sqlite3_stmt *statement =
	    prepare(journal, "SELECT value FROM meta WHERE key = 'owner'", NULL, 0, error);
	if (statement == NULL)
		return false;
	bool is_there = sqlite3_step(statement) == SQLITE_ROW;
	if (is_there)
		snprintf(journal->owner, sizeof journal->owner, "%s", text_at(statement, 0));
	sqlite3_finalize(statement);
	return is_there || make_owner(journal, error);
}

/* --- public ----------------------------------------------------------------------------------- */

struct access_journal *access_journal_open(struct registry *registry, char **error)
{
	struct access_journal *journal = xcalloc(1, sizeof *journal);
	journal->db = registry_database(registry);
	RB_INIT(&journal->rows);
	if (!load_owner(journal, error) || !load_rows(journal, error))
		access_journal_close(&journal);
	return journal;
}

void access_journal_close(struct access_journal **journal)
{
	struct access_row *row;
	if (*journal == NULL)
		return;
	while ((row = RB_MIN(access_rows, &(*journal)->rows)) != NULL)
		forget(*journal, row);
	xfree(journal);
}

const char *access_journal_owner(const struct access_journal *journal)
{
	return journal->owner;
}

bool access_journal_put(struct access_journal *journal, const struct access_row *row,
    enum access_stage stage, char **error)
{
	struct access_row *copy = copy_row(row), *old;
	copy->stage = stage;
	copy->since = unix_now();
	if (!write_row(journal, copy, error)) {
		access_row_free(&copy);
		return false;
	}
	log_info("access", "journal", LOG_S("cluster", copy->cluster), LOG_S("arn", copy->arn),
	    LOG_S("principal", copy->principal),
	    LOG_S("entry", copy->kind == ACCESS_ROW_BOOTSTRAP ? "temporary" : "lasting"),
	    LOG_S("stage", access_stage_text(stage)));
	old = find(journal, copy->arn, copy->kind, copy->principal);
	RB_INSERT(access_rows, &journal->rows, copy);
	if (old != NULL) {
		forget(journal, old);
		RB_INSERT(access_rows, &journal->rows, copy);
	}
	return true;
}

bool access_journal_remove(struct access_journal *journal, const char *arn,
    enum access_row_kind kind, const char *principal, char **error)
{
	struct access_row *row = find(journal, arn, kind, principal);
	if (row == NULL)
		return true;
	const char *const texts[] = {row->arn, row->principal};
	sqlite3_stmt *statement = prepare(journal,
	    "DELETE FROM access WHERE arn = ?1 AND principal = ?2 AND kind = ?3", texts, 2, error);
	if (statement == NULL)
		return false;
	sqlite3_bind_int(statement, 3, (int)kind);
	if (!finish(journal, statement, error))
		return false;
	log_info("access", "journal", LOG_S("cluster", row->cluster), LOG_S("arn", row->arn),
	    LOG_S("principal", row->principal),
	    LOG_S("entry", kind == ACCESS_ROW_BOOTSTRAP ? "temporary" : "lasting"),
	    LOG_S("stage", "cleared"));
	forget(journal, row);
	return true;
}

const struct access_row *access_journal_find(const struct access_journal *journal, const char *arn,
    enum access_row_kind kind, const char *principal)
{
	return find(journal, arn, kind, principal);
}

const struct access_row *access_journal_next(
    const struct access_journal *journal, const struct access_row *row)
{
	struct access_rows rows = journal->rows;
	if (row == NULL)
		return RB_MIN(access_rows, &rows);
	return RB_NEXT(access_rows, &rows, (struct access_row *)(uintptr_t)row);
}

const struct access_row *access_journal_next_of(
    const struct access_journal *journal, const char *arn, const struct access_row *row)
{
	struct access_rows rows = journal->rows;
	if (row == NULL) {
		char *copy = xstrdup(arn);
		struct access_row key = {.arn = copy, .principal = (char[]){""}};
		row = RB_NFIND(access_rows, &rows, &key);
		free(copy);
	} else {
		row = access_journal_next(journal, row);
	}
	return row != NULL && strcmp(row->arn, arn) == 0 ? row : NULL;
}

const struct access_row *access_journal_bootstrap(
    const struct access_journal *journal, const char *arn)
{
	const struct access_row *row = NULL;
	while ((row = access_journal_next_of(journal, arn, row)) != NULL &&
	       row->kind != ACCESS_ROW_BOOTSTRAP)
		;
	return row;
}
