/* Who is asking. */
#ifndef EKSGATE_IDENTITY_H
#define EKSGATE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"
#include "kubeproxyd/policy/traits.h"

/* Immutable, counted references: sessions and exchanges share it. */
struct identity {
	char *user; /* certificate: CN */
	char **groups; /* certificate: O; they only select roles */
	size_t group_count;
	const char *source; /* "certificate", "oidc", "iam" */
	char *certificate_serial; /* hex, NULL for others */
	char *cluster; /* the one cluster this credential is scoped to, or NULL */
	struct traits traits; /* what else the credential says; roles' templates read it */
	struct unix_time expires; /* no new request any more; 0: never */
	struct unix_time ends; /* what runs is cut; 0: when it expires */
	struct buf audit_user; /* what each audit event says of it; empty until the first one */
	unsigned references;
};

struct identity *identity_ref(struct identity *identity) MUST_USE;
void identity_unref(struct identity **identity);
/* A copy that may still be changed. */
struct identity *identity_copy(const struct identity *identity) MUST_USE;
struct unix_time identity_end(const struct identity *identity) MUST_USE;
bool identity_is_expired(const struct identity *identity, struct unix_time now) MUST_USE;

#endif
