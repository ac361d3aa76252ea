/* Token buckets by identity, region and operation. A turn is reserved when it is taken: who comes
 * later waits longer, and nobody has to ask again. The table belongs to the aws_context. */
#include "common/aws_pace.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

/* Calls a second that the rate grows by in each second without throttling. */
#define GROWTH 1.0
/* Throttled answers this close together have one cause. */
#define ONE_CAUSE_MS INT64_C(1000)
/* More budgets than accounts, regions and operations there are: the table begins anew. */
#define PACES_MAX 65536

struct entry {
	char *key;
	struct aws_pace pace;
	RB_ENTRY(entry) link;
};
RB_HEAD(entries, entry);

struct aws_paces {
	struct entries entries;
	size_t count;
};

static int compare_keys(const struct entry *a, const struct entry *b)
{
	return strcmp(a->key, b->key);
}

RB_PROTOTYPE(entries, entry, link, compare_keys);
RB_GENERATE(entries, entry, link, compare_keys);

/* --- one budget ------------------------------------------------------------------------------- */

void aws_pace_init(struct aws_pace *pace, struct mono now)
{
	*pace = (struct aws_pace){.rate = AWS_PACE_FASTEST, .tokens = AWS_PACE_FASTEST, .at = now};
}

static double seconds_between(struct mono earlier, struct mono later)
{
	return later.ns > earlier.ns ? (double)(later.ns - earlier.ns) / 1e9 : 0;
}

static double at_most(double value, double limit)
{
	return value < limit ? value : limit;
}

static void refill(struct aws_pace *pace, struct mono now)
{
	double seconds = seconds_between(pace->at, now);
	pace->at = now;
	pace->rate = at_most(pace->rate + seconds * GROWTH, AWS_PACE_FASTEST);
	pace->tokens = at_most(pace->tokens + seconds * pace->rate, pace->rate);
}

struct duration aws_pace_take(struct aws_pace *pace, struct mono now)
{
	refill(pace, now);
	pace->tokens -= 1;
	double missing = pace->tokens < 0 ? -pace->tokens : 0;
	return duration_ms((int64_t)(missing / pace->rate * 1000.0));
}

void aws_pace_throttled(struct aws_pace *pace, struct mono now)
{
	refill(pace, now);
	if (pace->halved_at.ns != 0 && mono_between(pace->halved_at, now).ms < ONE_CAUSE_MS)
		return;
	pace->halved_at = now;
	pace->rate = pace->rate / 2 > AWS_PACE_SLOWEST ? pace->rate / 2 : AWS_PACE_SLOWEST;
	pace->tokens = at_most(pace->tokens, 0);
}

/* --- all of them ------------------------------------------------------------------------------ */

struct aws_paces *aws_paces_new(void)
{
	struct aws_paces *paces = xcalloc(1, sizeof *paces);
	RB_INIT(&paces->entries);
	return paces;
}

static void drop(struct aws_paces *paces, struct entry *entry)
{
	RB_REMOVE(entries, &paces->entries, entry);
	paces->count--;
	xfree(&entry->key);
	xfree(&entry);
}

static void clear(struct aws_paces *paces)
{
	while (!RB_EMPTY(&paces->entries))
		drop(paces, RB_ROOT(&paces->entries));
}

void aws_paces_free(struct aws_paces **paces)
{
	if (*paces == NULL)
		return;
	clear(*paces);
	xfree(paces);
}

struct aws_pace *aws_paces_find(struct aws_paces *paces, const char *identity, const char *region,
    const char *operation, struct mono now)
{
	struct entry key = {.key = xasprintf("%s %s %s", operation, region, identity)};
	struct entry *entry = RB_FIND(entries, &paces->entries, &key);
	if (entry != NULL) {
		free(key.key);
		return &entry->pace;
	}
	if (paces->count == PACES_MAX)
		clear(paces);
	entry = xcalloc(1, sizeof *entry);
	entry->key = key.key;
	aws_pace_init(&entry->pace, now);
	RB_INSERT(entries, &paces->entries, entry);
	paces->count++;
	return &entry->pace;
}
