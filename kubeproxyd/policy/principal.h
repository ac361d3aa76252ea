/* Names of users and groups, wherever they come from (certificates, roles, the command line): what
 * may be one at all. They end up in header fields, logs and audit events. Pure. */
#ifndef EKSGATE_PRINCIPAL_H
#define EKSGATE_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define PRINCIPAL_MAX_BYTES  256
#define PRINCIPAL_MAX_GROUPS 64

/* NULL when `name` (`len` bytes) may name a user or a group, else why not: "is empty", "holds a
 * control character". */
const char *principal_refuse(const char *name, size_t len) MUST_USE;
/* What Kubernetes and EKS keep for their own (EKS binds rights of its components to users that
 * begin so, and refuses them in access entries), and the group of the proxy itself, by its default
 * name: who is in it may impersonate anybody in a cluster. One of another name
 * (eksgate.access.group) is kept for it by the policy, which is told of it. */
#define PRINCIPAL_OWN_GROUP "eksgate:proxy"
bool principal_is_reserved(const char *name) MUST_USE;
#define PRINCIPAL_RESERVED                                                                         \
	"is or begins with what belongs to Kubernetes, EKS or eksgate itself (system:, eks:, "     \
	"aws:, amazon:, iam:, eksgate:proxy)"

/* What AWS identities are called that no mapping names. Nobody else may be called so, or two would
 * be one in roles, locks and audit events. */
bool principal_is_arn(const char *name) MUST_USE;
#define PRINCIPAL_ARN "begins with arn:, as AWS identities alone are called"

#endif
