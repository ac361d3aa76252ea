/* What is known of Kubernetes' own kinds of objects: the names that Teleport's roles up to v7 use
 * for them, their API group, and whether they stand in namespaces. Custom resources are not known
 * here. Pure. */
#ifndef EKSGATE_KINDS_H
#define EKSGATE_KINDS_H

#include <stdbool.h>

#include "common/attr.h"

struct kind {
	const char *resource; /* "pods" */
	const char *group; /* "" */
	const char *old_name; /* "pod", "kube_node": of v7 roles; NULL: they have none */
	const char *singular; /* "pod" */
	bool is_cluster_wide;
};

/* By the plural that requests have; NULL when unknown. */
const struct kind *kind_find(const char *group, const char *resource);
/* The same, whatever the group: the first of them. */
const struct kind *kind_find_resource(const char *resource);
const struct kind *kind_find_old(const char *old_name);
const struct kind *kind_find_singular(const char *singular);
/* Of v7 roles, with "*" first, NULL-terminated. */
extern const char *const kind_old_names[];

#endif
