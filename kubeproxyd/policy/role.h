/* A role as somebody holds it: what they may reach, and as whom (Teleport's role document, the part
 * about Kubernetes), with templates filled in. Immutable. */
#ifndef EKSGATE_ROLE_H
#define EKSGATE_ROLE_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/labels.h"
#include "kubeproxyd/policy/document.h"
#include "kubeproxyd/policy/resource_rule.h"

struct expression;
struct impersonation;
struct subject;

/* spec.allow or spec.deny. */
struct role_side {
	struct selector *labels; /* never NULL; empty matches no cluster */
	const struct expression *expression; /* or NULL; the source's */
	/* Literal names. allow.users "*" is the user's own name; in deny "*" is every name. */
	struct texts groups;
	struct texts users;
	bool lists_users; /* though the templates may give none */
	const struct impersonation *impersonation; /* or NULL; the source's */
	struct resource_rule *rules;
	struct rule_key *keys; /* one a rule */
	size_t rule_count;
};

struct role {
	const char *name; /* the source's, as `place` */
	const char *place; /* "FILE:LINE" of the document, for messages */
	char *text; /* "role NAME allow" */
	bool denies_clusters, denies_names; /* deny has labels or an expression; users or groups */
	struct role_side allow, deny;
};

void role_free(struct role **role);
/* Whether spec.allow is about the cluster: labels and expression, where both stand both. */
bool role_allows(const struct role *role, const struct subject *subject,
    const struct labels *cluster_labels) MUST_USE;
/* Whether spec.deny takes the cluster away: labels or expression. */
bool role_denies(const struct role *role, const struct subject *subject,
    const struct labels *cluster_labels) MUST_USE;

/* metadata.name of a role or a binding: 1 to 128 of letters, digits and "._-@:+". NULL is a
 * finding. */
const char *role_read_name(struct reading *reading, const struct yaml_node *root) MUST_USE;

#endif
