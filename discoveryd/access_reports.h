/* What proxies told about each cluster (proto/PROTOCOL.md, REPORT): the latest word of each proxy
 * that is connected. Not durable: a proxy tells again when it connects. */
#ifndef EKSGATE_ACCESS_REPORTS_H
#define EKSGATE_ACCESS_REPORTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "proto/message.h"

struct access_reports;

/* One proxy's word; borrowed until the next change. */
struct access_report {
	uint64_t proxy;
	char *instance;
	int64_t created_ms;
	char *principal; /* NULL: not known */
	bool is_exact;
	enum message_answer reachable, authenticated, permitted, healthy;
	char *denied; /* "impersonate groups/viewers, get pods", or NULL */
	char *code, *text;
	int64_t checked_ms;
};

struct access_reports *access_reports_new(void) MUST_USE;
void access_reports_free(struct access_reports **reports);
/* Takes a copy. True when it says something else than the one before, its time apart. */
bool access_reports_take(struct access_reports *reports, uint64_t proxy, const char *instance,
    const struct message_report *report) MUST_USE;
/* Forgets what this proxy told; calls fn for each name that it had told about. */
typedef void access_reports_fn(void *arg, const char *name);
void access_reports_forget(
    struct access_reports *reports, uint64_t proxy, access_reports_fn *fn, void *arg);
/* About this cluster, not one that had its name before; *count of them, in no order that means
 * anything. The array is the caller's (free()). */
const struct access_report **access_reports_of(const struct access_reports *reports,
    const struct kube_cluster *cluster, size_t *count) MUST_USE;
size_t access_reports_count(const struct access_reports *reports) MUST_USE;
const char *access_answer_text(enum message_answer answer);

/* {instance, principal, exact, reachable, authenticated, permitted, healthy, denied, code, text,
 * checked} (json_object_put). */
struct json_object *access_report_to_json(const struct access_report *report) MUST_USE;

#endif
