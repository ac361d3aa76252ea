/* Failures of API servers as one table, and the rule of replays (reference kube.md 3.4): a write is
 * sent again only when no byte of it can have been processed. Called by exchange.c. */
#include "kubeproxyd/exchange/failure.h"

#include <string.h>

static const struct failure_meaning meanings[] = {
    [PEER_CONNECT] = {"connect", 502, "its API server cannot be reached"},
    [PEER_TLS] = {"tls", 503, "TLS with its API server failed"},
    [PEER_TIMEOUT] = {"timeout", 504, "its API server did not answer in time"},
    [PEER_REFUSED] = {"refused", 503, "its API server refused the request"},
    [PEER_CUT_BEFORE_HEAD] = {"cut", 502, "its API server closed the connection without an answer"},
    [PEER_CUT] = {"cut", 502, "its API server closed the connection in the middle of the answer"},
    [PEER_MALFORMED] = {"malformed", 502, "its API server gave an answer that is not relayed"},
};

const struct failure_meaning *failure_meaning(enum peer_failure_kind kind)
{
	return &meanings[kind];
}

bool failure_is_safe_method(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

bool failure_is_unprocessed(const struct peer_failure *failure)
{
	switch (failure->kind) {
	case PEER_REFUSED:
	case PEER_CONNECT:
	case PEER_TLS:
		return true;
	case PEER_CUT_BEFORE_HEAD:
		return failure->is_unsent;
	case PEER_TIMEOUT:
	case PEER_CUT:
	case PEER_MALFORMED:
		return false;
	}
	return false;
}

bool failure_may_resend(const struct peer_failure *failure, const char *method)
{
	if (failure_is_unprocessed(failure))
		return true;
	if (failure->kind != PEER_CUT_BEFORE_HEAD)
		return false;
	return failure->is_reused && failure_is_safe_method(method);
}
