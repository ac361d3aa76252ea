/* From what a request carries to the one who asks. Called by the exchange for each request, since
 * certificates expire under living connections. */
#include "kubeproxyd/gate/identity_resolve.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/gate/impersonate.h"

static const char no_certificate[] =
    "no client certificate was sent: ask an administrator for a kubeconfig with one "
    "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)";

static void refuse_expired(const struct identity *identity, identity_fn *fn, void *arg)
{
	char at[UNIX_TIME_TEXT];
	char *message =
	    xasprintf("the client certificate of \"%s\" expired at %s: get a new one "
		      "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)",
		identity->user, unix_time_text(identity->expires, at));
	fn(arg, NULL, message);
	free(message);
}

static void refuse_certificate(const char *error, identity_fn *fn, void *arg)
{
	char *message =
	    xasprintf("the client certificate is not accepted: %s; get a new one "
		      "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)",
		error);
	fn(arg, NULL, message);
	free(message);
}

static void answer(struct identity *identity, identity_fn *fn, void *arg)
{
	if (identity_is_expired(identity, unix_now()))
		refuse_expired(identity, fn, arg);
	else
		fn(arg, identity_ref(identity), NULL);
}

struct identity_query *identity_resolve(struct identity *of_connection,
    const struct identity_evidence *evidence, identity_fn *fn, void *arg)
{
	const char *error = impersonate_refuse_credential(evidence->fields);
	if (error != NULL) {
		fn(arg, NULL, error);
		return NULL;
	}
	if (of_connection != NULL) {
		answer(of_connection, fn, arg);
		return NULL;
	}
	if (evidence->certificate_error != NULL) {
		refuse_certificate(evidence->certificate_error, fn, arg);
		return NULL;
	}
	if (evidence->certificate == NULL) {
		fn(arg, NULL, no_certificate);
		return NULL;
	}
	struct identity *identity = identity_from_certificate(evidence->certificate, &error);
	if (identity == NULL)
		refuse_certificate(error, fn, arg);
	else
		answer(identity, fn, arg);
	identity_unref(&identity);
	return NULL;
}

/* Certificates are answered inside identity_resolve(): there is never a query to cancel. */
void identity_query_cancel(struct identity_query **query)
{
	*query = NULL;
}
