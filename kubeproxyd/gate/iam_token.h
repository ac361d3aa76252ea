/* Tokens of AWS identities: "k8s-aws-v1." and a presigned GetCallerIdentity URL, as `aws eks
 * get-token` makes them. What is taken from one is checked piece by piece; the URL that STS gets is
 * built from the pieces, never copied. Pure. */
#ifndef EKSGATE_IAM_TOKEN_H
#define EKSGATE_IAM_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

#define IAM_TOKEN_PREFIX    "k8s-aws-v1."
#define IAM_TOKEN_MAX_BYTES 4096
#define IAM_TOKEN_LIFE_MS   INT64_C(900000) /* from its date, whatever it says */
#define IAM_KEY_ID_MAX	    128

/* The names and bounds of the parameters of its URL, each exactly once but for the session token.
 */
enum iam_parameter {
	IAM_ACTION,
	IAM_VERSION,
	IAM_ALGORITHM,
	IAM_CREDENTIAL,
	IAM_DATE,
	IAM_EXPIRES,
	IAM_SECURITY_TOKEN,
	IAM_SIGNED_HEADERS,
	IAM_SIGNATURE,
	IAM_PARAMETER_COUNT,
};

/* {0} is none. */
struct iam_token {
	char *host; /* one of AWS's STS hosts */
	char *region; /* whose STS that is */
	char *values[IAM_PARAMETER_COUNT]; /* decoded; NULL: absent */
	char access_key_id[IAM_KEY_ID_MAX + 1];
	struct unix_time signed_at;
};

bool iam_token_is_likely(const char *text, size_t len) MUST_USE;
/* False: *error (static) says what is wrong. iam_token_free() is not needed then. */
bool iam_token_parse(const char *text, size_t len, const char *partition, struct unix_time now,
    struct iam_token *token, const char **error) MUST_USE;
/* The query of the URL that STS is asked with (xfree_secret()). */
char *iam_token_query(const struct iam_token *token) MUST_USE;
void iam_token_free(struct iam_token *token);

#endif
