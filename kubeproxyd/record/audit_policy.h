/* What is audited and how much of it: a policy in Kubernetes' own format (audit.k8s.io/v1 Policy).
 * The first rule that matches a request decides its level. Immutable once read. */
#ifndef EKSGATE_AUDIT_POLICY_H
#define EKSGATE_AUDIT_POLICY_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/record/audit_event.h"

struct audit_policy;
struct identity;
struct request_info;

/* Every request at level Metadata. */
struct audit_policy *audit_policy_default(void) MUST_USE;
/* NULL: *error has a line per finding, "FILE:LINE:COLUMN: what" (free()). */
struct audit_policy *audit_policy_load(const char *file, char **error) MUST_USE;
struct audit_policy *audit_policy_parse(
    const char *file, const char *text, size_t len, char **error) MUST_USE;
void audit_policy_free(struct audit_policy **policy);

struct audit_verdict {
	enum audit_level level;
	unsigned omitted; /* stages, a bit each: 1u << enum audit_stage */
	bool omits_managed_fields;
};

/* By the authenticated user and groups, not by those that are impersonated; everybody is in the
 * group system:authenticated, as an API server has it. `info` as parsed.
 * No rule matches: AUDIT_NONE. Objects that are secrets by nature (secrets, tokens of service
 * accounts, TokenReviews) are never more than AUDIT_METADATA, whatever a rule says. */
struct audit_verdict audit_policy_judge(const struct audit_policy *policy,
    const struct identity *identity, const struct request_info *info) MUST_USE;

#endif
