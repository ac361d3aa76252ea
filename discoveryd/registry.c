/* The registry's memory and its bookkeeping: which change gets which revision, what it tells the
 * observer, which names are remembered. Owns the store, the set and the tombstones. Memory follows
 * the store, never the other way round. */
#include "discoveryd/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/log.h"
#include "common/xmem.h"
#include "discoveryd/registry_store.h"

#define REMEMBER_REMOVED_SECONDS (7 * 24 * 3600)

/* A committed change that the observer waits for. */
struct untold {
	char *name;
	int64_t revision;
	char *resource; /* NULL: a removal */
	size_t resource_len;
};

struct registry {
	struct registry_store *store;
	int lock_fd;
	bool is_new;
	uint64_t epoch;
	int64_t sequence;
	struct cluster_set *set;
	struct look_set *looks;
	struct tombstone **tombstones; /* oldest first */
	size_t tombstone_count;
	registry_observer_fn *observer;
	void *observer_arg;
	bool is_unsealed; /* something was committed since the last seal */
	struct untold *untold; /* in order of revision */
	size_t untold_count;
};

const char *removal_reason_text(enum removal_reason reason)
{
	static const char *const texts[] = {
	    "gone", "unmatched", "orphaned", "renamed", "re-created"};
	return texts[reason];
}

/* --- lists of changes ------------------------------------------------------------------------- */

static struct registry_change *add_change(struct registry_changes *changes)
{
	changes->items = xreallocarray(changes->items, changes->count + 1, sizeof *changes->items);
	struct registry_change *change = &changes->items[changes->count++];
	*change = (struct registry_change){0};
	return change;
}

void registry_changes_put(struct registry_changes *changes, struct cluster_item *item)
{
	struct registry_change *change = add_change(changes);
	change->kind = REGISTRY_PUT;
	change->item = item;
}

void registry_changes_remove(
    struct registry_changes *changes, const char *arn, enum removal_reason reason, char *detail)
{
	struct registry_change *change = add_change(changes);
	change->kind = REGISTRY_REMOVE;
	change->arn = xstrdup(arn);
	change->reason = reason;
	change->detail = detail;
}

void registry_changes_free(struct registry_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		cluster_item_free(&changes->items[i].item);
		free(changes->items[i].arn);
		free(changes->items[i].detail);
	}
	free(changes->items);
	*changes = (struct registry_changes){0};
}

/* --- tombstones ------------------------------------------------------------------------------- */

static void free_tombstone(struct tombstone **tombstone)
{
	if (*tombstone == NULL)
		return;
	free((*tombstone)->arn);
	free((*tombstone)->name);
	free((*tombstone)->detail);
	free((*tombstone)->renamed_to);
	xfree(tombstone);
}

static void add_tombstone(void *arg, struct tombstone *tombstone)
{
	struct registry *registry = arg;
	registry->tombstones = xreallocarray(
	    registry->tombstones, registry->tombstone_count + 1, sizeof(struct tombstone *));
	registry->tombstones[registry->tombstone_count++] = tombstone;
}

static struct unix_time forget_before(void)
{
	return unix_add(unix_now(), duration_seconds(-REMEMBER_REMOVED_SECONDS));
}

static void forget_old(struct registry *registry, struct unix_time before)
{
	size_t old = 0;
	while (
	    old < registry->tombstone_count && registry->tombstones[old]->removed_at.ms < before.ms)
		free_tombstone(&registry->tombstones[old++]);
	if (old == 0)
		return;
	registry->tombstone_count -= old;
	memmove(registry->tombstones, registry->tombstones + old,
	    registry->tombstone_count * sizeof(struct tombstone *));
}

/* --- what the observer waits for -------------------------------------------------------------- */

static void forget_untold(struct registry *registry)
{
	for (size_t i = 0; i < registry->untold_count; i++) {
		free(registry->untold[i].name);
		free(registry->untold[i].resource);
	}
	xfree(&registry->untold);
	registry->untold_count = 0;
}

/* --- opening and closing --------------------------------------------------------------------- */

static bool make_directory(const char *dir, char **error)
{
	struct stat st;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		*error = xasprintf("cannot make %s: %s: make it, owned by the user that runs "
				   "discoveryd, mode 0700",
		    dir, strerror(errno));
		return false;
	}
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		*error = xasprintf("%s is not a directory", dir);
		return false;
	}
	if ((st.st_mode & 077) != 0 && chmod(dir, 0700) != 0) {
		*error = xasprintf(
		    "%s is open to other users (mode %04o) and cannot be closed: %s: chmod 0700 it",
		    dir, (unsigned)st.st_mode & 07777, strerror(errno));
		return false;
	}
	return true;
}

