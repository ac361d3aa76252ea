/* What a cluster is called here: Teleport's scheme (NAME-eks-REGION-ACCOUNT, or the override tag),
 * and what happens when a name is taken already. Pure. */
#ifndef EKSGATE_NAMING_H
#define EKSGATE_NAMING_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "common/labels.h"

/* Tags that name a cluster; the first that is set decides: ours, then Teleport's two. */
#define NAMING_TAG_OWN "eksgate-name"
#define NAMING_TAG     "TeleportKubernetesName"
#define NAMING_TAG_OLD "teleport.dev/kubernetes-name"

/* The ARN of the cluster that holds `name`, or NULL. Borrowed until the next call. */
typedef const char *naming_holder_fn(void *arg, const char *name);

struct naming {
	char *name; /* NULL: every name that it could have is held */
	char *conflict; /* why it is not the wanted name; NULL when it is */
	bool is_suffixed; /* not what EKS calls it and not from a tag */
};

/* The default name: "prod-eks-us-west-2-123456789012" (free()). */
char *naming_default(const struct eks_arn *parts) MUST_USE;
/* Chooses the name of `arn`; `tags` are those that may name it, which may be none. `current` is
 * what it is called now, NULL for a newcomer: a cluster leaves a fallback name only for what its
 * tag asks for, so that names stay as they are. */
struct naming naming_choose(const char *arn, const struct eks_arn *parts, const struct labels *tags,
    const char *current, naming_holder_fn *holder, void *arg);
void naming_free(struct naming *naming);

#endif
