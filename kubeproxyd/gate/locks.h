/* Locks: who is kept out at once, whatever certificates, tokens and roles say. One file that root
 * writes and every instance follows. A set is immutable once it is read; the command line builds
 * new ones. */
#ifndef EKSGATE_LOCKS_H
#define EKSGATE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

#define LOCKS_FILE_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct identity;
struct locks;

enum lock_kind { LOCK_USER, LOCK_GROUP, LOCK_ROLE, LOCK_CERTIFICATE, LOCK_KIND_COUNT };

struct lock {
	enum lock_kind kind;
	char *name; /* of a certificate: its serial number, as lock_serial() writes it */
	char *message; /* for those who meet it; NULL: none */
	struct unix_time created;
	struct unix_time expires; /* 0: until it is taken away */
};

/* "user", "group", "role", "certificate"; false: none of them. */
bool lock_kind_parse(const char *text, enum lock_kind *kind) MUST_USE;
const char *lock_kind_text(enum lock_kind kind);
/* "0A:1b" and "a1B" as "A1B" (free()); NULL: no serial number. */
char *lock_serial(const char *text) MUST_USE;

/* An empty set. */
struct locks *locks_new(void) MUST_USE;
/* A file that is not there is an empty set. NULL: *error "FILE: why" (free()). */
struct locks *locks_load(const char *path, char **error) MUST_USE;
struct locks *locks_parse(const char *text, size_t len, char **error) MUST_USE;
void locks_free(struct locks **locks);
/* As the file has it (free()). Without those that had expired at `now`. */
char *locks_text(const struct locks *locks, struct unix_time now) MUST_USE;

/* Copies; one of the same kind and name is replaced. */
void locks_add(struct locks *locks, const struct lock *lock);
/* False: there was none. */
bool locks_remove(struct locks *locks, enum lock_kind kind, const char *name) MUST_USE;

size_t locks_count(const struct locks *locks) MUST_USE;
const struct lock *locks_at(const struct locks *locks, size_t index) MUST_USE;
const struct lock *locks_find(const struct locks *locks, enum lock_kind kind, const char *name,
    struct unix_time now) MUST_USE;
/* The first lock on the user, its groups, its certificate or one of its roles (NULL-terminated);
 * NULL: none. */
const struct lock *locks_on(const struct locks *locks, const struct identity *identity,
    const char *const *roles, struct unix_time now) MUST_USE;
/* A sentence for the one who meets it (free()). */
char *lock_sentence(const struct lock *lock) MUST_USE;

#endif