static bool take_lock(struct registry *registry, const char *dir, char **error)
{
	if (access(dir, W_OK) != 0) {
		*error =
		    xasprintf("%s cannot be written to: %s: make it writable for the user that "
			      "runs discoveryd",
			dir, strerror(errno));
		return false;
	}
	char *path = xasprintf("%s/lock", dir);
	char *why = NULL;
	registry->lock_fd = lock_file_take(path, &why);
	free(path);
	if (registry->lock_fd >= 0)
		return true;
	*error = xasprintf("%s (each discoveryd needs an eksgate.state_dir of its own)", why);
	free(why);
	return false;
}

static bool load(struct registry *registry, const char *group, char **error)
{
	struct registry_meta meta = {0};
	bool is_loaded = registry_store_load(
	    registry->store, &meta, registry->set, registry->looks, add_tombstone, registry, error);
	if (is_loaded && meta.group != NULL && strcmp(meta.group, group) != 0)
		log_warn(
		    "registry", "group-changed", LOG_S("from", meta.group), LOG_S("to", group));
	registry->is_new = meta.group == NULL;
	free(meta.group);
	if (!is_loaded)
		return false;
	uint64_t now = (uint64_t)unix_now().ms;
	registry->sequence = meta.sequence;
	registry->epoch = meta.epoch >= now ? meta.epoch + 1 : now;
	return registry_store_set_epoch(registry->store, registry->epoch, group, error);
}

struct registry *registry_open(const char *dir, const char *group, char **error)
{
	if (!make_directory(dir, error))
		return NULL;
	struct registry *registry = xcalloc(1, sizeof *registry);
	registry->set = cluster_set_new();
	registry->looks = look_set_new();
	char *path = xasprintf("%s/registry.db", dir);
	if (take_lock(registry, dir, error))
		registry->store = registry_store_open(path, error);
	free(path);
	if (registry->store == NULL || !load(registry, group, error))
		registry_close(&registry);
	return registry;
}

void registry_close(struct registry **registry)
{
	if (*registry == NULL)
		return;
	registry_store_close(&(*registry)->store);
	cluster_set_free(&(*registry)->set);
	look_set_free(&(*registry)->looks);
	for (size_t i = 0; i < (*registry)->tombstone_count; i++)
		free_tombstone(&(*registry)->tombstones[i]);
	free((*registry)->tombstones);
	forget_untold(*registry);
	if ((*registry)->lock_fd >= 0)
		close((*registry)->lock_fd);
	xfree(registry);
}

/* --- committing ------------------------------------------------------------------------------- */

/* A transaction in the making: copies with their revisions, the rows, and what to tell once they
 * are durable. */
struct batch {
	struct registry *registry;
	struct unix_time now;
	int64_t sequence;
	struct cluster_item **items; /* one per PUT, NULL once memory owns it */
	char **texts; /* as many */
	size_t item_count;
	struct tombstone **tombstones;
	size_t tombstone_count;
	struct registry_write *writes;
	size_t write_count;
	struct registry_event *events;
	size_t event_count;
};

static void add_write(struct batch *batch, struct registry_write write)
{
	batch->writes = xreallocarray(batch->writes, batch->write_count + 1, sizeof *batch->writes);
	batch->writes[batch->write_count++] = write;
}

static void add_event(struct batch *batch, struct registry_event event)
{
	batch->events = xreallocarray(batch->events, batch->event_count + 1, sizeof *batch->events);
	batch->events[batch->event_count++] = event;
}

/* The name of `old` ends with the next revision. */
static void end_name(struct batch *batch, const struct kube_cluster *old,
    enum removal_reason reason, const char *detail, const char *renamed_to, bool is_confirmed)
{
	struct tombstone *tombstone = xcalloc(1, sizeof *tombstone);
	tombstone->arn = xstrdup(old->aws.arn);
	tombstone->name = xstrdup(old->name);
	tombstone->reason = reason;
	tombstone->detail = xstrdup_or_null(detail);
	tombstone->renamed_to = xstrdup_or_null(renamed_to);
	tombstone->revision = ++batch->sequence;
	tombstone->removed_at = batch->now;
	tombstone->is_confirmed = is_confirmed;
	batch->tombstones = xreallocarray(
	    batch->tombstones, batch->tombstone_count + 1, sizeof(struct tombstone *));
	batch->tombstones[batch->tombstone_count++] = tombstone;
	add_write(batch,
	    (struct registry_write){.kind = REGISTRY_WRITE_TOMBSTONE, .tombstone = tombstone});
	add_event(batch,
	    (struct registry_event){.name = tombstone->name, .revision = tombstone->revision});
}

