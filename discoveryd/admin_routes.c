/* Each route builds a JSON document from the daemon's state; the command line prints it. Called by
 * common/admin. */
#include "discoveryd/admin_routes.h"

#include <stdlib.h>
#include <string.h>

#include "common/admin.h"
#include "common/aws_call.h"
#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access.h"
#include "discoveryd/daemon.h"
#include "discoveryd/discovery.h"
#include "discoveryd/enrollment.h"
#include "discoveryd/explain.h"
#include "discoveryd/guard.h"
#include "discoveryd/publisher.h"
#include "discoveryd/registry.h"
#include "discoveryd/separation.h"

/* --- clusters --------------------------------------------------------------------------------- */

/* The resource, and beside it, not in it, how far it is on the way from discovered to healthy. */
static struct json_object *show_cluster(
    const struct daemon *daemon, const struct cluster_item *item)
{
	struct json_object *object = kube_cluster_to_json(item->cluster);
	json_object_object_add(object, "state", access_state_to_json(daemon->access, item));
	return object;
}

static void on_clusters(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	const struct cluster_set *set = registry_set(daemon->registry);
	struct json_object *array = json_object_new_array();
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(set, item)) != NULL)
		json_object_array_add(array, show_cluster(daemon, item));
	admin_reply(request, 200, array);
}

static void on_cluster(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	const char *name = admin_tail(request);
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(daemon->registry), name);
	if (item == NULL)
		admin_reply_error(request, 404,
		    "kube_cluster \"%s\" does not exist: discoveryd explain %s says why", name,
		    name);
	else
		admin_reply(request, 200, show_cluster(daemon, item));
}

/* --- status ----------------------------------------------------------------------------------- */

static struct json_object *count_clusters(const struct registry *registry)
{
	static const char *const phases[] = {"ready", "removing", "orphaned"};
	int counts[sizeof phases / sizeof phases[0]] = {0};
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(registry_set(registry), item)) != NULL) {
		for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
			counts[i] += strcmp(item->cluster->status.phase, phases[i]) == 0;
	}
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "total",
	    json_object_new_int64((int64_t)cluster_set_count(registry_set(registry))));
	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
		json_object_object_add(object, phases[i], json_object_new_int(counts[i]));
	return object;
}

static struct json_object *scopes_to_json(const struct discovery *discovery)
{
	struct json_object *array = json_object_new_array();
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(discovery, scope)) != NULL)
		json_object_array_add(array, scope_to_json(scope));
	return array;
}

static struct json_object *bus_to_json(const struct daemon *daemon)
{
	struct json_object *object = json_object_new_object(),
			   *peers = publisher_inventory(daemon->publisher);
	json_add_string(object, "socket", daemon->settings->bus.socket);
	json_object_object_add(
	    object, "subscribers", json_object_new_int64((int64_t)json_object_array_length(peers)));
	json_object_put(peers);
	return object;
}

static void on_status(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	struct json_object *object = json_object_new_object();
	char started[UNIX_TIME_TEXT];
	unsigned percent = daemon->settings->removal.guard_percent;
	json_add_string(object, "version", EKSGATE_VERSION);
	json_add_string(object, "configuration", daemon->config);
	json_add_string(object, "started", unix_time_text(daemon->started, started));
	json_add_string(object, "group", daemon->group);
	json_object_object_add(
	    object, "epoch", json_object_new_int64((int64_t)registry_epoch(daemon->registry)));
	json_object_object_add(
	    object, "sequence", json_object_new_int64(registry_sequence(daemon->registry)));
	json_object_object_add(object, "clusters", count_clusters(daemon->registry));
	json_object_object_add(
	    object, "complete", json_object_new_boolean(discovery_is_complete(daemon->discovery)));
	json_object_object_add(object, "access", access_summary(daemon->access));
	daemon_compare_principals(daemon);
	json_object_object_add(object, "principals", separation_to_json(daemon->separation));
	json_object_object_add(object, "guard",
	    guard_to_json(enrollment_guard(daemon->enrollment), percent, daemon->registry));
	json_object_object_add(object, "bus", bus_to_json(daemon));
	json_object_object_add(
	    object, "clock_offset_ms", json_object_new_int64(aws_clock_offset(daemon->aws).ms));
	json_add_string(object, "registry_error", enrollment_error(daemon->enrollment));
	json_add_string(object, "reload_error", daemon->reload_error);
	json_object_object_add(
	    object, "organizations", discovery_organizations_to_json(daemon->discovery));
	json_object_object_add(object, "wildcards", discovery_wildcards_to_json(daemon->discovery));
	json_object_object_add(object, "scopes", scopes_to_json(daemon->discovery));
	admin_reply(request, 200, object);
}

