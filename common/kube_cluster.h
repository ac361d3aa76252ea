/* The resource that travels from discoveryd to kubeproxyd: one EKS cluster.
 * Identity is ARN and creation time; the name is what users type. */
#ifndef EKSGATE_KUBE_CLUSTER_H
#define EKSGATE_KUBE_CLUSTER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/mono.h"

#define KUBE_CLUSTER_NAME_MAX 253
/* A resource larger than this in JSON is refused where it enters. */
#define KUBE_CLUSTER_JSON_MAX 262144u

/* The names that labels of ours have (Teleport's, so that its selectors work here). */
#define LABEL_REGION	      "region"
#define LABEL_ACCOUNT_ID      "account-id"
#define LABEL_CLOUD	      "teleport.dev/cloud"
#define LABEL_ORIGIN	      "teleport.dev/origin"
#define LABEL_DISCOVERY_TYPE  "teleport.dev/discovery-type"
#define LABEL_DISCOVERY_GROUP "teleport.internal/discovery-group-name"
#define LABEL_DISCOVERED_NAME "teleport.internal/discovered-name"
#define LABEL_ARN	      "teleport.internal/aws-arn"

struct kube_cluster {
	char *name; /* unique; [A-Za-z0-9][A-Za-z0-9._-]*, 1 to 253, not "." or ".." */
	char *description; /* NULL when there is none */
	struct labels labels;
	int64_t revision; /* the bus sequence of its last change; 0 before it was committed */
	struct {
		char *name; /* what EKS calls it */
		char *account_id;
		char *region;
		char *arn;
		struct unix_time created_at;
		char *cluster_id; /* local clusters on Outposts: signed in place of the name; else
				     NULL */
		char *serving_role; /* the role kubeproxyd assumes to serve it; NULL: its own
				       identity */
	} aws;
	char *endpoint; /* "https://host[:port]" */
	char *certificate_authority; /* base64 of a PEM bundle, as EKS gives it */
	char *authentication_mode; /* "API", "API_AND_CONFIG_MAP", "CONFIG_MAP" */
	struct {
		char *phase; /* "ready", "removing", "orphaned" */
		char *reason; /* NULL, or why */
		char *access; /* NULL until EKS access is arranged by discoveryd */
	} status;
	/* Members that this version does not know, kept as they came, keyed by the object they
	 * stood in ("", "metadata", "spec", "spec.aws", "status"). NULL when there are none. */
	struct json_object *unknown;
};

void kube_cluster_free(struct kube_cluster **cluster);
struct kube_cluster *kube_cluster_copy(const struct kube_cluster *cluster) MUST_USE;
/* Everything but the revision. */
bool kube_cluster_equal(const struct kube_cluster *a, const struct kube_cluster *b) MUST_USE;
/* Same ARN and same creation time: the same cluster, whatever its name. */
bool kube_cluster_is_same(const struct kube_cluster *a, const struct kube_cluster *b) MUST_USE;

/* The document of kube_cluster.schema.json; the caller's (json_object_put). */
struct json_object *kube_cluster_to_json(const struct kube_cluster *cluster) MUST_USE;
/* Canonical text (sorted keys, no spaces), the form that is stored, hashed and sent (free()). */
char *kube_cluster_to_text(const struct kube_cluster *cluster) MUST_USE;
/* NULL on failure; *error then names the member, 'kube_cluster "prod": spec.endpoint: …' (free()).
 */
struct kube_cluster *kube_cluster_from_json(struct json_object *document, char **error) MUST_USE;
struct kube_cluster *kube_cluster_from_text(const char *text, size_t len, char **error) MUST_USE;

bool kube_cluster_name_is_valid(const char *name) MUST_USE;

/* arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME. Each part is at most 127 bytes. False when it is
 * not one. */
struct eks_arn {
	char partition[16];
	char region[32];
	char account_id[16];
	char name[128];
};
bool eks_arn_parse(const char *arn, struct eks_arn *parts) MUST_USE;

#endif
