/* A table of reports by cluster name and proxy. */
#include "discoveryd/access_reports.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/xmem.h"

struct entry {
	RB_ENTRY(entry) node;
	char *name;
	struct access_report *items;
	size_t count;
};
RB_HEAD(entries, entry);

struct access_reports {
	struct entries entries;
	size_t count;
};

static int compare(const struct entry *a, const struct entry *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(entries, entry, node, compare, __attribute__((__unused__)) static)

static struct entry *find(const struct access_reports *reports, const char *name)
{
	struct entry *entry = RB_ROOT(&reports->entries);
	while (entry != NULL) {
		int order = strcmp(name, entry->name);
		if (order == 0)
			break;
		entry = order < 0 ? RB_LEFT(entry, node) : RB_RIGHT(entry, node);
	}
	return entry;
}

const char *access_answer_text(enum message_answer answer)
{
	return answer == ANSWER_YES ? "yes" : answer == ANSWER_NO ? "no" : "unknown";
}

/* --- one report ------------------------------------------------------------------------------- */

static void clear(struct access_report *report)
{
	free(report->instance);
	free(report->principal);
	free(report->denied);
	free(report->code);
	free(report->text);
	*report = (struct access_report){0};
}

static char *denied_text(const struct message_report *report)
{
	struct buf text = {0};
	for (size_t i = 0; i < report->denied_count; i++) {
		const struct message_permission *denied = &report->denied[i];
		buf_printf(&text, "%s%s %s%s%s", i > 0 ? ", " : "", denied->verb, denied->resource,
		    denied->object != NULL ? "/" : "",
		    denied->object != NULL ? denied->object : "");
	}
	return report->denied_count > 0 ? buf_take(&text) : NULL;
}

static struct access_report copy(
    uint64_t proxy, const char *instance, const struct message_report *report)
{
	return (struct access_report){.proxy = proxy,
	    .instance = xstrdup(instance),
	    .created_ms = report->created_ms,
	    .principal = xstrdup_or_null(report->principal),
	    .is_exact = report->is_exact,
	    .reachable = report->reachable,
	    .authenticated = report->authenticated,
	    .permitted = report->permitted,
	    .healthy = report->healthy,
	    .denied = denied_text(report),
	    .code = xstrdup(report->code),
	    .text = xstrdup(report->text),
	    .checked_ms = report->checked_ms};
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same(const struct access_report *a, const struct access_report *b)
{
	return a->created_ms == b->created_ms && same_text(a->principal, b->principal) &&
	       a->is_exact == b->is_exact && a->reachable == b->reachable &&
	       a->authenticated == b->authenticated && a->permitted == b->permitted &&
	       a->healthy == b->healthy && same_text(a->denied, b->denied) &&
	       same_text(a->code, b->code) && same_text(a->text, b->text);
}

/* --- the table -------------------------------------------------------------------------------- */

static void drop_entry(struct access_reports *reports, struct entry *entry)
{
	RB_REMOVE(entries, &reports->entries, entry);
	free(entry->items);
	free(entry->name);
	free(entry);
}

static void remove_at(struct access_reports *reports, struct entry *entry, size_t i)
{
	clear(&entry->items[i]);
	entry->items[i] = entry->items[--entry->count];
	reports->count--;
	if (entry->count == 0)
		drop_entry(reports, entry);
}

static struct access_report *find_of(struct entry *entry, uint64_t proxy)
{
	for (size_t i = 0; entry != NULL && i < entry->count; i++) {
		if (entry->items[i].proxy == proxy)
			return &entry->items[i];
	}
	return NULL;
}

static void add(struct access_reports *reports, const char *name, struct access_report report)
{
	struct entry *entry = find(reports, name);
	if (entry == NULL) {
		entry = xcalloc(1, sizeof *entry);
		entry->name = xstrdup(name);
		RB_INSERT(entries, &reports->entries, entry);
	}
	entry->items = xreallocarray(entry->items, entry->count + 1, sizeof *entry->items);
	entry->items[entry->count++] = report;
	reports->count++;
}

bool access_reports_take(struct access_reports *reports, uint64_t proxy, const char *instance,
    const struct message_report *report)
{
	struct entry *entry = find(reports, report->name);
	struct access_report *old = find_of(entry, proxy);
	if (!report->is_serving) {
		if (old != NULL)
			remove_at(reports, entry, (size_t)(old - entry->items));
		return old != NULL;
	}
	struct access_report new = copy(proxy, instance, report);
	if (old == NULL) {
		add(reports, report->name, new);
		return true;
	}
	bool is_news = !is_same(old, &new);
	clear(old);
	*old = new;
	return is_news;
}

void access_reports_forget(
    struct access_reports *reports, uint64_t proxy, access_reports_fn *fn, void *arg)
{
	struct entry *entry, *next;
	RB_FOREACH_SAFE(entry, entries, &reports->entries, next)
	{
		struct access_report *report = find_of(entry, proxy);
		if (report == NULL)
			continue;
		char *name = xstrdup(entry->name);
		remove_at(reports, entry, (size_t)(report - entry->items));
		fn(arg, name);
		free(name);
	}
}

const struct access_report **access_reports_of(
    const struct access_reports *reports, const struct kube_cluster *cluster, size_t *count)
{
	const struct entry *entry = find(reports, cluster->name);
	size_t total = entry != NULL ? entry->count : 0;
	const struct access_report **items = xcalloc(total + 1, sizeof(struct access_report *));
	*count = 0;
	for (size_t i = 0; i < total; i++) {
		if (entry->items[i].created_ms == cluster->aws.created_at.ms)
			items[(*count)++] = &entry->items[i];
	}
	return items;
}

size_t access_reports_count(const struct access_reports *reports)
{
	return reports->count;
}

struct access_reports *access_reports_new(void)
{
	struct access_reports *reports = xcalloc(1, sizeof *reports);
	RB_INIT(&reports->entries);
	return reports;
}

void access_reports_free(struct access_reports **reports)
{
	struct entry *entry;
	if (*reports == NULL)
		return;
	while ((entry = RB_MIN(entries, &(*reports)->entries)) != NULL) {
		for (size_t i = 0; i < entry->count; i++)
			clear(&entry->items[i]);
		drop_entry(*reports, entry);
	}
	xfree(reports);
}

struct json_object *access_report_to_json(const struct access_report *report)
{
	struct json_object *object = json_object_new_object();
	char at[UNIX_TIME_TEXT];
	json_add_string(object, "instance", report->instance);
	json_add_string(object, "principal", report->principal);
	json_object_object_add(object, "exact", json_object_new_boolean(report->is_exact));
	json_add_string(object, "reachable", access_answer_text(report->reachable));
	json_add_string(object, "authenticated", access_answer_text(report->authenticated));
	json_add_string(object, "permitted", access_answer_text(report->permitted));
	json_add_string(object, "healthy", access_answer_text(report->healthy));
	json_add_string(object, "denied", report->denied);
	json_add_string(object, "code", report->code);
	json_add_string(object, "text", report->text);
	json_add_string(
	    object, "checked", unix_time_text((struct unix_time){report->checked_ms}, at));
	return object;
}
