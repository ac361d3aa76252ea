/* The caller of a connection. Its identity is read from the certificate once; its grants are
 * compiled once and anew when the policy was reloaded. Used by sessions, which own it, and by
 * exchanges. */
#include "kubeproxyd/exchange/caller.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/caller_shared.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"

static char *host_of(const char *address)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : strlen(address);
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']')
		return xstrndup(address + 1, len - 2);
	return xstrndup(address, len);
}

void caller_init(
    struct caller *caller, X509 *certificate, const char *certificate_error, const char *address)
{
	*caller = (struct caller){
	    .certificate = certificate,
	    .certificate_error = certificate_error,
	    .address = address,
	    .host = host_of(address),
	};
	if (certificate != NULL)
		caller->shared = caller_shared_get(certificate, &caller->certificate_error);
	if (caller->shared != NULL)
		caller->identity = caller->shared->identity;
}

void caller_clear(struct caller *caller)
{
	caller_shared_unref(&caller->shared);
	caller_grants_unref(&caller->grants);
	free(caller->host);
	*caller = (struct caller){0};
}

void caller_note_known(struct caller *caller)
{
	if (caller->is_known)
		return;
	caller->is_known = true;
	if (caller->on_known != NULL)
		caller->on_known(caller->on_known_arg);
}

struct caller_grants *caller_grants(
    struct caller *caller, struct policy *policy, struct identity *identity)
{
	bool is_of_certificate = caller->shared != NULL && identity == caller->identity;
	struct caller_grants **place =
	    is_of_certificate ? &caller->shared->grants : &caller->grants;
	struct caller_grants *kept = *place;
	if (kept == NULL || kept->policy != policy || kept->identity != identity) {
		caller_grants_unref(place);
		kept = xcalloc(1, sizeof *kept);
		kept->references = 1;
		kept->policy = policy_ref(policy);
		kept->identity = identity_ref(identity);
		kept->grants = policy_grants(policy, identity);
		*place = kept;
	}
	kept->references++;
	return kept;
}

void caller_grants_unref(struct caller_grants **grants)
{
	struct caller_grants *dropped = *grants;
	*grants = NULL;
	if (dropped == NULL || --dropped->references > 0)
		return;
	grants_free(&dropped->grants);
	policy_unref(&dropped->policy);
	identity_unref(&dropped->identity);
	free(dropped);
}
