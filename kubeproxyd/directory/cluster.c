/* Keeps one object per served cluster beside the directory, and makes what a request needs of it at
 * first use: the check that its endpoint belongs to its ARN, the certificate store, and tokens of
 * the right serving identity. Ten thousand clusters that nobody uses cost a tree node each. */
#include "kubeproxyd/directory/cluster.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws_call.h"
#include "common/aws_credentials.h"
#include "common/aws_endpoint.h"
#include "common/log.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/net/tls.h"

#define SESSION_NAME "eksgate-kubeproxyd"

RB_HEAD(cluster_tree, cluster);

/* A serving identity that clusters share: one refresh under way whatever their number. */
struct serving {
	char *role; /* NULL: own identity */
	char *external_id; /* NULL: none */
	char *region; /* whose STS is asked; NULL for the own identity */
	struct aws_provider *provider;
	struct serving *next;
};

struct clusters {
	struct directory *directory;
	struct aws_context *aws;
	const struct settings *settings;
	cluster_fn *fn;
	void *arg;
	struct cluster_tree tree;
	struct cluster *found; /* the last one, which is mostly asked for again; or NULL */
	struct serving *servings;
	struct duration clock_offset; /* what tokens are minted with */
};

static int compare(const struct cluster *a, const struct cluster *b)
{
	return strcmp(a->resource->name, b->resource->name);
}

RB_PROTOTYPE(cluster_tree, cluster, entry, compare)
/* The analyser loses track of a tree that is emptied node by node.
 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
RB_GENERATE(cluster_tree, cluster, entry, compare)

/* --- serving identities -------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The resource's own serving role, else that of the first selector that matches; *external_id goes
 * with the latter. */
static const char *serving_role(
    const struct settings *settings, const struct kube_cluster *resource, const char **external_id)
{
	*external_id = NULL;
	if (resource->aws.serving_role != NULL)
		return resource->aws.serving_role;
	for (size_t i = 0; i < settings->kubernetes.resource_count; i++) {
		const struct resource_selector *item = &settings->kubernetes.resources[i];
		if (!selector_match(item->labels, &resource->labels))
			continue;
		*external_id = item->external_id;
		return item->assume_role_arn;
	}
	return NULL;
}

static struct aws_provider *new_provider(
    struct clusters *clusters, const char *role, const char *external_id, const char *region)
{
	struct aws_provider *own = aws_provider_default(clusters->aws);
	if (role == NULL)
		return own;
	struct aws_provider *assumed =
	    aws_provider_assume_role(clusters->aws, own, role, external_id, SESSION_NAME, region);
	aws_provider_unref(&own);
	return assumed;
}

static struct aws_provider *provider_of(
    struct clusters *clusters, const struct kube_cluster *resource)
{
	const char *external_id;
	const char *role = serving_role(clusters->settings, resource, &external_id);
	const char *region = role != NULL ? resource->aws.region : NULL;
	for (struct serving *at = clusters->servings; at != NULL; at = at->next) {
		if (same_text(at->role, role) && same_text(at->external_id, external_id) &&
		    same_text(at->region, region))
			return at->provider;
	}
	struct serving *serving = xcalloc(1, sizeof *serving);
	serving->role = xstrdup_or_null(role);
	serving->external_id = xstrdup_or_null(external_id);
	serving->region = xstrdup_or_null(region);
	serving->provider = new_provider(clusters, role, external_id, region);
	serving->next = clusters->servings;
	clusters->servings = serving;
	return serving->provider;
}

static void free_servings(struct clusters *clusters)
{
	struct serving *next;
	for (struct serving *serving = clusters->servings; serving != NULL; serving = next) {
		next = serving->next;
		aws_provider_unref(&serving->provider);
		free(serving->role);
		free(serving->external_id);
		free(serving->region);
		free(serving);
	}
	clusters->servings = NULL;
}

/* --- one cluster's life -------------------------------------------------------------------- */

static void unprepare(struct cluster *cluster)
{
	token_source_free(&cluster->tokens);
	tls_store_unref(&cluster->store);
	cluster->provider = NULL;
	cluster->host[0] = '\0';
}

static void add(struct clusters *clusters, const struct kube_cluster *resource)
{
	struct cluster *cluster = xcalloc(1, sizeof *cluster);
	cluster->resource = kube_cluster_copy(resource);
	RB_INSERT(cluster_tree, &clusters->tree, cluster);
}

static void remove_cluster(struct clusters *clusters, struct cluster *cluster)
{
	RB_REMOVE(cluster_tree, &clusters->tree, cluster);
	clusters->found = NULL;
	clusters->fn(clusters->arg, CLUSTER_GONE, cluster);
	unprepare(cluster);
	kube_cluster_free(&cluster->resource);
	free(cluster->last_error);
	free(cluster);
}

static bool is_served_otherwise(struct clusters *clusters, const struct cluster *cluster)
{
	return cluster->provider != NULL &&
	       provider_of(clusters, cluster->resource) != cluster->provider;
}

static bool is_moved(const struct kube_cluster *old, const struct kube_cluster *now)
{
	return strcmp(old->endpoint, now->endpoint) != 0 ||
	       strcmp(old->certificate_authority, now->certificate_authority) != 0;
}

