/* EKS bearer tokens (reference: EKS bearer token). */
#ifndef EKSGATE_EKS_TOKEN_H
#define EKSGATE_EKS_TOKEN_H

#include "common/attr.h"
#include "common/aws_credentials.h"
#include "common/mono.h"

#define EKS_TOKEN_MAX 4096 /* what API servers accept, prefix included */

/* Pure: "k8s-aws-v1." and the presigned GetCallerIdentity URL. `cluster` is its name, or its id on
 * Outposts. `sts_host` NULL: the region's own. NULL when it would be longer than EKS_TOKEN_MAX,
 * with *error (free()). The token is the caller's (xfree_secret). */
char *eks_token_mint(const struct aws_credentials *credentials, const char *cluster,
    const char *region, const char *sts_host, struct unix_time now, char **error) MUST_USE;

#endif
