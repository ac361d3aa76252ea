/* EKS bearer tokens: minted offline from a provider's credentials, per cluster and identity, kept
 * at most min(token_lifetime, life of the credentials) (reference: EKS bearer token). */
#ifndef EKSGATE_TOKEN_H
#define EKSGATE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_credentials.h"
#include "common/kube_cluster.h"
#include "common/mono.h"

struct token_source;
struct token_wait;

/* `token` (borrowed) or NULL with `error` ("no AWS credentials: …, set …"). */
typedef void token_fn(void *arg, const char *token, const char *error);

/* Tokens for one cluster with one provider (a reference is taken). `clock_offset` is read at each
 * minting. */
struct token_source *token_source_new(struct aws_provider *provider,
    const struct kube_cluster *cluster, const char *sts_host, struct duration lifetime,
    const struct duration *clock_offset) MUST_USE;
/* Ends all waits without their callbacks; their handles are dead. Allowed inside a callback of it.
 */
void token_source_free(struct token_source **source);
/* A cached token answers inside this call (then NULL is returned); else the callback comes later.
 */
struct token_wait *token_source_get(struct token_source *source, token_fn *fn, void *arg);
void token_wait_cancel(struct token_wait **wait);
/* The API server refused it (401): the next get mints anew. */
void token_source_drop(struct token_source *source);

#endif
