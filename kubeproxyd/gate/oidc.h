/* Users by ID tokens of OpenID Connect, from any number of issuers. */
#ifndef EKSGATE_OIDC_H
#define EKSGATE_OIDC_H

#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/gate/refusal.h"

struct fetcher;
struct login_settings;
struct loop;
struct oidc;
struct oidc_query;

/* Everything is borrowed. NULL when the settings have no issuer. */
struct oidc *oidc_new(
    struct loop *loop, struct fetcher *fetcher, const struct login_settings *settings) MUST_USE;
/* No query may be under way. */
void oidc_free(struct oidc **oidc);
/* After a reload that changed nothing here: the settings moved. */
void oidc_set(struct oidc *oidc, const struct login_settings *settings);

/* NULL: answered inside the call. `token` is copied when it has to wait. */
struct oidc_query *oidc_resolve(
    struct oidc *oidc, const char *token, size_t len, identity_fn *fn, void *arg) MUST_USE;
void oidc_query_cancel(struct oidc_query **query);

#endif
