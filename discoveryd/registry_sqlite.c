/* The registry's file: SQLite in WAL mode with full synchronisation, one writer. The format is
 * versioned by user_version; every error names the file and says what to do with it. Called by
 * registry.c alone. */
#include "discoveryd/registry_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmem.h"

#define BUSY_TIMEOUT_MS 2000

static const char FORMAT_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE clusters (arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT "
    "NULL,"
    " phase TEXT NOT NULL, created_at INTEGER NOT NULL, orphaned_since INTEGER NOT NULL, resource "
    "TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE claims (arn TEXT NOT NULL, scope TEXT NOT NULL, absences INTEGER NOT NULL,"
    " PRIMARY KEY (arn, scope)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE tombstones (revision INTEGER PRIMARY KEY, arn TEXT NOT NULL, name TEXT NOT NULL,"
    " reason INTEGER NOT NULL, detail TEXT, renamed_to TEXT, removed_at INTEGER NOT NULL,"
    " is_confirmed INTEGER NOT NULL) STRICT;";

static const char FORMAT_2[] =
    "CREATE TABLE looks (scope TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, status TEXT "
    "NOT NULL,"
    " tags TEXT NOT NULL, is_served INTEGER NOT NULL, described_at INTEGER NOT NULL,"
    " PRIMARY KEY (scope, name)) STRICT, WITHOUT ROWID;";

/* Of access_journal.c. */
static const char FORMAT_3[] =
    "CREATE TABLE access (arn TEXT NOT NULL, principal TEXT NOT NULL, kind INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, cluster TEXT NOT "
    "NULL,"
    " stage INTEGER NOT NULL, since INTEGER NOT NULL, token TEXT NOT NULL,"
    " PRIMARY KEY (arn, kind, principal)) STRICT, WITHOUT ROWID;";

/* Step i brings a file of format i to format i + 1. */
static const char *const MIGRATIONS[] = {FORMAT_1, FORMAT_2, FORMAT_3};
#define FORMAT ((int)(sizeof MIGRATIONS / sizeof MIGRATIONS[0]))

enum statement {
	SET_META,
	PUT_CLUSTER,
	REMOVE_CLUSTER,
	REMOVE_CLAIMS,
	ADD_CLAIM,
	ADD_TOMBSTONE,
	FORGET_TOMBSTONES,
	PUT_LOOK,
	REMOVE_LOOK,
	SEAL,
	STATEMENT_COUNT
};

static const char PUT_CLUSTER_SQL[] =
    "INSERT INTO clusters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (arn) DO UPDATE SET"
    " name = ?2, revision = ?3, phase = ?4, created_at = ?5, orphaned_since = ?6, resource = "
    "?7";

static const char *const STATEMENTS[STATEMENT_COUNT] = {
    [SET_META] = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
    [PUT_CLUSTER] = PUT_CLUSTER_SQL,
    [REMOVE_CLUSTER] = "DELETE FROM clusters WHERE arn = ?1",
    [REMOVE_CLAIMS] = "DELETE FROM claims WHERE arn = ?1",
    [ADD_CLAIM] = "INSERT INTO claims VALUES (?1, ?2, ?3)",
    [ADD_TOMBSTONE] = "INSERT INTO tombstones VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [FORGET_TOMBSTONES] = "DELETE FROM tombstones WHERE removed_at < ?1",
    [PUT_LOOK] = "INSERT OR REPLACE INTO looks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [REMOVE_LOOK] = "DELETE FROM looks WHERE scope = ?1 AND name = ?2",
    [SEAL] =
	"INSERT INTO meta VALUES ('seals', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
};

struct registry_store {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool is_in_doubt; /* whether what is committed reached the disk */
};

/* --- errors ----------------------------------------------------------------------------------- */

static const char *remedy_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "make room on its file system";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return "make it and its directory writable for the user that runs discoveryd";
	case SQLITE_IOERR:
		return "look after its disk: room, quota, health";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "end the other program that holds it open";
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return "it is damaged: stop discoveryd, move it aside together with its -wal and "
		       "-shm files, and start "
		       "discoveryd again, which builds the set anew from AWS";
	default:
		return "if this stays, move it aside and start discoveryd again, which builds the "
		       "set anew from AWS";
	}
}

