/* What lets the proxy into a cluster, written for the tools that people use: the access entry (or
 * the aws-auth mapping) and the RBAC objects. */
#ifndef EKSGATE_RBAC_TEXT_H
#define EKSGATE_RBAC_TEXT_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"

struct rights;

enum rbac_format {
	RBAC_STEPS, /* a shell script of all of it, with comments */
	RBAC_MANIFESTS,
	RBAC_AWS_AUTH,
	RBAC_EKSCTL,
	RBAC_TERRAFORM,
	RBAC_CLOUDFORMATION,
	RBAC_AWSCLI,
};

/* Borrowed. Manifests need neither cluster nor principal. */
struct rbac_case {
	const char *cluster, *region; /* of EKS */
	const char *principal;
	const char *group, *cluster_role;
	bool is_config_map; /* the cluster takes no access entries */
	const struct rights *rights;
};

/* "manifests", "aws-auth", …; RBAC_STEPS is "steps". */
bool rbac_format_parse(const char *name, enum rbac_format *format) MUST_USE;
void rbac_write(struct buf *out, enum rbac_format format, const struct rbac_case *what);

#endif
