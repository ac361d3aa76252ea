/* Which targets are unambiguous enough to be authorised and forwarded (reference kube.md 2.5):
 * everything that another parser on the way could read differently is refused. Pure. */
#ifndef EKSGATE_PATH_POLICY_H
#define EKSGATE_PATH_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* The resolver looks at no more of them: those that follow are not even counted. */
#define TARGET_SEGMENTS 9

struct target_segment {
	size_t at, len;
};

/* Where path and query of a target lie. */
struct target {
	const char *path;
	size_t path_len;
	const char *query; /* behind '?', "" without */
	size_t query_len;
	/* What only a check finds. */
	bool is_plain; /* nothing in the path is encoded: it is its segments, without the last
			  one's '/' */
	struct target_segment segments[TARGET_SEGMENTS]; /* the first ones, up to `opaque_from` */
	size_t segment_count;
	size_t opaque_from; /* where the part of a proxied application begins (behind
			       ".../NAME/proxy"); 0: none was looked for or found */
};

/* `text` is a path and perhaps a query. */
void target_split(const char *text, struct target *target);
/* Fills in `target`. NULL: fine; else why it is refused (static). */
const char *path_policy_check(const char *text, struct target *target) MUST_USE;

#endif
