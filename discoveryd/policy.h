/* The IAM policies that a configuration needs, and no more: what discoveryd's own identity may do,
 * what each role that it assumes may do and who may assume it, and the same for the roles that
 * kubeproxyd serves with. Pure. */
#ifndef EKSGATE_POLICY_H
#define EKSGATE_POLICY_H

#include <json-c/json.h>

#include "common/attr.h"

struct settings;

/* Who the daemons are: ARNs of IAM users or roles. */
struct policy_principals {
	const char *discovery;
	const char
	    *serving; /* NULL: anybody in discovery's account whom it lets assume the roles */
	/* The role of the EC2 instance that both run on, which may assume these two roles and
	 * nothing else (design.md 5); `serving` is known then. NULL: there is none. */
	const char *instance;
};

/* [{account, identity, kind, purpose, document}], kind being "permissions" or "trust": the
 * documents of an identity stand together (json_object_put). `principals->discovery` is a valid
 * ARN. */
struct json_object *policy_documents(
    const struct settings *settings, const struct policy_principals *principals) MUST_USE;
/* "arn:aws:sts::A:assumed-role/R/S" is the role "arn:aws:iam::A:role/R"; others stay (free()).
 * NULL: it is no ARN of a user or role. */
char *policy_principal_of(const char *arn) MUST_USE;

#endif
