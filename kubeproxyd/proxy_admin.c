/* The admin routes of the proxy: what it serves, how it is, and a cluster's token for root. Answers
 * are documents that the command line prints. Registered by the proxy. */
#include "kubeproxyd/proxy_admin.h"

#include <bsd/sys/queue.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/alias.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/front/session.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/probe/finding.h"
#include "kubeproxyd/probe/prober.h"
#include "kubeproxyd/proxy_admin_sessions.h"

/* A token lives at most 10 minutes here, and 14 with the API server: what is left of it at least.
 */
#define TOKEN_LEFT_SECONDS 240

struct token_call {
	LIST_ENTRY(token_call) entry;
	struct admin_request *request;
	const struct cluster *cluster;
	struct token_wait *wait;
};

struct proxy_admin {
	struct proxy_admin_options with;
	LIST_HEAD(, token_call) calls;
};

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value != NULL ? json_object_new_string(value) : NULL);
}

static void add_time(struct json_object *object, const char *key, struct unix_time at)
{
	char text[UNIX_TIME_TEXT];
	add_text(object, key, at.ms != 0 ? unix_time_text(at, text) : NULL);
}

static void add_count(struct json_object *object, const char *key, size_t count)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)count));
}

/* "ready", "stale", "expired": how much the list of clusters can be trusted. */
static const char *directory_state(const struct directory_status *status)
{
	if (!status->is_known)
		return "unknown";
	if (status->is_expired)
		return "expired";
	return status->is_stale ? "stale" : "fresh";
}

/* --- GET /v1/clusters ---------------------------------------------------------------------- */

static void add_answer(struct json_object *object, const char *key, enum message_answer answer)
{
	static const char *const words[] = {"unknown", "yes", "no"};
	add_text(object, key, words[answer]);
}

static void add_labels(struct json_object *item, const struct labels *labels)
{
	struct json_object *object = json_object_new_object();
	for (size_t i = 0; i < labels->count; i++)
		add_text(object, labels->items[i].key, labels->items[i].value);
	json_object_object_add(item, "labels", object);
}

static struct json_object *list_denied(const struct finding *finding)
{
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; i < finding->denied_count; i++) {
		struct json_object *item = json_object_new_object();
		add_text(item, "verb", finding->denied[i].verb);
		add_text(item, "resource", finding->denied[i].resource);
		add_text(item, "object", finding->denied[i].object);
		json_object_array_add(list, item);
	}
	return list;
}

/* What the proxy's own look found; NULL before the first. */
static struct json_object *describe_access(
    const struct prober *prober, const struct cluster *cluster)
{
	const struct finding *finding = prober_finding(cluster);
	if (finding == NULL)
		return NULL;
	bool is_exact;
	struct json_object *access = json_object_new_object();
	add_text(access, "code", finding->code);
	add_text(access, "text", finding->text);
	add_text(access, "principal", prober_principal(prober, cluster, &is_exact));
	json_object_object_add(access, "principal_exact", json_object_new_boolean(is_exact));
	add_answer(access, "reachable", finding->reachable);
	add_answer(access, "authenticated", finding->authenticated);
	add_answer(access, "permitted", finding->permitted);
	add_answer(access, "healthy", finding->healthy);
	json_object_object_add(access, "denied", list_denied(finding));
	add_time(access, "checked_at", finding->checked);
	return access;
}

static struct json_object *describe(
    const struct cluster *cluster, const char *directory, const char *suffix)
{
	const struct kube_cluster *resource = cluster->resource;
	struct json_object *item = json_object_new_object();
	add_text(item, "name", resource->name);
	char *path = xasprintf("/clusters/%s", resource->name);
	add_text(item, "path", path);
	free(path);
	if (suffix != NULL) {
		char alias[ALIAS_MAX + 1];
		alias_make(resource->name, alias);
		add_text(item, "alias", alias);
	}
	add_text(item, "region", resource->aws.region);
	add_text(item, "account", resource->aws.account_id);
	add_labels(item, &resource->labels);
	add_text(item, "phase", resource->status.phase);
	add_text(item, "endpoint", resource->endpoint);
	add_text(item, "arn", resource->aws.arn);
	add_text(item, "eks_name", resource->aws.name);
	add_text(item, "authentication_mode", resource->authentication_mode);
	add_text(item, "state", cluster->last_error != NULL ? "failing" : directory);
	add_text(item, "last_error", cluster->last_error);
	add_time(item, "last_error_at", cluster->last_error_at);
	return item;
}

/* `grants`: only what they let see; NULL: all. */
static struct json_object *list_clusters(
    const struct proxy_admin *proxy, const struct grants *grants)
{
	struct directory_status status = directory_status(proxy->with.directory);
	const char *suffix = proxy->with.exchanges->with.settings->proxy.sni_suffix;
	struct json_object *list = json_object_new_array();
	struct cluster *cluster = NULL;
	while ((cluster = clusters_next(proxy->with.clusters, cluster)) != NULL) {
		if (grants != NULL && !policy_may_see(grants, &cluster->resource->labels))
			continue;
		struct json_object *item = describe(cluster, directory_state(&status), suffix);
		json_object_object_add(
		    item, "access", describe_access(proxy->with.prober, cluster));
		json_object_array_add(list, item);
	}
	return list;
}

/* The grants of the user (and the groups, a line each) that the request asks for; NULL: of nobody
 * in particular. */
