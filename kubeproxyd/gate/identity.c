/* The one who asks, however that became known: shared by connections, requests and caches, never
 * changed once it is made, but for what exchange_audit.c keeps there. Made by
 * identity_certificate.c, oidc_claims.c and iam_mapping.c. */
#include "kubeproxyd/gate/identity.h"

#include <stdlib.h>

#include "common/xmem.h"

struct identity *identity_ref(struct identity *identity)
{
	identity->references++;
	return identity;
}

void identity_unref(struct identity **identity)
{
	struct identity *old = *identity;
	*identity = NULL;
	if (old == NULL || --old->references > 0)
		return;
	for (size_t i = 0; i < old->group_count; i++)
		free(old->groups[i]);
	free(old->groups);
	traits_free(&old->traits);
	free(old->user);
	free(old->certificate_serial);
	free(old->cluster);
	buf_free(&old->audit_user);
	free(old);
}

bool identity_is_expired(const struct identity *identity, struct unix_time now)
{
	return identity->expires.ms != 0 && now.ms > identity->expires.ms;
}

struct identity *identity_copy(const struct identity *identity)
{
	struct identity *copy = xcalloc(1, sizeof *copy);
	copy->references = 1;
	copy->source = identity->source;
	copy->user = xstrdup(identity->user);
	copy->groups = xcalloc(identity->group_count + 1, sizeof *copy->groups);
	for (size_t i = 0; i < identity->group_count; i++)
		copy->groups[copy->group_count++] = xstrdup(identity->groups[i]);
	copy->certificate_serial = xstrdup_or_null(identity->certificate_serial);
	copy->cluster = xstrdup_or_null(identity->cluster);
	traits_copy(&copy->traits, &identity->traits);
	copy->expires = identity->expires;
	copy->ends = identity->ends;
	return copy;
}

struct unix_time identity_end(const struct identity *identity)
{
	return identity->ends.ms != 0 ? identity->ends : identity->expires;
}
