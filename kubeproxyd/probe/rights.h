/* The rights that the proxy's principal needs in a cluster, and the objects that grant them. The
 * groups that roles name narrow impersonation, since unrestricted impersonation includes
 * system:masters. */
#ifndef EKSGATE_RIGHTS_H
#define EKSGATE_RIGHTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct policy;

#define RIGHTS_MAX 24 /* asked in one look; of more groups the first */

/* As SelfSubjectAccessReview takes it; borrowed. */
struct right {
	const char *verb, *group, *resource;
	const char *name; /* NULL: any */
	const char *namespace; /* NULL: all */
};

/* What roles impersonate. */
struct rights {
	char **groups; /* sorted, each once; empty with is_any_group */
	size_t group_count;
	bool is_any_group; /* a role takes groups from a template: none can be named beforehand */
	bool has_extras; /* uids and extras too */
	char **extras; /* keys, sorted, each once: RBAC takes no pattern for them */
	size_t extra_count;
};

/* Of the roles of `policy`. Freed by rights_clear(). */
void rights_of_policy(const struct policy *policy, struct rights *rights);
void rights_clear(struct rights *rights);
/* What whoever runs the proxy should know before these are granted; NULL: nothing. Static. */
const char *rights_warning(const struct rights *rights) MUST_USE;
/* Fills `list` with what a look asks about; how many. */
size_t rights_list(const struct rights *rights, struct right list[RIGHTS_MAX]);

/* rbac.authorization.k8s.io/v1 objects, the caller's (json_object_put). */
struct json_object *rights_cluster_role(const struct rights *rights, const char *name) MUST_USE;
struct json_object *rights_cluster_role_binding(const char *name, const char *group) MUST_USE;

#endif
