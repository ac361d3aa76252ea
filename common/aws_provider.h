/* For whoever adds a source of credentials: what a source implements, and how it reports back.
 * Users of credentials include aws_credentials.h instead. */
#ifndef EKSGATE_AWS_PROVIDER_H
#define EKSGATE_AWS_PROVIDER_H

#include "common/attr.h"
#include "common/aws_credentials.h"
#include "common/aws_sts.h"

struct aws_plan; /* aws_profile.h */

/* `source` is what aws_provider_new() was given. */
struct aws_source_class {
	/* Fetches once; ends with aws_provider_done(), at once or later. */
	void (*start)(struct aws_provider *provider, void *source);
	/* The fetch under way is not wanted any more: no aws_provider_done(). NULL when start()
	 * always ends at once. */
	void (*stop)(void *source);
	void (*free)(void *source);
};

/* `text` becomes the provider's. */
struct aws_provider *aws_provider_new(struct aws_context *aws, const struct aws_source_class *class,
    void *source, char *text) MUST_USE;
/* The end of a fetch: credentials (they become the provider's), or NULL and why not (borrowed). */
void aws_provider_done(
    struct aws_provider *provider, struct aws_credentials *credentials, const char *error);

/* The identity that a host gives to sessions that nobody named: "eksgate-HOST" (free()). */
char *aws_default_session_name(void) MUST_USE;
/* STS of the region in use, or of the partition that a role is in (free()). */
char *aws_sts_region(const struct aws_plan *plan, const char *role_arn) MUST_USE;
/* What a refusal says: "CODE: message" (free()). */
struct aws_reply;
char *aws_refusal_text(const struct aws_reply *reply) MUST_USE;

/* The sources that a plan may start from, a file each (aws_web_identity.c and so on); they copy
 * what they need of the plan. */
struct aws_provider *aws_provider_web_identity(
    struct aws_context *aws, const struct aws_plan *plan) MUST_USE;
struct aws_provider *aws_provider_process(
    struct aws_context *aws, const struct aws_plan *plan) MUST_USE;
struct aws_provider *aws_provider_sso(
    struct aws_context *aws, const struct aws_plan *plan) MUST_USE;
struct aws_provider *aws_provider_container(
    struct aws_context *aws, const struct aws_plan *plan) MUST_USE;
struct aws_provider *aws_provider_metadata(
    struct aws_context *aws, const struct aws_plan *plan) MUST_USE;

/* A source that has what it has; copies `credentials`. */
struct aws_provider *aws_provider_static(
    struct aws_context *aws, const struct aws_credentials *credentials) MUST_USE;
/* aws_provider_assume_role() with everything that STS takes; copies `role`. */
struct aws_provider *aws_provider_role(struct aws_context *aws, struct aws_provider *base,
    const struct sts_role *role, const char *region) MUST_USE;

#endif
