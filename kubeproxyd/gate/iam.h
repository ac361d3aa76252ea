/* Users by AWS identity: whoever AWS says that the token's signer is. */
#ifndef EKSGATE_IAM_H
#define EKSGATE_IAM_H

#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/gate/refusal.h"

struct fetcher;
struct iam;
struct iam_login;
struct iam_query;

/* Everything is borrowed. `test_host` (host:port, plain HTTP) stands in for STS; NULL: STS itself.
 * NULL when the settings let nobody in. */
struct iam *iam_new(
    struct fetcher *fetcher, const struct iam_login *login, const char *test_host) MUST_USE;
/* No query may be under way. */
void iam_free(struct iam **iam);
/* After a reload that changed nothing here: the settings moved. */
void iam_set(struct iam *iam, const struct iam_login *login, const char *test_host);

/* NULL: answered inside the call. `address` is the client's, without port. */
struct iam_query *iam_resolve(struct iam *iam, const char *token, size_t len, const char *address,
    identity_fn *fn, void *arg) MUST_USE;
void iam_query_cancel(struct iam_query **query);

#endif