static void change(
    struct clusters *clusters, struct cluster *cluster, const struct kube_cluster *now)
{
	bool has_moved = is_moved(cluster->resource, now);
	struct kube_cluster *old = cluster->resource;
	cluster->resource = kube_cluster_copy(now);
	kube_cluster_free(&old);
	if (is_served_otherwise(clusters, cluster)) {
		remove_cluster(clusters, cluster);
		add(clusters, now);
		return;
	}
	clusters->fn(clusters->arg, CLUSTER_CHANGED, cluster);
	if (!has_moved)
		return;
	log_info("cluster", "moved", LOG_S("cluster", now->name), LOG_S("endpoint", now->endpoint));
	clusters->fn(clusters->arg, CLUSTER_MOVED, cluster);
	tls_store_unref(&cluster->store);
	cluster->host[0] = '\0';
}

static void on_directory(void *arg, enum directory_event event, const struct kube_cluster *old,
    const struct kube_cluster *now)
{
	struct clusters *clusters = arg;
	struct cluster *cluster = old != NULL ? clusters_find(clusters, old->name) : NULL;
	bool is_in_place =
	    event == DIRECTORY_CHANGED && cluster != NULL && strcmp(old->name, now->name) == 0;
	if (is_in_place) {
		change(clusters, cluster, now);
		return;
	}
	if (cluster != NULL)
		remove_cluster(clusters, cluster);
	if (now != NULL)
		add(clusters, now);
}

/* --- preparation --------------------------------------------------------------------------- */

/* "https://HOST[:PORT]", nothing else: no user, no path, no address in brackets. */
static bool split_endpoint(struct cluster *cluster, const char *endpoint, char **error)
{
	static const char scheme[] = "https://";
	const char *host = endpoint + strlen(scheme);
	size_t len =
	    strncmp(endpoint, scheme, strlen(scheme)) == 0 ? strcspn(host, ":/?#@[]\\ ") : 0;
	long port = 443;
	const char *rest = host + len;
	if (len > 0 && *rest == ':') {
		char *end = NULL;
		port = rest[1] >= '0' && rest[1] <= '9' ? strtol(rest + 1, &end, 10) : 0;
		rest = port > 0 ? end : rest;
	}
	if (len == 0 || len >= sizeof cluster->host || port < 1 || port > 65535 ||
	    (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0)) {
		*error = xasprintf("its endpoint \"%s\" is not https://HOST[:PORT]", endpoint);
		return false;
	}
	memcpy(cluster->host, host, len);
	cluster->host[len] = '\0';
	cluster->port = (uint16_t)port;
	return true;
}

/* At a label's boundary; an address is no suffix of anything else. */
static bool ends_with_host_suffix(const char *host, const char *suffix)
{
	size_t host_len = strlen(host), suffix_len = strlen(suffix);
	bool is_address = suffix[strspn(suffix, "0123456789.")] == '\0';
	if (is_address)
		return strcmp(host, suffix) == 0;
	if (host_len < suffix_len || strcasecmp(host + host_len - suffix_len, suffix) != 0)
		return false;
	return host_len == suffix_len || suffix[0] == '.' || host[host_len - suffix_len - 1] == '.';
}

/* A bearer token works for every cluster of that name that trusts the principal: a wrong endpoint
 * must never get one. */
static bool check_identity(const struct settings *settings, const struct kube_cluster *resource,
    const char *host, char **error)
{
	struct eks_arn arn;
	bool is_consistent = eks_arn_parse(resource->aws.arn, &arn) &&
			     strcmp(arn.region, resource->aws.region) == 0 &&
			     strcmp(arn.account_id, resource->aws.account_id) == 0 &&
			     strcmp(arn.name, resource->aws.name) == 0;
	if (!is_consistent) {
		*error = xasprintf("its ARN %s does not belong to cluster %s of account %s in %s",
		    resource->aws.arn, resource->aws.name, resource->aws.account_id,
		    resource->aws.region);
		return false;
	}
	bool is_test = settings->test.endpoint_suffix != NULL &&
		       ends_with_host_suffix(host, settings->test.endpoint_suffix);
	if (is_test || aws_eks_host_is_of_region(host, arn.partition, arn.region))
		return true;
	*error = xasprintf(
	    "its endpoint host %s is not one that EKS gives to clusters of %s: no token is "
	    "sent there",
	    host, arn.region);
	return false;
}

static struct tls_store *make_store(const struct kube_cluster *resource, char **error)
{
	const char *base64 = resource->certificate_authority;
	size_t len = strlen(base64);
	unsigned char *pem = xmalloc(len / 4 * 3 + 4);
	int pem_len = EVP_DecodeBlock(pem, (const unsigned char *)base64, (int)len);
	struct tls_store *store = NULL;
	char *why = NULL;
	if (pem_len > 0)
		store = tls_store_new(
		    (const char *)pem, strnlen((const char *)pem, (size_t)pem_len), &why);
	if (store == NULL)
		*error = xasprintf(
		    "its certificate authority is unusable: %s", why != NULL ? why : "not base64");
	free(why);
	free(pem);
	return store;
}

