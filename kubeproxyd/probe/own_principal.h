/* Whose access entry a cluster has to have: the configured serving role, or what STS says of the
 * proxy's own identity. */
#ifndef EKSGATE_OWN_PRINCIPAL_H
#define EKSGATE_OWN_PRINCIPAL_H

#include <stdbool.h>

#include "common/attr.h"

struct aws_context;
struct own_principal;

/* `on_known` is called when the ARN becomes known or another. */
struct own_principal *own_principal_new(
    struct aws_context *aws, void (*on_known)(void *arg), void *arg) MUST_USE;
void own_principal_free(struct own_principal **own);
/* Asks STS in `region`, unless the answer is fresh or a question is under way. */
void own_principal_ask(struct own_principal *own, const char *region);
/* Whether STS has answered, be it with an error. */
bool own_principal_is_settled(const struct own_principal *own) MUST_USE;
/* The ARN of the IAM user or role, without the role's path, which STS does not tell; NULL: not
 * known. */
const char *own_principal_arn(const struct own_principal *own);

/* "arn:P:sts::A:assumed-role/R/S" becomes "arn:P:iam::A:role/R"; others stay. free(). */
char *principal_of_caller(const char *arn) MUST_USE;

#endif
