/* Why somebody is not let in, as the request is answered with it. */
#ifndef EKSGATE_REFUSAL_H
#define EKSGATE_REFUSAL_H

struct identity;

/* 401: the credential is no good. 429 and 503: it could not be checked now, try again. */
struct refusal {
	unsigned status;
	const char *message;
	unsigned retry_after; /* seconds; 0: none */
};

/* Either `identity`, whose reference is the callee's, or `refusal`, borrowed during the call. */
typedef void identity_fn(void *arg, struct identity *identity, const struct refusal *refusal);

#endif
