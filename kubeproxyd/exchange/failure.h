/* What a failing API server means: for the client's answer, for metrics, and whether the request
 * may be sent again. Pure. */
#ifndef EKSGATE_FAILURE_H
#define EKSGATE_FAILURE_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/http/peer.h"

struct failure_meaning {
	const char *name; /* in metrics */
	unsigned status;
	const char *text; /* what kubectl shows, before the reason */
};

const struct failure_meaning *failure_meaning(enum peer_failure_kind kind);
/* No API server can have seen the request. */
bool failure_is_unprocessed(const struct peer_failure *failure) MUST_USE;
/* Only what was provably not processed, or may be done twice, is sent again. */
bool failure_may_resend(const struct peer_failure *failure, const char *method) MUST_USE;
bool failure_is_safe_method(const char *method) MUST_USE;

#endif
