/* The documents in which credentials arrive from elsewhere than STS, and the cached SSO token.
 * Pure: text in, a set or an error out; what is in the text is never in the error. */
#ifndef EKSGATE_AWS_CREDENTIALS_JSON_H
#define EKSGATE_AWS_CREDENTIALS_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_credentials.h"

/* What a credential_process prints: Version 1, SessionToken and Expiration may be missing. NULL:
 * *error (free()). `source` stays NULL; the same holds for the other two. */
struct aws_credentials *aws_parse_process(const char *text, size_t len, char **error) MUST_USE;
/* What containers' endpoints and instance metadata answer: always with Token and Expiration; a Code
 * other than "Success" is a failure. */
struct aws_credentials *aws_parse_metadata(const char *text, size_t len, char **error) MUST_USE;
/* The answer to GetRoleCredentials: expiration in milliseconds. */
struct aws_credentials *aws_parse_sso_role(const char *text, size_t len, char **error) MUST_USE;

/* ~/.aws/sso/cache/….json. The optional ones are NULL when missing. */
struct aws_sso_token {
	struct json_object *document; /* all of it, to be written again */
	const char *access_token, *refresh_token, *client_id, *client_secret; /* inside document */
	struct unix_time expires, registration_expires; /* the latter 0 when missing */
};
bool aws_sso_token_parse(
    const char *text, size_t len, struct aws_sso_token *token, char **error) MUST_USE;
/* Puts the answer to a refresh (CreateToken) received at `now` into the document and reads it anew.
 */
bool aws_sso_token_renew(struct aws_sso_token *token, const char *answer, size_t len,
    struct unix_time now, char **error) MUST_USE;
void aws_sso_token_free(struct aws_sso_token *token);

#endif
