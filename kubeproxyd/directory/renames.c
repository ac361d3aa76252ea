/* The list of renames: in order of time, names unique. */
#include "kubeproxyd/directory/renames.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define KEPT_MS INT64_C(86400000)
#define HOPS	8 /* renamed again and again: a loop ends here too */

static void remove_at(struct renames *renames, size_t i)
{
	free(renames->items[i].from);
	free(renames->items[i].to);
	renames->count--;
	memmove(&renames->items[i], &renames->items[i + 1],
	    (renames->count - i) * sizeof *renames->items);
}

static const struct rename *find(const struct renames *renames, const char *from)
{
	for (size_t i = 0; i < renames->count; i++) {
		if (strcmp(renames->items[i].from, from) == 0)
			return &renames->items[i];
	}
	return NULL;
}

void renames_add(struct renames *renames, const char *from, const char *to, struct unix_time at)
{
	renames_remove(renames, from);
	if (renames->count == RENAMES_MAX)
		remove_at(renames, 0);
	renames->items = xreallocarray(renames->items, renames->count + 1, sizeof *renames->items);
	renames->items[renames->count++] = (struct rename){xstrdup(from), xstrdup(to), at};
}

void renames_remove(struct renames *renames, const char *from)
{
	const struct rename *rename = find(renames, from);
	if (rename != NULL)
		remove_at(renames, (size_t)(rename - renames->items));
}

void renames_expire(struct renames *renames, struct unix_time now)
{
	while (renames->count > 0 && now.ms - renames->items[0].at.ms > KEPT_MS)
		remove_at(renames, 0);
}

const char *renames_find(const struct renames *renames, const char *from)
{
	const char *to = NULL;
	const struct rename *rename = find(renames, from);
	for (int hops = 0; rename != NULL && hops < HOPS; hops++) {
		to = rename->to;
		rename = find(renames, to);
	}
	return to;
}

void renames_free(struct renames *renames)
{
	while (renames->count > 0)
		remove_at(renames, renames->count - 1);
	free(renames->items);
	*renames = (struct renames){0};
}
