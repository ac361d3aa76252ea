/* From the environment and the shared files to a plan: which long-lived (or handed-in) keys to
 * start from, and which roles to assume with them, in which order. No network. */
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

struct aws_plan {
	struct aws_credentials *credentials;
	struct aws_plan_role *roles;
	size_t role_count;
	char *region; /* for STS; NULL when nothing names one */
};
void aws_plan_free(struct aws_plan *plan);

/* Reads the environment and, when it has no keys, the files. False: *error says which source
 * failed, or lists what was looked at (free()). */
bool aws_plan_make(struct aws_plan *plan, char **error) MUST_USE;

enum aws_profile_result { AWS_PROFILE_OK, AWS_PROFILE_EMPTY, AWS_PROFILE_ERROR };
/* The pure half: the plan of one profile. Either file may be NULL. EMPTY: the profile is not there
 * or says nothing of credentials; *error is set for ERROR only (free()). */
enum aws_profile_result aws_profile_resolve(const struct aws_ini *config,
    const struct aws_ini *credentials, const char *profile, struct aws_plan *plan,
    char **error) MUST_USE;

/* The profile that AWS_PROFILE or AWS_DEFAULT_PROFILE names, else "default". Borrowed. */
const char *aws_profile_name(void);
/* Whether the environment itself has keys. */
bool aws_environment_has_keys(void) MUST_USE;

#endif