static void set_authority(struct cluster *cluster)
{
	if (cluster->port == 443)
		snprintf(cluster->authority, sizeof cluster->authority, "%s", cluster->host);
	else
		snprintf(cluster->authority, sizeof cluster->authority, "%s:%u", cluster->host,
		    cluster->port);
}

static bool prepare_endpoint(struct clusters *clusters, struct cluster *cluster, char **error)
{
	const struct kube_cluster *resource = cluster->resource;
	bool is_sound = split_endpoint(cluster, resource->endpoint, error) &&
			check_identity(clusters->settings, resource, cluster->host, error);
	if (is_sound)
		cluster->store = make_store(resource, error);
	if (cluster->store == NULL) {
		cluster->host[0] = '\0';
		return false;
	}
	set_authority(cluster);
	return true;
}

static void prepare_tokens(struct clusters *clusters, struct cluster *cluster)
{
	const struct settings *settings = clusters->settings;
	cluster->provider = provider_of(clusters, cluster->resource);
	cluster->tokens = token_source_new(cluster->provider, cluster->resource,
	    settings->test.token_sts_host, settings->proxy.token_lifetime, &clusters->clock_offset);
}

static void update_clock(struct clusters *clusters)
{
	clusters->clock_offset = directory_clock_offset(clusters->directory);
	if (clusters->clock_offset.ms == 0)
		clusters->clock_offset = aws_clock_offset(clusters->aws);
}

bool cluster_prepare(struct clusters *clusters, struct cluster *cluster, char **error)
{
	update_clock(clusters);
	if (cluster->store == NULL && !prepare_endpoint(clusters, cluster, error))
		return false;
	if (cluster->tokens == NULL)
		prepare_tokens(clusters, cluster);
	return true;
}

void cluster_rest(struct cluster *cluster)
{
	tls_store_unref(&cluster->store);
	cluster->host[0] = '\0';
}

void cluster_note_error(struct cluster *cluster, const char *error)
{
	if (error == NULL && cluster->last_error == NULL)
		return;
	xfree(&cluster->last_error);
	cluster->last_error = xstrdup_or_null(error);
	cluster->last_error_at = error != NULL ? unix_now() : (struct unix_time){0};
}

/* --- the set ------------------------------------------------------------------------------- */

struct clusters *clusters_new(struct directory *directory, struct aws_context *aws,
    const struct settings *settings, cluster_fn *fn, void *arg)
{
	struct clusters *clusters = xcalloc(1, sizeof *clusters);
	clusters->directory = directory;
	clusters->aws = aws;
	clusters->settings = settings;
	clusters->fn = fn;
	clusters->arg = arg;
	RB_INIT(&clusters->tree);
	directory_observe(directory, on_directory, clusters);
	return clusters;
}

void clusters_free(struct clusters **clusters)
{
	if (*clusters == NULL)
		return;
	struct cluster *cluster;
	while ((cluster = RB_MIN(cluster_tree, &(*clusters)->tree)) != NULL)
		remove_cluster(*clusters, cluster);
	free_servings(*clusters);
	xfree(clusters);
}

static bool are_tokens_other(const struct settings *old, const struct settings *now)
{
	return old->proxy.token_lifetime.ms != now->proxy.token_lifetime.ms ||
	       !same_text(old->test.token_sts_host, now->test.token_sts_host) ||
	       !same_text(old->test.endpoint_suffix, now->test.endpoint_suffix);
}

void clusters_set_settings(struct clusters *clusters, const struct settings *settings)
{
	bool must_renew = are_tokens_other(clusters->settings, settings);
	clusters->settings = settings;
	struct cluster *next;
	for (struct cluster *cluster = clusters_next(clusters, NULL); cluster != NULL;
	     cluster = next) {
		next = clusters_next(clusters, cluster);
		if (!is_served_otherwise(clusters, cluster) &&
		    !(must_renew && cluster->provider != NULL))
			continue;
		struct kube_cluster *resource = kube_cluster_copy(cluster->resource);
		remove_cluster(clusters, cluster);
		add(clusters, resource);
		kube_cluster_free(&resource);
	}
}

const char *clusters_serving_role(const struct clusters *clusters, const struct cluster *cluster)
{
	const char *external_id;
	return serving_role(clusters->settings, cluster->resource, &external_id);
}

struct cluster *clusters_find(struct clusters *clusters, const char *name)
{
	if (clusters->found != NULL && strcmp(clusters->found->resource->name, name) == 0)
		return clusters->found;
	struct kube_cluster key = {.name = (char *)(uintptr_t)name};
	struct cluster wanted = {.resource = &key};
	clusters->found = RB_FIND(cluster_tree, &clusters->tree, &wanted);
	return clusters->found;
}

struct cluster *clusters_next(struct clusters *clusters, const struct cluster *after)
{
	if (after == NULL)
		return RB_MIN(cluster_tree, &clusters->tree);
	return RB_NEXT(cluster_tree, &clusters->tree, (struct cluster *)(uintptr_t)after);
}
