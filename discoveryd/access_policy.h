/* Which access a cluster should have, by the configuration: for whom, how, and who may create what
 * is missing (design.md 5). Pure. */
#ifndef EKSGATE_ACCESS_POLICY_H
#define EKSGATE_ACCESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/kube_cluster.h"

struct aws_matcher;
struct settings;

enum access_mode {
	ACCESS_RBAC, /* an entry with our group, bound to a ClusterRole */
	ACCESS_CLUSTER_ADMIN, /* the access policy on the proxy's own new entry */
	ACCESS_MANUAL, /* nothing is done, only said */
};
const char *access_mode_text(enum access_mode mode);

struct access_wanted {
	enum access_mode mode;
	char **principals; /* ARNs, sorted, each once */
	size_t count;
	bool is_configured; /* they come from setup_access_for_arn */
	char *group;
	char *cluster_role;
	char *bootstrap_role; /* bootstrap_role_arn, or NULL */
};

/* `matchers` are those of the scopes that claim the cluster and that want it. */
void access_wanted_of(const struct settings *settings, const struct aws_matcher *const *matchers,
    size_t count, const struct kube_cluster *cluster, struct access_wanted *wanted);
void access_wanted_free(struct access_wanted *wanted);
bool access_wanted_equal(const struct access_wanted *a, const struct access_wanted *b) MUST_USE;

/* "CONFIG_MAP" clusters have no access entries. */
bool access_has_entries(const struct kube_cluster *cluster) MUST_USE;
/* "API" clusters do not look at aws-auth. */
bool access_has_mappings(const struct kube_cluster *cluster) MUST_USE;
/* The same role or user, even when one of the two ARNs comes from STS, which does not tell paths.
 */
bool access_is_same_principal(const char *a, const char *b) MUST_USE;
/* The principal of an STS identity: an assumed role's session becomes the role, without its path
 * (free()). NULL when it cannot have an access entry. */
char *access_principal_of(const char *sts_arn) MUST_USE;

#endif
