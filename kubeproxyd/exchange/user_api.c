/* The proxy's own routes. What is listed is what a role lets the user see, and no more than the one
 * cluster that the credential is for. Called by exchange.c; nothing here waits. */
#include "kubeproxyd/exchange/user_api.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/exchange/kubeconfig.h"
#include "kubeproxyd/exchange/route.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/policy/policy.h"

#define PREFIX	     "/v1/"
#define WEB_PREFIX   "/webapi/"
#define DEFAULT_PORT 3026

struct visit {
	struct exchanges *all;
	struct caller *caller;
	struct identity *identity; /* NULL: nobody in particular */
	const struct http_head *request;
	struct user_api_answer *answer;
};

static void refuse(struct visit *visit, unsigned status, char *message)
{
	visit->answer->status = status;
	visit->answer->message = message;
}

/* Takes `document`. */
static void answer_json(struct visit *visit, struct json_object *document)
{
	visit->answer->status = 200;
	visit->answer->type = "application/json";
	buf_append_text(&visit->answer->body,
	    json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_append_char(&visit->answer->body, '\n');
	json_object_put(document);
}

/* "https://host:port" under which users reach this proxy (free()): as configured, or as this one
 * did. */
static char *public_server(const struct visit *visit)
{
	const char *address = visit->all->with.settings->kubernetes.public_addr;
	char *server = address != NULL ? kubeconfig_server(address, DEFAULT_PORT) : NULL;
	if (server == NULL && visit->request->authority != NULL)
		server = kubeconfig_server(visit->request->authority, 443);
	return server != NULL ? server : xstrdup("https://localhost:3026");
}

/* --- GET /webapi/find ------------------------------------------------------------------------ */

static struct json_object *describe_kube(const struct visit *visit, const char *public_address)
{
	struct json_object *kube = json_object_new_object();
	json_object_object_add(kube, "enabled", json_object_new_boolean(true));
	json_add_string(kube, "public_addr", public_address);
	json_add_string(kube, "listen_addr", visit->all->with.settings->kubernetes.listen_addr);
	return kube;
}

/* The shape that clients of Teleport look for; what is not offered here is said to be off. */
static void answer_find(struct visit *visit)
{
	static const char *const others[] = {"ssh", "db", "apps", "desktop"};
	char *server = public_server(visit);
	const char *address = server + strlen("https://");
	char *host = xstrndup(address, strcspn(address, ":"));
	struct json_object *document = json_object_new_object();
	struct json_object *proxy = json_object_new_object();
	json_object_object_add(proxy, "kube", describe_kube(visit, address));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct json_object *off = json_object_new_object();
		json_object_object_add(off, "enabled", json_object_new_boolean(false));
		json_object_object_add(proxy, others[i], off);
	}
	json_object_object_add(proxy, "tls_routing_enabled", json_object_new_boolean(false));
	json_object_object_add(document, "proxy", proxy);
	json_add_string(document, "server_version", EKSGATE_VERSION);
	json_add_string(document, "min_client_version", EKSGATE_VERSION);
	json_add_string(document, "cluster_name", host);
	json_add_string(document, "server", "eksgate");
	answer_json(visit, document);
	free(host);
	free(server);
}

/* --- clusters -------------------------------------------------------------------------------- */

/* Borrowed clusters that the user may see, NULL-terminated (free()). */
static const struct kube_cluster **list_visible(const struct visit *visit, size_t *count)
{
	size_t all_count;
	const struct kube_cluster *const *all =
	    directory_list(visit->all->with.directory, &all_count);
	const struct kube_cluster **visible =
	    xcalloc(all_count + 1, sizeof(const struct kube_cluster *));
	struct caller_grants *grants =
	    caller_grants(visit->caller, visit->all->with.policy, visit->identity);
	const char *scope = visit->identity->cluster;
	*count = 0;
	for (size_t i = 0; i < all_count; i++) {
		if (scope != NULL && strcmp(scope, all[i]->name) != 0)
			continue;
		if (policy_may_see(grants->grants, &all[i]->labels))
			visible[(*count)++] = all[i];
	}
	caller_grants_unref(&grants);
	return visible;
}

static bool is_directory_good(struct visit *visit)
{
	if (directory_is_good(visit->all->with.directory))
		return true;
	refuse(visit, 503,
	    xstrdup("the clusters are not known here now: kubeproxyd has not heard from discoveryd "
		    "(`discoveryd status`)"));
	return false;
}

static struct json_object *describe_cluster(
    const struct visit *visit, const struct kube_cluster *cluster)
{
	const char *suffix = visit->all->with.settings->proxy.sni_suffix;
	struct json_object *item = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	char *path = xasprintf(ROUTE_PREFIX "%s", cluster->name);
	json_add_string(item, "name", cluster->name);
	json_add_string(item, "path", path);
	free(path);
	if (suffix != NULL) {
		char alias[ALIAS_MAX + 1];
		alias_make(cluster->name, alias);
		char *host = xasprintf("%s.%s", alias, suffix + strspn(suffix, "*."));
		json_add_string(item, "server_name", host);
		free(host);
	}
	json_add_string(item, "region", cluster->aws.region);
	json_add_string(item, "account", cluster->aws.account_id);
	for (size_t i = 0; i < cluster->labels.count; i++)
		json_add_string(
		    labels, cluster->labels.items[i].key, cluster->labels.items[i].value);
	json_object_object_add(item, "labels", labels);
	return item;
}

