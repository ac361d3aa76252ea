/* The STS operations that the daemons use, as pure halves: the form body of a request, and the
 * credentials or the identity out of an answer, which may be JSON or XML (API reference:
 * AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity). */
#ifndef EKSGATE_AWS_STS_H
#define EKSGATE_AWS_STS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_credentials.h"

#define STS_CONTENT_TYPE  "application/x-www-form-urlencoded; charset=utf-8"
#define STS_IDENTITY_BODY "Action=GetCallerIdentity&Version=2011-06-15"

/* Borrowed strings. */
struct sts_role {
	const char *arn;
	const char *external_id; /* NULL for none */
	const char *session_name; /* 2 to 64 of [A-Za-z0-9_+=,.@-]; see sts_session_name() */
	unsigned duration_seconds; /* 0: STS's own, an hour */
};

/* A session name out of any text: other characters become '-', too long ones are cut (free()). */
char *sts_session_name(const char *text) MUST_USE;
char *sts_assume_role_body(const struct sts_role *role) MUST_USE;
/* The same with a token of an identity provider, for a request that is not signed
 * (xfree_secret()). There is no external id. */
char *sts_web_identity_body(const struct sts_role *role, const char *token) MUST_USE;
/* NULL: *error says what is wrong with the answer (free()). `source` of the credentials stays NULL.
 */
struct aws_credentials *sts_parse_assume_role(const char *body, size_t len, char **error) MUST_USE;

struct aws_credentials *sts_parse_web_identity(const char *body, size_t len, char **error) MUST_USE;

struct sts_identity {
	char *account;
	char *arn;
	char *user_id;
};
bool sts_parse_identity(
    const char *body, size_t len, struct sts_identity *identity, char **error) MUST_USE;
void sts_identity_free(struct sts_identity *identity);

#endif