/* False, so that callers can return it. */
static bool fail(const struct registry_store *store, const char *doing, char **error)
{
	int code = sqlite3_extended_errcode(store->db);
	*error = xasprintf("%s: cannot %s: %s: %s", store->path, doing, sqlite3_errmsg(store->db),
	    remedy_of(code));
	return false;
}

static bool fail_damaged(const struct registry_store *store, const char *what, char **error)
{
	*error = xasprintf("%s: %s: %s", store->path, what, remedy_of(SQLITE_CORRUPT));
	return false;
}

static bool run(
    const struct registry_store *store, const char *sql, const char *doing, char **error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
	       fail(store, doing, error);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* SQLite gives its side files the mode of this one. */
static bool make_file(const char *path, char **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		*error = xasprintf(
		    "%s: cannot open: %s: %s", path, strerror(errno), remedy_of(SQLITE_CANTOPEN));
		return false;
	}
	bool is_closed = fchmod(fd, 0600) == 0;
	if (!is_closed)
		*error = xasprintf("%s: cannot set its mode to 0600: %s", path, strerror(errno));
	close(fd);
	return is_closed;
}

/* The single integer that `sql` yields. */
static bool query_int(const struct registry_store *store, const char *sql, int *value, char **error)
{
	sqlite3_stmt *statement = NULL;
	bool is_read = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK &&
		       sqlite3_step(statement) == SQLITE_ROW;
	if (is_read)
		*value = sqlite3_column_int(statement, 0);
	else
		fail(store, "read", error);
	sqlite3_finalize(statement);
	return is_read;
}

static bool check_integrity(const struct registry_store *store, char **error)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL) !=
		SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW) {
		sqlite3_finalize(statement);
		return fail(store, "check", error);
	}
	const char *verdict = (const char *)sqlite3_column_text(statement, 0);
	bool is_sound = verdict != NULL && strcmp(verdict, "ok") == 0;
	if (!is_sound)
		fail_damaged(store, verdict != NULL ? verdict : "the check gave no answer", error);
	sqlite3_finalize(statement);
	return is_sound;
}

static bool migrate(const struct registry_store *store, char **error)
{
	int format = 0;
	if (!query_int(store, "PRAGMA user_version", &format, error))
		return false;
	if (format > FORMAT) {
		*error = xasprintf("%s has format %d, written by a newer discoveryd; this one (%s) "
				   "reads formats up to %d: "
				   "run the newer version, or move the file aside",
		    store->path, format, EKSGATE_VERSION, FORMAT);
		return false;
	}
	for (; format < FORMAT; format++) {
		char *sql = xasprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT",
		    MIGRATIONS[format], format + 1);
		bool is_done = run(store, sql, "bring to this version's format", error);
		free(sql);
		if (!is_done)
			return false;
	}
	return true;
}

static bool prepare_all(struct registry_store *store, char **error)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(store->db, STATEMENTS[i], -1, SQLITE_PREPARE_PERSISTENT,
			&store->statements[i], NULL) != SQLITE_OK)
			return fail_damaged(store, sqlite3_errmsg(store->db), error);
	}
	return true;
}

static bool set_up(struct registry_store *store, char **error)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
	if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
		return fail(store, "open", error);
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	return run(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", "open", error) &&
	       check_integrity(store, error) && migrate(store, error) && prepare_all(store, error);
}

struct registry_store *registry_store_open(const char *path, char **error)
{
	if (!make_file(path, error))
		return NULL;
	struct registry_store *store = xcalloc(1, sizeof *store);
	store->path = xstrdup(path);
	if (!set_up(store, error))
		registry_store_close(&store);
	return store;
}

void registry_store_close(struct registry_store **store)
{
	if (*store == NULL)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize((*store)->statements[i]);
	sqlite3_close((*store)->db);
	free((*store)->path);
	xfree(store);
}

struct sqlite3 *registry_store_database(struct registry_store *store)
{
	return store->db;
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

/* Calls fn for each row until it returns false. */
typedef bool row_fn(void *arg, sqlite3_stmt *row, char **error);
static bool each_row(
    const struct registry_store *store, const char *sql, row_fn *fn, void *arg, char **error)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return fail_damaged(store, sqlite3_errmsg(store->db), error);
	int code;
	bool is_good = true;
	while (is_good && (code = sqlite3_step(statement)) == SQLITE_ROW)
		is_good = fn(arg, statement, error);
	if (is_good && code != SQLITE_DONE)
		is_good = fail(store, "read", error);
	sqlite3_finalize(statement);
	return is_good;
}

