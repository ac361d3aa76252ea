/* From the environment and the shared files to a plan: which source to start from, and which roles
 * to assume with what it gives, in which order. No network. */
#ifndef EKSGATE_AWS_PROFILE_H
#define EKSGATE_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_credentials.h"
#include "common/aws_ini.h"

#define AWS_PROFILE_MAX_DEPTH 10

struct aws_plan_role {
	char *arn;
	char *external_id; /* NULL for none */
	char *session_name; /* NULL: the caller's choice */
	unsigned duration_seconds; /* 0: STS's own */
};

/* What a plan starts from, and the members of struct aws_plan that say more. */
enum aws_base {
	AWS_BASE_KEYS, /* credentials */
	AWS_BASE_ENVIRONMENT, /* the keys in the environment; aws_plan_make() makes it KEYS */
	AWS_BASE_WEB_IDENTITY, /* token_file, web_role */
	AWS_BASE_PROCESS, /* command */
	AWS_BASE_SSO, /* sso */
	AWS_BASE_CONTAINER, /* by the environment alone */
	AWS_BASE_METADATA, /* metadata */
};

struct aws_plan_sso {
	char *session; /* NULL: the older way, by start_url */
	char *start_url, *region, *account, *role;
};

struct aws_plan_metadata {
	char *endpoint; /* "http://169.254.169.254" */
	bool is_v1_forbidden;
};

struct aws_plan {
	enum aws_base base;
	char *text; /* the identity, for messages: "profile prod", "environment" */
	char *origin; /* where the base is configured: "FILE:LINE: profile prod"; may be NULL */
	struct aws_credentials *credentials;
	char *token_file;
	struct aws_plan_role web_role;
	char *command;
	struct aws_plan_sso sso;
	struct aws_plan_metadata metadata;
	char *looked; /* METADATA as the last resort: what else was looked at, in vain */
	struct aws_plan_role *roles;
	size_t role_count;
	char *region; /* for STS; NULL when nothing names one */
};
void aws_plan_free(struct aws_plan *plan);

/* Environment, profile, container, instance metadata: the first that is configured. False: *error
 * says which source failed, or lists what was looked at (free()). */
bool aws_plan_make(struct aws_plan *plan, char **error) MUST_USE;

enum aws_profile_result { AWS_PROFILE_OK, AWS_PROFILE_EMPTY, AWS_PROFILE_ERROR };
/* The pure half: the plan of one profile. Either file may be NULL. EMPTY: the profile is not there
 * or says nothing of credentials; *error is set for ERROR only (free()). */
enum aws_profile_result aws_profile_resolve(const struct aws_ini *config,
    const struct aws_ini *credentials, const char *profile, struct aws_plan *plan,
    char **error) MUST_USE;

/* The profile that AWS_PROFILE or AWS_DEFAULT_PROFILE names, else "default". Borrowed. */
const char *aws_profile_name(void);

#endif
