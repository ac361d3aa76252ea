/* Where AWS credentials come from. A provider hands out one frozen set at a time, asynchronously;
 * it refreshes ahead of expiry, and however many callers wait there is one refresh under way.
 * Providers are reference counted. */
#ifndef EKSGATE_AWS_CREDENTIALS_H
#define EKSGATE_AWS_CREDENTIALS_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

struct aws_context; /* aws_call.h */

struct aws_credentials {
	char *access_key_id;
	char *secret_access_key;
	char *session_token; /* NULL for long-lived keys */
	struct unix_time expires; /* 0: never */
	bool is_lasting; /* an instance's: AWS takes it beyond its end while the next one is late */
	char *source; /* "environment", "profile prod", "role arn:aws:iam::…", for messages */
};

void aws_credentials_free(struct aws_credentials **credentials);
struct aws_credentials *aws_credentials_copy(const struct aws_credentials *credentials) MUST_USE;
/* Both keys are there and nothing in the set could break a header: printable ASCII only. False:
 * *error says what is wrong without showing it (free()). */
bool aws_credentials_are_sound(const struct aws_credentials *credentials, char **error) MUST_USE;

struct aws_provider;
struct aws_wait; /* one caller's wait */

/* `credentials` is NULL when there are none; `error` then says which source failed and what to do.
 * Both are borrowed. */
typedef void aws_provider_fn(
    void *arg, const struct aws_credentials *credentials, const char *error);

/* The chain: keys in the environment, web identity, shared files by AWS_PROFILE, container,
 * instance metadata (discoveryd(8), CREDENTIALS). The first source that is configured decides: when
 * it fails, the chain fails with its message. */
struct aws_provider *aws_provider_default(struct aws_context *aws) MUST_USE;
/* AssumeRole with `base`'s credentials through STS in `region`. external_id may be NULL. Holds a
 * reference to `base`. */
struct aws_provider *aws_provider_assume_role(struct aws_context *aws, struct aws_provider *base,
    const char *role_arn, const char *external_id, const char *session_name,
    const char *region) MUST_USE;
struct aws_provider *aws_provider_ref(struct aws_provider *provider) MUST_USE;
void aws_provider_unref(struct aws_provider **provider);

/* Calls fn once, never before this call returned. */
struct aws_wait *aws_provider_get(struct aws_provider *provider, aws_provider_fn *fn, void *arg);
/* No callback any more; *wait becomes NULL. Dead by itself once the callback ran. */
void aws_wait_cancel(struct aws_wait **wait);
/* AWS answered ExpiredToken: the next get refreshes, whatever the clock says. */
void aws_provider_expire(struct aws_provider *provider);
/* The same, unless the provider has already moved on from the set with this access key. */
void aws_provider_refused(struct aws_provider *provider, const char *access_key_id);
/* "role arn:aws:iam::…:role/x (from environment)"; borrowed. */
const char *aws_provider_text(const struct aws_provider *provider);

#endif
