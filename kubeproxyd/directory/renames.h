/* Where names went, for a day. A small bounded list: renaming a cluster is rare. */
#ifndef EKSGATE_RENAMES_H
#define EKSGATE_RENAMES_H

#include <stddef.h>

#include "common/mono.h"

#define RENAMES_MAX 1024

struct rename {
	char *from, *to;
	struct unix_time at;
};

/* {0} is empty. The oldest are forgotten first. */
struct renames {
	struct rename *items;
	size_t count;
};

void renames_add(struct renames *renames, const char *from, const char *to, struct unix_time at);
/* `from` is in use again. */
void renames_remove(struct renames *renames, const char *from);
/* Forgets what is older than a day. */
void renames_expire(struct renames *renames, struct unix_time now);
/* Where `from` went in the end, or NULL. */
const char *renames_find(const struct renames *renames, const char *from);
void renames_free(struct renames *renames);

#endif
