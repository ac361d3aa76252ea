/* Chooses the cluster of a request. The prefix is compared on the raw bytes, before anything is
 * decoded, so that no spelling of a path can be read one way here and another way by the API
 * server. Called by admission. */
#include "kubeproxyd/exchange/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "common/xmem.h"

static bool refuse(unsigned code, char *text, unsigned *status, char **message)
{
	*status = code;
	*message = text;
	return false;
}

static bool by_scope(struct arena *arena, const char *target, const char *scope,
    struct route *route, unsigned *status, char **message)
{
	if (scope == NULL)
		return refuse(404,
		    xstrdup(
			"this path names no cluster: the server of your kubeconfig must end with "
			"/clusters/NAME; `kubeproxyd ls` lists the names"),
		    status, message);
	if (!kube_cluster_name_is_valid(scope))
		return refuse(403,
		    xstrdup("the credential is scoped to a cluster name that is not valid"), status,
		    message);
	route->cluster = arena_strndup(arena, scope, strlen(scope));
	route->target = target;
	return true;
}

/* What follows "/clusters/NAME": a path, a query, or nothing. */
static const char *target_behind(struct arena *arena, const char *rest)
{
	if (*rest == '/')
		return rest;
	size_t len = strlen(rest);
	char *target = arena_alloc(arena, len + 2);
	target[0] = '/';
	memcpy(target + 1, rest, len + 1);
	return target;
}

static bool by_prefix(struct arena *arena, const char *target, const char *scope,
    struct route *route, unsigned *status, char **message)
{
	const char *name = target + strlen(ROUTE_PREFIX);
	size_t len = strcspn(name, "/?");
	if (len == 0 || len > KUBE_CLUSTER_NAME_MAX)
		return refuse(404,
		    xstrdup("no cluster name behind /clusters/; `kubeproxyd ls` lists the names"),
		    status, message);
	const char *prefix = arena_strndup(arena, target, strlen(ROUTE_PREFIX) + len);
	route->cluster = prefix + strlen(ROUTE_PREFIX);
	if (!kube_cluster_name_is_valid(route->cluster))
		return refuse(400,
		    xstrdup("what stands behind /clusters/ is not a cluster name: letters, digits, "
			    "'.', '_' "
			    "and '-' only, nothing percent-encoded"),
		    status, message);
	if (scope != NULL && strcmp(scope, route->cluster) != 0)
		return refuse(403,
		    xasprintf("this credential is only for cluster \"%s\", not for \"%s\"", scope,
			route->cluster),
		    status, message);
	route->prefix = prefix;
	route->target = target_behind(arena, name + len);
	return true;
}

bool route_find(struct arena *arena, const char *target, const char *scope, struct route *route,
    unsigned *status, char **message)
{
	*route = (struct route){.prefix = ""};
	if (target[0] != '/')
		return refuse(400,
		    xstrdup("the request target must be a path that begins with '/'"), status,
		    message);
	if (text_begins(target, ROUTE_PREFIX))
		return by_prefix(arena, target, scope, route, status, message);
	return by_scope(arena, target, scope, route, status, message);
}

/* Without a port and the dot of a complete name. */
static size_t host_length(const char *host)
{
	size_t len = strcspn(host, ":");
	return len > 0 && host[len - 1] == '.' ? len - 1 : len;
}

bool route_alias(const char *host, const char *suffix, char alias[ALIAS_MAX + 1])
{
	alias[0] = '\0';
	if (host == NULL || suffix == NULL)
		return false;
	suffix += strspn(suffix, "*.");
	size_t len = host_length(host), suffix_len = host_length(suffix);
	if (suffix_len == 0 || len <= suffix_len + 1 || host[len - suffix_len - 1] != '.' ||
	    strncasecmp(host + len - suffix_len, suffix, suffix_len) != 0)
		return false;
	size_t label = len - suffix_len - 1;
	if (label > ALIAS_MAX || memchr(host, '.', label) != NULL)
		return true;
	for (size_t i = 0; i < label; i++)
		alias[i] = (char)tolower((unsigned char)host[i]);
	alias[label] = '\0';
	return true;
}

bool route_in_cluster(struct arena *arena, const char *target, const char *cluster,
    const char *scope, struct route *route, unsigned *status, char **message)
{
	*route = (struct route){.prefix = ""};
	route->cluster = arena_strndup(arena, cluster, strlen(cluster));
	if (target[0] != '/')
		return refuse(400,
		    xstrdup("the request target must be a path that begins with '/'"), status,
		    message);
	if (scope != NULL && strcmp(scope, cluster) != 0)
		return refuse(403,
		    xasprintf("this credential is only for cluster \"%s\", not for \"%s\"", scope,
			cluster),
		    status, message);
	if (text_begins(target, ROUTE_PREFIX))
		return refuse(404,
		    xasprintf("the server name has chosen cluster \"%s\" already: leave "
			      "/clusters/NAME out of the server's URL",
			cluster),
		    status, message);
	route->target = target;
	return true;
}