static struct grants *grants_asked_for(
    const struct proxy_admin *proxy, const struct admin_request *request)
{
	const char *user = admin_query(request, "user"), *groups = admin_query(request, "groups");
	if (user == NULL || *user == '\0')
		return NULL;
	char *name = xstrdup(user), *lines = xstrdup(groups != NULL ? groups : ""), *rest = lines;
	char *list[PRINCIPAL_MAX_GROUPS];
	struct identity identity = {
	    .user = name, .groups = list, .source = "certificate", .references = 1};
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (*line != '\0' && identity.group_count < PRINCIPAL_MAX_GROUPS)
			list[identity.group_count++] = line;
	}
	struct grants *grants = policy_grants(proxy->with.exchanges->with.policy, &identity);
	free(lines);
	free(name);
	return grants;
}

static void on_clusters(void *arg, struct admin_request *request)
{
	const struct proxy_admin *proxy = arg;
	struct json_object *document = json_object_new_object();
	add_text(document, "instance", proxy->with.instance);
	struct grants *grants = grants_asked_for(proxy, request);
	json_object_object_add(document, "clusters", list_clusters(proxy, grants));
	grants_free(&grants);
	admin_reply(request, 200, document);
}

/* --- GET /v1/status ------------------------------------------------------------------------ */

static struct json_object *describe_directory(const struct proxy_admin *proxy)
{
	struct directory_status status = directory_status(proxy->with.directory);
	struct json_object *object = json_object_new_object();
	add_text(object, "state", directory_state(&status));
	json_object_object_add(object, "from_cache", json_object_new_boolean(status.is_from_cache));
	add_time(object, "fresh_at", status.fresh_at);
	json_object_object_add(object, "epoch", json_object_new_int64((int64_t)status.epoch));
	json_object_object_add(object, "sequence", json_object_new_int64((int64_t)status.sequence));
	add_count(object, "total", status.total);
	add_count(object, "served", status.served);
	json_object_object_add(
	    object, "clock_offset_ms", json_object_new_int64(status.clock_offset.ms));
	return object;
}

static void on_status(void *arg, struct admin_request *request)
{
	const struct proxy_admin *proxy = arg;
	struct json_object *document = json_object_new_object();
	add_text(document, "instance", proxy->with.instance);
	add_text(document, "version", EKSGATE_VERSION);
	json_object_object_add(document, "directory", describe_directory(proxy));
	add_count(document, "sessions", sessions_count(proxy->with.sessions));
	add_count(document, "exchanges", exchanges_count(proxy->with.exchanges));
	json_object_object_add(document, "clusters", list_clusters(proxy, NULL));
	admin_reply(request, 200, document);
}

/* --- POST /v1/token/NAME ------------------------------------------------------------------- */

static void end_call(struct token_call *call)
{
	LIST_REMOVE(call, entry);
	token_wait_cancel(&call->wait);
	free(call);
}

static void on_token(void *arg, const char *token, const char *error)
{
	struct token_call *call = arg;
	call->wait = NULL;
	if (token == NULL) {
		admin_reply_error(call->request, 502, "%s", error);
	} else {
		struct json_object *document = json_object_new_object();
		add_text(document, "token", token);
		add_time(document, "expires",
		    unix_add(unix_now(), duration_seconds(TOKEN_LEFT_SECONDS)));
		admin_reply(call->request, 200, document);
	}
	end_call(call);
}

static void get_token(
    struct proxy_admin *proxy, struct admin_request *request, const struct cluster *cluster)
{
	struct token_call *call = xcalloc(1, sizeof *call);
	call->request = request;
	call->cluster = cluster;
	LIST_INSERT_HEAD(&proxy->calls, call, entry);
	struct token_wait *wait = token_source_get(cluster->tokens, on_token, call);
	/* NULL: answered inside the call, which is gone. */
	if (wait != NULL)
		call->wait = wait;
}

static void on_token_request(void *arg, struct admin_request *request)
{
	struct proxy_admin *proxy = arg;
	const char *name = admin_tail(request);
	struct cluster *cluster = clusters_find(proxy->with.clusters, name);
	char *error = NULL;
	if (cluster == NULL) {
		admin_reply_error(request, 404, "no cluster is called \"%s\" here", name);
		return;
	}
	if (!cluster_prepare(proxy->with.clusters, cluster, &error)) {
		admin_reply_error(request, 502, "cluster \"%s\" cannot be served: %s", name, error);
		free(error);
		return;
	}
	log_info("admin", "token", LOG_S("cluster", name), LOG_I("uid", admin_peer_uid(request)));
	get_token(proxy, request, cluster);
}

/* --- the set of routes --------------------------------------------------------------------- */

struct proxy_admin *proxy_admin_new(struct admin *admin, const struct proxy_admin_options *options)
{
	struct proxy_admin *proxy = xcalloc(1, sizeof *proxy);
	proxy->with = *options;
	LIST_INIT(&proxy->calls);
	admin_route(admin, "GET", "/v1/clusters", ADMIN_READ, on_clusters, proxy);
	admin_route(admin, "GET", "/v1/status", ADMIN_READ, on_status, proxy);
	admin_route(admin, "POST", "/v1/token/", ADMIN_CHANGE, on_token_request, proxy);
	proxy_admin_sessions(admin, &proxy->with);
	return proxy;
}

void proxy_admin_forget(struct proxy_admin *proxy, const struct cluster *cluster)
{
	struct token_call *call, *next;
	LIST_FOREACH_SAFE(call, &proxy->calls, entry, next)
	{
		if (cluster != NULL && call->cluster != cluster)
			continue;
		admin_reply_error(call->request, 503, "the cluster is not served any more");
		end_call(call);
	}
}

void proxy_admin_free(struct proxy_admin **proxy)
{
	if (*proxy == NULL)
		return;
	proxy_admin_forget(*proxy, NULL);
	xfree(proxy);
}
