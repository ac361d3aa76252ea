/* What discoveryd did, or was about to do, to access entries: durable before each call that changes
 * one, so that whatever interrupts it, the next start knows what may be left behind (design.md 5).
 * Rows live in the registry's database and outlive the cluster's own row. */
#ifndef EKSGATE_ACCESS_JOURNAL_H
#define EKSGATE_ACCESS_JOURNAL_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

struct registry;

#define ACCESS_OWNER_TEXT 17 /* 16 hex digits */

enum access_row_kind {
	ACCESS_ROW_ENTRY, /* a proxy's entry */
	ACCESS_ROW_BOOTSTRAP, /* the temporary entry of the bootstrap principal */
};

/* How far it is. The call that a stage speaks of may or may not have happened. */
enum access_stage {
	ACCESS_CREATING, /* CreateAccessEntry is under way */
	ACCESS_CREATED, /* the entry is ours */
	ACCESS_GRANTING, /* ours; AssociateAccessPolicy is under way */
	ACCESS_GRANTED, /* ours; it is cluster-admin */
	ACCESS_DELETING, /* a bootstrap's: it has to go */
	ACCESS_UPDATING, /* UpdateAccessEntry of somebody else's entry is under way */
	ACCESS_UPDATED, /* somebody else's; our group was added */
	ACCESS_SEEN, /* somebody else's; it had our group */
};
const char *access_stage_text(enum access_stage stage);

struct access_row {
	RB_ENTRY(access_row) entry;
	char *arn; /* of the cluster */
	enum access_row_kind kind;
	char *principal;
	struct unix_time created_at; /* of the cluster */
	char *account; /* id of the account that acts (account.h) */
	char *region, *cluster; /* what EKS calls it */
	enum access_stage stage;
	struct unix_time since; /* in this stage */
	char *token; /* clientRequestToken of the creation */
};

struct access_journal;

/* Reads the rows; makes the owner's id when there is none. NULL with *error (free()). */
struct access_journal *access_journal_open(struct registry *registry, char **error) MUST_USE;
void access_journal_close(struct access_journal **journal);
/* Which discoveryd this is, in the tags of its entries; lives as long as the state directory. */
const char *access_journal_owner(const struct access_journal *journal);

/* A plain copy that is not in the journal (access_row_free()). */
struct access_row *access_row_new(
    const char *arn, enum access_row_kind kind, const char *principal) MUST_USE;
void access_row_free(struct access_row **row);

/* Makes `row` durable at that stage, now; a row of the same key is replaced. False: nothing changed
 * and nothing may be done, *error says why (free()). The row stays the caller's. */
bool access_journal_put(struct access_journal *journal, const struct access_row *row,
    enum access_stage stage, char **error) MUST_USE;
bool access_journal_remove(struct access_journal *journal, const char *arn,
    enum access_row_kind kind, const char *principal, char **error) MUST_USE;
/* Borrowed until the next change; NULL when there is none. */
const struct access_row *access_journal_find(const struct access_journal *journal, const char *arn,
    enum access_row_kind kind, const char *principal);
/* In order of ARN, kind and principal; NULL starts, NULL ends. */
const struct access_row *access_journal_next(
    const struct access_journal *journal, const struct access_row *row);
/* The same, of one cluster. */
const struct access_row *access_journal_next_of(
    const struct access_journal *journal, const char *arn, const struct access_row *row);
/* Of one cluster; NULL when there is none. */
const struct access_row *access_journal_bootstrap(
    const struct access_journal *journal, const char *arn);

#endif
