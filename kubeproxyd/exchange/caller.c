/* The caller of a connection. Its identity is read from the certificate once; its grants are
 * compiled once and anew when the policy was reloaded. Used by sessions, which own it, and by
 * exchanges. */
#include "kubeproxyd/exchange/caller.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
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
		caller->identity =
		    identity_from_certificate(certificate, &caller->certificate_error);
}

void caller_clear(struct caller *caller)
{
	identity_unref(&caller->identity);
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
	struct caller_grants *kept = caller->grants;
	if (kept == NULL || kept->policy != policy || kept->identity != identity) {
		caller_grants_unref(&caller->grants);
		kept = xcalloc(1, sizeof *kept);
		kept->references = 1;
		kept->policy = policy_ref(policy);
		kept->identity = identity_ref(identity);
		kept->grants = policy_grants(policy, identity);
		caller->grants = kept;
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