struct loading {
	const struct registry_store *store;
	struct registry_meta *meta;
	struct cluster_set *set;
	struct look_set *looks;
	registry_load_fn *fn;
	void *arg;
	struct cluster_item *item; /* whose claims are being read */
};

static bool load_meta(void *arg, sqlite3_stmt *row, char **error)
{
	(void)error;
	struct registry_meta *meta = ((struct loading *)arg)->meta;
	const char *key = column_text(row, 0), *value = column_text(row, 1);
	if (strcmp(key, "epoch") == 0)
		meta->epoch = strtoull(value, NULL, 10);
	else if (strcmp(key, "sequence") == 0)
		meta->sequence = strtoll(value, NULL, 10);
	else if (strcmp(key, "group") == 0)
		meta->group = xstrdup(value);
	return true;
}

static bool load_cluster(void *arg, sqlite3_stmt *row, char **error)
{
	struct loading *loading = arg;
	const char *arn = column_text(row, 0), *text = column_text(row, 3);
	char *why = NULL;
	struct kube_cluster *cluster =
	    kube_cluster_from_text(text, (size_t)sqlite3_column_bytes(row, 3), &why);
	if (cluster != NULL &&
	    (strcmp(cluster->aws.arn, arn) != 0 || cluster->revision > loading->meta->sequence)) {
		why = xasprintf("its ARN or its revision differ from the resource's");
		kube_cluster_free(&cluster);
	}
	if (cluster == NULL) {
		char *what = xasprintf("the row of %s cannot be read: %s", arn, why);
		fail_damaged(loading->store, what, error);
		free(what);
		free(why);
		return false;
	}
	struct cluster_item *item = cluster_item_new(cluster);
	item->orphaned_since.ms = sqlite3_column_int64(row, 2);
	if (cluster_set_find_name(loading->set, cluster->name) != NULL) {
		cluster_item_free(&item);
		return fail_damaged(loading->store, "two clusters have one name", error);
	}
	cluster_set_put(loading->set, item);
	return true;
}

/* Rows come in order of ARN. */
static bool load_claim(void *arg, sqlite3_stmt *row, char **error)
{
	(void)error;
	struct loading *loading = arg;
	const struct cluster_item *found = cluster_set_find_arn(loading->set, column_text(row, 0));
	if (found == NULL)
		return true;
	struct cluster_item *item = cluster_item_copy(found);
	cluster_item_add_claim(item, column_text(row, 1), (unsigned)sqlite3_column_int(row, 2));
	cluster_set_put(loading->set, item);
	return true;
}

static bool load_look(void *arg, sqlite3_stmt *row, char **error)
{
	(void)error;
	struct loading *loading = arg;
	struct look *look = look_new(column_text(row, 0), column_text(row, 1));
	look->arn = xstrdup(column_text(row, 2));
	look->status = xstrdup(column_text(row, 3));
	snprintf(look->tags, sizeof look->tags, "%s", column_text(row, 4));
	look->is_served = sqlite3_column_int(row, 5) != 0;
	look->described_at.ms = sqlite3_column_int64(row, 6);
	look_set_put(loading->looks, look);
	return true;
}

static bool load_tombstone(void *arg, sqlite3_stmt *row, char **error)
{
	struct loading *loading = arg;
	int reason = sqlite3_column_int(row, 3);
	if (reason < REMOVAL_GONE || reason > REMOVAL_RECREATED)
		return fail_damaged(
		    loading->store, "a tombstone has a reason that does not exist", error);
	struct tombstone *tombstone = xcalloc(1, sizeof *tombstone);
	tombstone->revision = sqlite3_column_int64(row, 0);
	tombstone->arn = xstrdup(column_text(row, 1));
	tombstone->name = xstrdup(column_text(row, 2));
	tombstone->reason = (enum removal_reason)reason;
	tombstone->detail = xstrdup_or_null(column_text(row, 4));
	tombstone->renamed_to = xstrdup_or_null(column_text(row, 5));
	tombstone->removed_at.ms = sqlite3_column_int64(row, 6);
	tombstone->is_confirmed = sqlite3_column_int(row, 7) != 0;
	loading->fn(loading->arg, tombstone);
	return true;
}

