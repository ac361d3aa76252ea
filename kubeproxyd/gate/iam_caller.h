/* What STS answers to GetCallerIdentity, and the one form of an ARN that settings speak of. Pure.
 */
#ifndef EKSGATE_IAM_CALLER_H
#define EKSGATE_IAM_CALLER_H

#include <stddef.h>

#include "common/attr.h"

enum iam_outcome {
	IAM_CALLER, /* somebody */
	IAM_REFUSED, /* the token is no good */
	IAM_THROTTLED, /* STS has enough for now */
	IAM_UNCLEAR, /* STS failed, or what answered was not STS */
};

struct iam_caller {
	char *account; /* 12 digits */
	char *arn; /* canonical: "arn:aws:iam::123456789012:role/NAME", without path and session */
	char *principal_id; /* "AROA…" */
	char *session_name; /* NULL: not a session of a role */
	char *role_name; /* NULL: not a role */
};

/* IAM_CALLER: `caller` is filled, iam_caller_free(). Else *error says why (free()). */
enum iam_outcome iam_caller_read(int status, const char *body, size_t len, const char *partition,
    struct iam_caller *caller, char **error) MUST_USE;
void iam_caller_free(struct iam_caller *caller);

#endif
