/* A batch of removals passes whole or is held whole: half of a mass removal is no better than all
 * of it. How many went within the window is read from the registry's tombstones, so a restart does
 * not open the gate. */
#include "discoveryd/guard.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"

struct held {
	char *source;
	char *arn;
	enum removal_reason reason;
	char *detail;
	struct unix_time since;
};

struct guard {
	struct held *held;
	size_t count;
};

bool guard_refuses(unsigned percent, size_t present, size_t removed, size_t wanted)
{
	size_t total = present + removed;
	return wanted > 0 && total >= GUARD_MIN_CLUSTERS &&
	       (removed + wanted) * 100 > total * percent;
}

static struct unix_time window_start(void)
{
	return unix_add(unix_now(), duration_seconds(-GUARD_WINDOW_SECONDS));
}

struct guard *guard_new(void)
{
	return xcalloc(1, sizeof(struct guard));
}

static void free_held(struct held *held)
{
	free(held->source);
	free(held->arn);
	free(held->detail);
}

void guard_clear(struct guard *guard)
{
	for (size_t i = 0; i < guard->count; i++)
		free_held(&guard->held[i]);
	guard->count = 0;
}

void guard_free(struct guard **guard)
{
	if (*guard == NULL)
		return;
	guard_clear(*guard);
	free((*guard)->held);
	xfree(guard);
}

/* Which of what is held is dropped. */
struct drop {
	const char *source; /* NULL: any */
	const char *arn; /* NULL: any */
	bool (*is_source)(void *arg, const char *source); /* NULL, or those that it does not know */
	void *arg;
};

static bool is_dropped(const struct drop *drop, const struct held *held)
{
	return (drop->source == NULL || strcmp(held->source, drop->source) == 0) &&
	       (drop->arn == NULL || strcmp(held->arn, drop->arn) == 0) &&
	       (drop->is_source == NULL || !drop->is_source(drop->arg, held->source));
}

static void drop_held(struct guard *guard, const struct drop *drop)
{
	size_t kept = 0;
	for (size_t i = 0; i < guard->count; i++) {
		if (is_dropped(drop, &guard->held[i]))
			free_held(&guard->held[i]);
		else
			guard->held[kept++] = guard->held[i];
	}
	guard->count = kept;
}

void guard_release(struct guard *guard, const char *source, const char *arn)
{
	drop_held(guard, &(struct drop){.source = source, .arn = arn});
}

void guard_keep_sources(
    struct guard *guard, bool (*is_source)(void *arg, const char *source), void *arg)
{
	drop_held(guard, &(struct drop){.is_source = is_source, .arg = arg});
}

/* Since when `source` has held `arn`; now when it is new. */
static struct unix_time held_since(const struct guard *guard, const char *source, const char *arn)
{
	for (size_t i = 0; i < guard->count; i++) {
		const struct held *held = &guard->held[i];
		if (strcmp(held->arn, arn) == 0 && strcmp(held->source, source) == 0)
			return held->since;
	}
	return unix_now();
}

/* Moves the removals of `changes` to `list`, keeping the order of the rest. */
static size_t take_removals(const struct guard *guard, const char *source,
    struct registry_changes *changes, struct held *list)
{
	size_t kept = 0, taken = 0;
	for (size_t i = 0; i < changes->count; i++) {
		struct registry_change *change = &changes->items[i];
		if (change->kind != REGISTRY_REMOVE) {
			changes->items[kept++] = *change;
			continue;
		}
		list[taken++] = (struct held){.source = xstrdup(source),
		    .arn = change->arn,
		    .reason = change->reason,
		    .detail = change->detail,
		    .since = held_since(guard, source, change->arn)};
	}
	changes->count = kept;
	return taken;
}

static size_t count_removals(const struct registry_changes *changes)
{
	size_t count = 0;
	for (size_t i = 0; i < changes->count; i++)
		count += changes->items[i].kind == REGISTRY_REMOVE;
	return count;
}

size_t guard_filter(struct guard *guard, const char *source, bool is_whole, unsigned percent,
    const struct registry *registry, struct registry_changes *changes)
{
	size_t wanted = count_removals(changes), taken = 0;
	size_t present = cluster_set_count(registry_set(registry));
	size_t removed = registry_removed_since(registry, window_start());
	struct held *list = xcalloc(wanted + 1, sizeof *list);
	if (guard_refuses(percent, present, removed, wanted))
		taken = take_removals(guard, source, changes, list);
	if (is_whole)
		drop_held(guard, &(struct drop){.source = source});
	for (size_t i = 0; i < taken; i++)
		guard_release(guard, source, list[i].arn);
	guard->held = xreallocarray(guard->held, guard->count + taken + 1, sizeof *guard->held);
	memcpy(guard->held + guard->count, list, taken * sizeof *list);
	guard->count += taken;
	free(list);
	return taken;
}

/* Two scopes may hold the same cluster. */
static bool is_listed(const struct registry_changes *changes, const char *arn)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (strcmp(changes->items[i].arn, arn) == 0)
			return true;
	}
	return false;
}

void guard_confirm(
    const struct guard *guard, const struct registry *registry, struct registry_changes *changes)
{
	for (size_t i = 0; i < guard->count; i++) {
		const struct held *held = &guard->held[i];
		if (cluster_set_find_arn(registry_set(registry), held->arn) == NULL ||
		    is_listed(changes, held->arn))
			continue;
		registry_changes_remove(
		    changes, held->arn, held->reason, xstrdup_or_null(held->detail));
		changes->items[changes->count - 1].is_confirmed = true;
	}
}

size_t guard_held_count(const struct guard *guard)
{
	return guard->count;
}

static struct json_object *held_to_json(const struct held *held, const struct registry *registry)
{
	const struct cluster_item *item = cluster_set_find_arn(registry_set(registry), held->arn);
	struct json_object *object = json_object_new_object();
	char since[UNIX_TIME_TEXT];
	json_add_string(object, "name", item != NULL ? item->cluster->name : NULL);
	json_add_string(object, "arn", held->arn);
	json_add_string(object, "reason", removal_reason_text(held->reason));
	json_add_string(object, "detail", held->detail);
	json_add_string(object, "since", unix_time_text(held->since, since));
	return object;
}

struct json_object *guard_to_json(
    const struct guard *guard, unsigned percent, const struct registry *registry)
{
	struct json_object *object = json_object_new_object(), *clusters = json_object_new_array();
	for (size_t i = 0; i < guard->count; i++)
		json_object_array_add(clusters, held_to_json(&guard->held[i], registry));
	size_t removed = registry_removed_since(registry, window_start());
	json_object_object_add(object, "percent", json_object_new_int((int)percent));
	json_object_object_add(object, "window_seconds", json_object_new_int(GUARD_WINDOW_SECONDS));
	json_object_object_add(object, "removed", json_object_new_int64((int64_t)removed));
	json_object_object_add(object, "held", json_object_new_int64((int64_t)guard->count));
	json_object_object_add(object, "clusters", clusters);
	if (guard->count > 0)
		json_add_string(object, "remedy",
		    "if these clusters should go, run: discoveryd confirm-removal; if not, look at "
		    "the matchers");
	return object;
}

char *guard_held_text(const struct guard *guard, const char *arn)
{
	for (size_t i = 0; i < guard->count; i++) {
		const struct held *held = &guard->held[i];
		if (strcmp(held->arn, arn) == 0)
			return xasprintf("%s: %s", removal_reason_text(held->reason),
			    held->detail != NULL ? held->detail : "no detail");
	}
	return NULL;
}
