/* Conversion of an EKS cluster into the resource that travels to the proxies. Everything from AWS
 * is checked here, once: what passes can be stored and read back by every later version. */
#include "discoveryd/candidate.h"

#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/naming.h"

/* Names that are ours: a tag of that name never becomes a label. */
static const char *const RESERVED_LABELS[] = {LABEL_REGION, LABEL_ACCOUNT_ID, LABEL_CLOUD,
    LABEL_ORIGIN, LABEL_DISCOVERY_TYPE, LABEL_DISCOVERY_GROUP, LABEL_DISCOVERED_NAME, LABEL_ARN};

static bool is_reserved(const char *key)
{
	for (size_t i = 0; i < sizeof RESERVED_LABELS / sizeof RESERVED_LABELS[0]; i++) {
		if (strcmp(key, RESERVED_LABELS[i]) == 0)
			return true;
	}
	return false;
}

struct labels candidate_labels(const struct eks_cluster *eks, const struct eks_arn *parts)
{
	struct labels labels = {0};
	for (size_t i = 0; i < eks->tags.count; i++) {
		const struct label *tag = &eks->tags.items[i];
		if (label_key_is_valid(tag->key) && !is_reserved(tag->key))
			labels_set(&labels, tag->key, tag->value);
	}
	labels_set(&labels, LABEL_REGION, parts->region);
	labels_set(&labels, LABEL_ACCOUNT_ID, parts->account_id);
	labels_set(&labels, LABEL_CLOUD, "AWS");
	labels_set(&labels, LABEL_ARN, eks->arn);
	return labels;
}

const struct aws_matcher *candidate_match(
    const struct labels *labels, const struct aws_matcher *const *matchers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (selector_match(matchers[i]->tags, labels))
			return matchers[i];
	}
	return NULL;
}

struct labels candidate_add_labels(const struct labels *labels, const struct aws_matcher *matcher)
{
	struct labels all = {0};
	labels_copy(&all, labels);
	for (size_t i = 0; i < matcher->labels.count; i++)
		labels_set(&all, matcher->labels.items[i].key, matcher->labels.items[i].value);
	return all;
}

bool candidate_is_served_status(const char *status)
{
	return status != NULL && (strcmp(status, "ACTIVE") == 0 || strcmp(status, "UPDATING") == 0);
}

/* Whether what was built can be read back by whoever receives it. */
static bool is_readable(const struct kube_cluster *cluster, char **error)
{
	char *text = kube_cluster_to_text(cluster);
	size_t len = strlen(text);
	if (len > (size_t)KUBE_CLUSTER_JSON_MAX) {
		*error = xasprintf("kube_cluster \"%s\" is %zu bytes long, more than %u",
		    cluster->name, len, KUBE_CLUSTER_JSON_MAX);
		free(text);
		return false;
	}
	struct kube_cluster *again = kube_cluster_from_text(text, len, error);
	free(text);
	bool is_valid = again != NULL;
	kube_cluster_free(&again);
	return is_valid;
}

static void set_labels(struct kube_cluster *cluster, const struct labels *labels,
    const struct naming *naming, const char *group)
{
	labels_copy(&cluster->labels, labels);
	labels_set(&cluster->labels, LABEL_ORIGIN, "cloud");
	labels_set(&cluster->labels, LABEL_DISCOVERY_TYPE, "eks");
	labels_set(&cluster->labels, LABEL_DISCOVERY_GROUP, group);
	if (naming->is_suffixed)
		labels_set(&cluster->labels, LABEL_DISCOVERED_NAME, cluster->aws.name);
}

static void keep_from_previous(struct kube_cluster *cluster, const struct kube_cluster *previous)
{
	if (previous == NULL || !kube_cluster_is_same(cluster, previous))
		return;
	cluster->status.access = xstrdup_or_null(previous->status.access);
	cluster->unknown = json_object_get(previous->unknown);
}

struct kube_cluster *candidate_build(const struct eks_cluster *eks, const struct labels *labels,
    const struct naming *naming, const char *group, const struct kube_cluster *previous,
    char **error)
{
	struct eks_arn parts;
	if (!eks_arn_parse(eks->arn, &parts)) {
		*error = xasprintf("\"%s\" is not the ARN of an EKS cluster", eks->arn);
		return NULL;
	}
	struct kube_cluster *cluster = xcalloc(1, sizeof *cluster);
	cluster->name = xstrdup(naming->name);
	cluster->description = xasprintf("AWS EKS cluster \"%s\" in %s", eks->name, parts.region);
	cluster->aws.name = xstrdup(eks->name);
	cluster->aws.account_id = xstrdup(parts.account_id);
	cluster->aws.region = xstrdup(parts.region);
	cluster->aws.arn = xstrdup(eks->arn);
	cluster->aws.created_at = eks->created_at;
	cluster->aws.cluster_id = xstrdup_or_null(eks->cluster_id);
	cluster->endpoint = xstrdup_or_null(eks->endpoint);
	cluster->certificate_authority = xstrdup_or_null(eks->certificate_authority);
	cluster->authentication_mode = xstrdup(eks->authentication_mode);
	cluster->status.phase = xstrdup("ready");
	cluster->status.reason = xstrdup_or_null(naming->conflict);
	set_labels(cluster, labels, naming, group);
	keep_from_previous(cluster, previous);
	if (previous != NULL && kube_cluster_equal(previous, cluster))
		return cluster;
	if (!is_readable(cluster, error))
		kube_cluster_free(&cluster);
	return cluster;
}
