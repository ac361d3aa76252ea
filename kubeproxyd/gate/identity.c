/* The one who asks, however that became known: shared by connections, requests and caches, never
 * changed once it is made. Made by identity_certificate.c. */
#include "kubeproxyd/gate/identity.h"

#include <stdlib.h>

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
	free(old);
}

bool identity_is_expired(const struct identity *identity, struct unix_time now)
{
	return identity->expires.ms != 0 && now.ms > identity->expires.ms;
}