static void answer_clusters(struct visit *visit)
{
	size_t count;
	if (!is_directory_good(visit))
		return;
	const struct kube_cluster **visible = list_visible(visit, &count);
	struct json_object *document = json_object_new_object();
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, describe_cluster(visit, visible[i]));
	json_add_string(document, "user", visit->identity->user);
	json_object_object_add(document, "clusters", list);
	answer_json(visit, document);
	free(visible);
}

/* --- GET /v1/kubeconfig ---------------------------------------------------------------------- */

/* The issuer that the user's token is of; NULL when it is not configured any more. */
static const struct oidc_login *issuer_of(const struct visit *visit)
{
	const struct login_settings *login = &visit->all->with.settings->proxy.login;
	const struct trait *issuer = traits_get(&visit->identity->traits, "iss");
	for (size_t i = 0; issuer != NULL && i < login->oidc_count; i++) {
		if (strcmp(login->oidc[i].issuer, issuer->values[0]) == 0)
			return &login->oidc[i];
	}
	return NULL;
}

/* The user entry fits the way in which this user came in. */
static void write_kubeconfig(
    const struct visit *visit, const char *const *names, size_t count, const char *server)
{
	const struct settings *settings = visit->all->with.settings;
	struct kubeconfig_input input = {
	    .server = server,
	    .ca = visit->all->with.authority,
	    .user = visit->identity->user,
	    .clusters = names,
	    .cluster_count = count,
	};
	if (strcmp(visit->identity->source, "iam") == 0)
		input.iam = &settings->proxy.login.iam;
	else if (strcmp(visit->identity->source, "oidc") == 0)
		input.oidc = issuer_of(visit);
	else
		input.has_own_files = true;
	char *text = kubeconfig_text(&input);
	buf_append_text(&visit->answer->body, text);
	xfree_secret(&text);
}

static void answer_kubeconfig(struct visit *visit)
{
	size_t count;
	if (!is_directory_good(visit))
		return;
	const struct kube_cluster **visible = list_visible(visit, &count);
	const char **names = xcalloc(count + 1, sizeof *names);
	for (size_t i = 0; i < count; i++)
		names[i] = visible[i]->name;
	if (count > 0) {
		char *server = public_server(visit);
		write_kubeconfig(visit, names, count, server);
		visit->answer->status = 200;
		visit->answer->type = "application/yaml";
		free(server);
	} else {
		refuse(visit, 403,
		    xasprintf("no role lets user \"%s\" see any cluster. Ask an administrator of "
			      "eksgate for a role_binding",
			visit->identity->user));
	}
	free(names);
	free(visible);
}

/* --- routes ---------------------------------------------------------------------------------- */

static const struct user_route {
	const char *path;
	bool is_public;
	void (*answer)(struct visit *visit);
} routes[] = {
    /* Where clients of Teleport ask, */
    {"/webapi/find", true, answer_find},
    {"/webapi/ping", true, answer_find},
    /* and among what else this proxy answers. */
    {"/v1/webapi/find", true, answer_find},
    {"/v1/webapi/ping", true, answer_find},
    {"/v1/clusters", false, answer_clusters},
    {"/v1/kubeconfig", false, answer_kubeconfig},
};

static const struct user_route *find(const struct http_head *request)
{
	size_t len = strcspn(request->target, "?");
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (strlen(routes[i].path) == len &&
		    memcmp(routes[i].path, request->target, len) == 0)
			return &routes[i];
	}
	return NULL;
}

bool user_api_is_asked(
    const struct exchanges *all, const struct caller *caller, const struct http_head *request)
{
	char alias[ALIAS_MAX + 1];
	const char *target = request->target;
	return (text_begins(target, PREFIX) || text_begins(target, WEB_PREFIX)) &&
	       !route_alias(caller->server_name, all->with.settings->proxy.sni_suffix, alias);
}

bool user_api_is_public(const struct http_head *request)
{
	const struct user_route *route = find(request);
	return route != NULL && route->is_public;
}

void user_api_answer(struct exchanges *all, struct caller *caller, struct identity *identity,
    const struct http_head *request, struct user_api_answer *answer)
{
	struct visit visit = {all, caller, identity, request, answer};
	const struct user_route *route = find(request);
	*answer = (struct user_api_answer){0};
	if (route == NULL)
		refuse(&visit, 404,
		    xstrdup("this proxy answers to /v1/clusters, /v1/kubeconfig and "
			    "/webapi/find; clusters are under /clusters/NAME"));
	else if (strcmp(request->method, "GET") != 0)
		refuse(&visit, 405, xstrdup("only GET is answered here"));
	else
		route->answer(&visit);
}

void user_api_answer_free(struct user_api_answer *answer)
{
	buf_free(&answer->body);
	free(answer->message);
	*answer = (struct user_api_answer){0};
}
