/* The keys of one issuer: found by discovery (OpenID Connect Discovery 1.0), fetched in the
 * background, kept. Nobody but who needs a key that is not there yet ever waits for an issuer. */
#ifndef EKSGATE_OIDC_KEYS_H
#define EKSGATE_OIDC_KEYS_H

#include "common/attr.h"
#include "common/mono.h"

struct fetcher;
struct jwks;
struct loop;
struct oidc_keys;
struct oidc_keys_wait;

/* The keys are others than before. */
typedef void oidc_keys_changed_fn(void *arg);
/* A refresh is over; whether it brought anything, oidc_keys_now() tells. */
typedef void oidc_keys_fn(void *arg);

/* Everything is borrowed. Fetches at once, and again from time to time. */
struct oidc_keys_options {
	struct loop *loop;
	struct fetcher *fetcher;
	const char *issuer;
	const char *ca_file; /* NULL: the system's */
	oidc_keys_changed_fn *on_changed;
	void *arg;
};
struct oidc_keys *oidc_keys_new(const struct oidc_keys_options *options) MUST_USE;
/* Waits are gone with it, without a call. */
void oidc_keys_free(struct oidc_keys **keys);
/* After a reload of the same settings: the texts moved. */
void oidc_keys_set(struct oidc_keys *keys, const char *issuer, const char *ca_file);

/* NULL: none yet, or none any more. Borrowed until the loop's next turn. */
const struct jwks *oidc_keys_now(const struct oidc_keys *keys);
/* Until when those are believed without another refresh that worked. */
struct mono oidc_keys_good_until(const struct oidc_keys *keys) MUST_USE;
/* Why the last refresh failed; NULL when it did not. Borrowed. */
const char *oidc_keys_error(const struct oidc_keys *keys);
/* Asks the issuer anew, or waits for what is under way. NULL, without a call: the issuer was asked
 * a moment ago. */
struct oidc_keys_wait *oidc_keys_refresh(
    struct oidc_keys *keys, oidc_keys_fn *fn, void *arg) MUST_USE;
void oidc_keys_wait_cancel(struct oidc_keys_wait **wait);

#endif
