/* A role: what those who hold it may reach, and as whom (Teleport's role document, the part about
 * Kubernetes). */
#ifndef EKSGATE_ROLE_H
#define EKSGATE_ROLE_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/labels.h"
#include "kubeproxyd/policy/document.h"

/* spec.allow or spec.deny. */
struct role_side {
	struct selector *labels; /* never NULL; empty matches no cluster */
	/* Literal names. allow.users "*" is the user's own name; in deny "*" is every name. */
	struct texts groups;
	struct texts users;
};

struct role {
	char *name;
	char *place; /* "FILE:LINE" of the document, for messages */
	struct role_side allow, deny;
};

/* Reads a document of kind role, versions v3 to v8. NULL when it has findings. */
struct role *role_read(struct reading *reading, const struct yaml_node *root) MUST_USE;
void role_free(struct role **role);
bool role_allows(const struct role *role, const struct labels *cluster_labels) MUST_USE;
/* Whether spec.deny takes the cluster away. */
bool role_denies(const struct role *role, const struct labels *cluster_labels) MUST_USE;

/* metadata.name of a role or a binding: 1 to 128 of letters, digits and "._-@:+". NULL is a
 * finding. */
const char *role_read_name(struct reading *reading, const struct yaml_node *root) MUST_USE;

#endif