/* --- explain, inventory, confirm-removal ----------------------------------------------------- */

static struct json_object *on_state(void *arg, const struct cluster_item *item)
{
	const struct daemon *daemon = arg;
	return access_state_to_json(daemon->access, item);
}

static void on_explain(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	const char *query = admin_query(request, "q");
	if (query == NULL || query[0] == '\0') {
		admin_reply_error(request, 400, "explain needs a name or an ARN (parameter q)");
		return;
	}
	struct explain_sources sources = {.settings = daemon->settings,
	    .registry = daemon->registry,
	    .discovery = daemon->discovery,
	    .guard = enrollment_guard(daemon->enrollment),
	    .state = on_state,
	    .arg = arg,
	    .registry_error = enrollment_error(daemon->enrollment),
	    .reload_error = daemon->reload_error};
	admin_reply(request, 200, explain(&sources, query));
}

static void on_inventory(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	struct json_object *object = json_object_new_object();
	json_object_object_add(
	    object, "sequence", json_object_new_int64(registry_sequence(daemon->registry)));
	json_object_object_add(object, "clusters", count_clusters(daemon->registry));
	json_object_object_add(
	    object, "complete", json_object_new_boolean(discovery_is_complete(daemon->discovery)));
	json_object_object_add(object, "subscribers", publisher_inventory(daemon->publisher));
	admin_reply(request, 200, object);
}

static void on_confirm(void *arg, struct admin_request *request)
{
	struct daemon *daemon = arg;
	size_t removed = 0;
	char *error = NULL;
	if (!enrollment_confirm(daemon->enrollment, &removed, &error)) {
		admin_reply_error(request, 503, "nothing was removed: %s", error);
		free(error);
		return;
	}
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "removed", json_object_new_int64((int64_t)removed));
	admin_reply(request, 200, object);
}

static void reply_access(const struct daemon *daemon, struct admin_request *request)
{
	struct json_object *object = access_to_json(daemon->access, admin_tail(request));
	if (object != NULL)
		admin_reply(request, 200, object);
	else
		admin_reply_error(request, 404,
		    "kube_cluster \"%s\" does not exist: discoveryd explain %s says why",
		    admin_tail(request), admin_tail(request));
}

static void on_show_access(void *arg, struct admin_request *request)
{
	reply_access(arg, request);
}

/* Tries again now. */
static void on_retry_access(void *arg, struct admin_request *request)
{
	const struct daemon *daemon = arg;
	(void)!access_retry(daemon->access, admin_tail(request));
	reply_access(daemon, request);
}

static void on_forget(void *arg, struct admin_request *request)
{
	struct daemon *daemon = arg;
	bool is_known = false;
	char *error = NULL;
	if (!enrollment_forget(daemon->enrollment, admin_tail(request), &is_known, &error)) {
		admin_reply_error(request, is_known ? 409 : 404, "%s", error);
		free(error);
		return;
	}
	struct json_object *object = json_object_new_object();
	json_add_string(object, "forgotten", admin_tail(request));
	admin_reply(request, 200, object);
}

void admin_routes_add(struct admin *admin, struct daemon *daemon)
{
	admin_route(admin, "GET", ADMIN_CLUSTERS, ADMIN_READ, on_clusters, daemon);
	admin_route(admin, "GET", ADMIN_CLUSTERS "/", ADMIN_READ, on_cluster, daemon);
	admin_route(admin, "GET", ADMIN_STATUS, ADMIN_READ, on_status, daemon);
	admin_route(admin, "GET", ADMIN_EXPLAIN, ADMIN_READ, on_explain, daemon);
	admin_route(admin, "GET", ADMIN_INVENTORY, ADMIN_READ, on_inventory, daemon);
	admin_route(admin, "POST", ADMIN_CONFIRM, ADMIN_CHANGE, on_confirm, daemon);
	admin_route(admin, "GET", ADMIN_ACCESS, ADMIN_READ, on_show_access, daemon);
	admin_route(admin, "POST", ADMIN_ACCESS, ADMIN_CHANGE, on_retry_access, daemon);
	admin_route(admin, "POST", ADMIN_FORGET, ADMIN_CHANGE, on_forget, daemon);
}