bool registry_store_load(struct registry_store *store, struct registry_meta *meta,
    struct cluster_set *set, struct look_set *looks, registry_load_fn *fn, void *arg, char **error)
{
	struct loading loading = {
	    .store = store, .meta = meta, .set = set, .looks = looks, .fn = fn, .arg = arg};
	return each_row(store, "SELECT key, value FROM meta", load_meta, &loading, error) &&
	       each_row(store, "SELECT arn, name, orphaned_since, resource FROM clusters",
		   load_cluster, &loading, error) &&
	       each_row(store, "SELECT arn, scope, absences FROM claims ORDER BY arn, scope",
		   load_claim, &loading, error) &&
	       each_row(store, "SELECT * FROM looks", load_look, &loading, error) &&
	       each_row(store, "SELECT * FROM tombstones ORDER BY revision", load_tombstone,
		   &loading, error);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Runs a prepared statement whose values are bound. */
static bool step(const struct registry_store *store, enum statement which, char **error)
{
	sqlite3_stmt *statement = store->statements[which];
	bool is_done = sqlite3_step(statement) == SQLITE_DONE || fail(store, "write", error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return is_done;
}

static void bind_text(
    const struct registry_store *store, enum statement which, int at, const char *text)
{
	if (text != NULL)
		sqlite3_bind_text(store->statements[which], at, text, -1, SQLITE_STATIC);
}

static void bind_int(
    const struct registry_store *store, enum statement which, int at, int64_t value)
{
	sqlite3_bind_int64(store->statements[which], at, value);
}

static bool set_meta(
    const struct registry_store *store, const char *key, const char *value, char **error)
{
	bind_text(store, SET_META, 1, key);
	bind_text(store, SET_META, 2, value);
	return step(store, SET_META, error);
}

static bool set_meta_number(
    const struct registry_store *store, const char *key, uint64_t number, char **error)
{
	char *text = xasprintf("%llu", (unsigned long long)number);
	bool is_done = set_meta(store, key, text, error);
	free(text);
	return is_done;
}

static bool by_arn(
    const struct registry_store *store, enum statement which, const char *arn, char **error)
{
	bind_text(store, which, 1, arn);
	return step(store, which, error);
}

static bool write_claims(
    const struct registry_store *store, const struct cluster_item *item, char **error)
{
	if (!by_arn(store, REMOVE_CLAIMS, item->cluster->aws.arn, error))
		return false;
	for (size_t i = 0; i < item->claim_count; i++) {
		bind_text(store, ADD_CLAIM, 1, item->cluster->aws.arn);
		bind_text(store, ADD_CLAIM, 2, item->claims[i].scope);
		bind_int(store, ADD_CLAIM, 3, item->claims[i].absences);
		if (!step(store, ADD_CLAIM, error))
			return false;
	}
	return true;
}

static bool write_cluster(
    const struct registry_store *store, const struct registry_write *write, char **error)
{
	const struct kube_cluster *cluster = write->item->cluster;
	bind_text(store, PUT_CLUSTER, 1, cluster->aws.arn);
	bind_text(store, PUT_CLUSTER, 2, cluster->name);
	bind_int(store, PUT_CLUSTER, 3, cluster->revision);
	bind_text(store, PUT_CLUSTER, 4, cluster->status.phase);
	bind_int(store, PUT_CLUSTER, 5, cluster->aws.created_at.ms);
	bind_int(store, PUT_CLUSTER, 6, write->item->orphaned_since.ms);
	bind_text(store, PUT_CLUSTER, 7, write->resource);
	return step(store, PUT_CLUSTER, error) && write_claims(store, write->item, error);
}

static bool write_tombstone(
    const struct registry_store *store, const struct tombstone *tombstone, char **error)
{
	bind_int(store, ADD_TOMBSTONE, 1, tombstone->revision);
	bind_text(store, ADD_TOMBSTONE, 2, tombstone->arn);
	bind_text(store, ADD_TOMBSTONE, 3, tombstone->name);
	bind_int(store, ADD_TOMBSTONE, 4, tombstone->reason);
	bind_text(store, ADD_TOMBSTONE, 5, tombstone->detail);
	bind_text(store, ADD_TOMBSTONE, 6, tombstone->renamed_to);
	bind_int(store, ADD_TOMBSTONE, 7, tombstone->removed_at.ms);
	bind_int(store, ADD_TOMBSTONE, 8, tombstone->is_confirmed);
	return step(store, ADD_TOMBSTONE, error);
}

static bool write_one(
    const struct registry_store *store, const struct registry_write *write, char **error)
{
	switch (write->kind) {
	case REGISTRY_WRITE_CLUSTER:
		return write_cluster(store, write, error);
	case REGISTRY_WRITE_TOMBSTONE:
		return write_tombstone(store, write->tombstone, error);
	case REGISTRY_WRITE_REMOVAL:
		return by_arn(store, REMOVE_CLUSTER, write->arn, error) &&
		       by_arn(store, REMOVE_CLAIMS, write->arn, error);
	}
	return false;
}

/* Ends the transaction one way or the other. */
static bool finish(const struct registry_store *store, bool is_good, char **error)
{
	if (is_good && run(store, "COMMIT", "write", error))
		return true;
	/* SQLite may have rolled back by itself (disk full): then this fails, and there is nothing
	 * to undo. */
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

/* A transaction that does not wait for the disk: what it wrote gets there with the next one that
 * does, since both go to the end of one file. */
static bool begin_unsealed(const struct registry_store *store, char **error)
{
	return run(store, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", "write", error);
}

static bool finish_unsealed(const struct registry_store *store, bool is_good, char **error)
{
	bool is_done = finish(store, is_good, error);
	sqlite3_exec(store->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	return is_done;
}

bool registry_store_set_epoch(
    struct registry_store *store, uint64_t epoch, const char *group, char **error)
{
	if (!run(store, "BEGIN IMMEDIATE", "write", error))
		return false;
	bool is_good =
	    set_meta_number(store, "epoch", epoch, error) && set_meta(store, "group", group, error);
	return finish(store, is_good, error);
}

bool registry_store_commit(struct registry_store *store, const struct registry_write *writes,
    size_t count, int64_t sequence, struct unix_time forget_before, char **error)
{
	if (!begin_unsealed(store, error))
		return false;
	bool is_good = true;
	for (size_t i = 0; i < count && is_good; i++)
		is_good = write_one(store, &writes[i], error);
	if (is_good) {
		bind_int(store, FORGET_TOMBSTONES, 1, forget_before.ms);
		is_good = step(store, FORGET_TOMBSTONES, error) &&
			  set_meta_number(store, "sequence", (uint64_t)sequence, error);
	}
	return finish_unsealed(store, is_good, error);
}

/* A transaction that changes nothing would wait for nothing. When the disk refused, the kernel
 * takes what it could not write for written: a checkpoint writes it again, into the other file. */
bool registry_store_seal(struct registry_store *store, char **error)
{
	if (!run(store, "BEGIN IMMEDIATE", "write", error))
		return false;
	bool is_sealed = finish(store, step(store, SEAL, error), error);
	if (is_sealed && store->is_in_doubt)
		is_sealed = sqlite3_wal_checkpoint_v2(
				store->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL) == SQLITE_OK ||
			    fail(store, "write", error);
	store->is_in_doubt = !is_sealed;
	return is_sealed;
}

static bool write_look(const struct registry_store *store, const struct look *look, char **error)
{
	bool is_put = look->described_at.ms != 0;
	enum statement which = is_put ? PUT_LOOK : REMOVE_LOOK;
	bind_text(store, which, 1, look->scope);
	bind_text(store, which, 2, look->name);
	if (is_put) {
		bind_text(store, which, 3, look->arn);
		bind_text(store, which, 4, look->status);
		bind_text(store, which, 5, look->tags);
		bind_int(store, which, 6, look->is_served);
		bind_int(store, which, 7, look->described_at.ms);
	}
	return step(store, which, error);
}

bool registry_store_commit_looks(
    struct registry_store *store, struct look *const *looks, size_t count, char **error)
{
	if (!begin_unsealed(store, error))
		return false;
	bool is_good = true;
	for (size_t i = 0; i < count && is_good; i++)
		is_good = write_look(store, looks[i], error);
	return finish_unsealed(store, is_good, error);
}