static void plan_removal(struct batch *batch, const struct registry_change *change)
{
	const struct cluster_item *old = cluster_set_find_arn(batch->registry->set, change->arn);
	if (old == NULL)
		return;
	end_name(batch, old->cluster, change->reason, change->detail, NULL, change->is_confirmed);
	add_write(
	    batch, (struct registry_write){.kind = REGISTRY_WRITE_REMOVAL, .arn = change->arn});
}

static void plan_put(struct batch *batch, const struct registry_change *change)
{
	struct cluster_item *item = cluster_item_copy(change->item);
	const struct cluster_item *old =
	    cluster_set_find_arn(batch->registry->set, item->cluster->aws.arn);
	bool is_change = old == NULL || !kube_cluster_equal(old->cluster, item->cluster);
	if (old != NULL && !kube_cluster_is_same(old->cluster, item->cluster))
		end_name(batch, old->cluster, REMOVAL_RECREATED,
		    "another cluster was created under its ARN", NULL, true);
	else if (old != NULL && strcmp(old->cluster->name, item->cluster->name) != 0)
		end_name(batch, old->cluster, REMOVAL_RENAMED, NULL, item->cluster->name, true);
	item->cluster->revision = is_change ? ++batch->sequence : old->cluster->revision;
	char *text = kube_cluster_to_text(item->cluster);
	batch->items =
	    xreallocarray(batch->items, batch->item_count + 1, sizeof(struct cluster_item *));
	batch->texts = xreallocarray(batch->texts, batch->item_count + 1, sizeof(char *));
	batch->items[batch->item_count] = item;
	batch->texts[batch->item_count++] = text;
	add_write(batch, (struct registry_write){
			     .kind = REGISTRY_WRITE_CLUSTER, .item = item, .resource = text});
	if (is_change)
		add_event(batch, (struct registry_event){.name = item->cluster->name,
				     .revision = item->cluster->revision,
				     .resource = text,
				     .resource_len = strlen(text)});
}

static void apply(struct batch *batch)
{
	struct registry *registry = batch->registry;
	for (size_t i = 0; i < batch->write_count; i++) {
		const struct registry_write *write = &batch->writes[i];
		if (write->kind == REGISTRY_WRITE_REMOVAL)
			cluster_set_remove(registry->set, write->arn);
	}
	for (size_t i = 0; i < batch->item_count; i++) {
		cluster_set_put(registry->set, batch->items[i]);
		batch->items[i] = NULL;
	}
	for (size_t i = 0; i < batch->tombstone_count; i++) {
		add_tombstone(registry, batch->tombstones[i]);
		batch->tombstones[i] = NULL;
	}
	registry->sequence = batch->sequence;
}

/* Copies: the next commit may replace what they are about. */
static void keep_untold(const struct batch *batch)
{
	struct registry *registry = batch->registry;
	registry->untold = xreallocarray(registry->untold,
	    registry->untold_count + batch->event_count + 1, sizeof *registry->untold);
	for (size_t i = 0; i < batch->event_count; i++) {
		const struct registry_event *event = &batch->events[i];
		registry->untold[registry->untold_count++] =
		    (struct untold){.name = xstrdup(event->name),
			.revision = event->revision,
			.resource = xstrdup_or_null(event->resource),
			.resource_len = event->resource_len};
	}
}

static void tell(struct registry *registry)
{
	struct registry_event *events = xcalloc(registry->untold_count + 1, sizeof *events);
	for (size_t i = 0; i < registry->untold_count; i++) {
		const struct untold *untold = &registry->untold[i];
		events[i] = (struct registry_event){.name = untold->name,
		    .revision = untold->revision,
		    .resource = untold->resource,
		    .resource_len = untold->resource_len};
	}
	if (registry->observer != NULL && registry->untold_count > 0)
		registry->observer(registry->observer_arg, events, registry->untold_count);
	free(events);
	forget_untold(registry);
}

static void free_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->item_count; i++) {
		cluster_item_free(&batch->items[i]);
		free(batch->texts[i]);
	}
	for (size_t i = 0; i < batch->tombstone_count; i++)
		free_tombstone(&batch->tombstones[i]);
	free(batch->items);
	free(batch->texts);
	free(batch->tombstones);
	free(batch->writes);
	free(batch->events);
}

bool registry_commit(
    struct registry *registry, const struct registry_changes *changes, char **error)
{
	struct batch batch = {
	    .registry = registry, .now = unix_now(), .sequence = registry->sequence};
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->items[i].kind == REGISTRY_PUT)
			plan_put(&batch, &changes->items[i]);
		else
			plan_removal(&batch, &changes->items[i]);
	}
	struct unix_time before = forget_before();
	bool is_done =
	    batch.write_count == 0 || registry_store_commit(registry->store, batch.writes,
					  batch.write_count, batch.sequence, before, error);
	if (is_done && batch.write_count > 0) {
		apply(&batch);
		keep_untold(&batch);
		forget_old(registry, before);
		registry->is_unsealed = true;
	}
	free_batch(&batch);
	return is_done;
}

bool registry_seal(struct registry *registry, char **error)
{
	if (!registry->is_unsealed)
		return true;
	if (!registry_store_seal(registry->store, error))
		return false;
	registry->is_unsealed = false;
	tell(registry);
	return true;
}

bool registry_commit_looks(
    struct registry *registry, struct look **looks, size_t count, char **error)
{
	bool is_done =
	    count == 0 || registry_store_commit_looks(registry->store, looks, count, error);
	for (size_t i = 0; i < count; i++) {
		if (is_done && looks[i]->described_at.ms != 0) {
			look_set_put(registry->looks, looks[i]);
			looks[i] = NULL;
		} else if (is_done) {
			look_set_remove(registry->looks, looks[i]->scope, looks[i]->name);
		}
		look_free(&looks[i]);
	}
	return is_done;
}

struct sqlite3 *registry_database(struct registry *registry)
{
	return registry_store_database(registry->store);
}

/* --- reading ---------------------------------------------------------------------------------- */

const struct cluster_set *registry_set(const struct registry *registry)
{
	return registry->set;
}

const struct look_set *registry_looks(const struct registry *registry)
{
	return registry->looks;
}

bool registry_is_new(const struct registry *registry)
{
	return registry->is_new;
}

uint64_t registry_epoch(const struct registry *registry)
{
	return registry->epoch;
}

int64_t registry_sequence(const struct registry *registry)
{
	return registry->sequence;
}

static int compare_revisions(const void *a, const void *b)
{
	const struct registry_event *left = a, *right = b;
	return (left->revision > right->revision) - (left->revision < right->revision);
}

struct registry_event *registry_snapshot(
    const struct registry *registry, size_t *count, char ***texts)
{
	size_t total = cluster_set_count(registry->set);
	struct registry_event *events = xcalloc(total + 1, sizeof *events);
	*texts = xcalloc(total + 1, sizeof **texts);
	*count = 0;
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(registry->set, item)) != NULL) {
		char *text = kube_cluster_to_text(item->cluster);
		(*texts)[*count] = text;
		events[(*count)++] = (struct registry_event){.name = item->cluster->name,
		    .revision = item->cluster->revision,
		    .resource = text,
		    .resource_len = strlen(text)};
	}
	qsort(events, *count, sizeof *events, compare_revisions);
	return events;
}

void registry_observe(struct registry *registry, registry_observer_fn *fn, void *arg)
{
	registry->observer = fn;
	registry->observer_arg = arg;
}

size_t registry_tombstone_count(const struct registry *registry)
{
	return registry->tombstone_count;
}

size_t registry_removed_since(const struct registry *registry, struct unix_time since)
{
	size_t count = 0;
	for (size_t i = 0; i < registry->tombstone_count; i++) {
		const struct tombstone *tombstone = registry->tombstones[i];
		count += tombstone->removed_at.ms >= since.ms && !tombstone->is_confirmed;
	}
	return count;
}

const struct tombstone *registry_find_tombstone(const struct registry *registry, const char *text)
{
	for (size_t i = registry->tombstone_count; i-- > 0;) {
		const struct tombstone *tombstone = registry->tombstones[i];
		struct eks_arn parts;
		if (strcmp(tombstone->name, text) == 0 || strcmp(tombstone->arn, text) == 0 ||
		    (eks_arn_parse(tombstone->arn, &parts) && strcmp(parts.name, text) == 0))
			return tombstone;
	}
	return NULL;
}
