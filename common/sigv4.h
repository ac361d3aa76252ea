/* AWS Signature Version 4: pure functions from (credentials, time, request) to headers or a
 * presigned URL. No clock, no network. Rules: AWS "Signature Version 4 signing process". */
#ifndef EKSGATE_SIGV4_H
#define EKSGATE_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"

struct aws_credentials;

struct sigv4_header {
	const char *name;
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *host; /* with ":port" when it is not the scheme's own */
	/* As it goes on the wire, percent-encoded where its labels need it; "" counts as "/". It is
	 * encoded once more for the canonical request. */
	const char *path;
	const char *query; /* as on the wire, without '?'; NULL or "" for none */
	const struct sigv4_header *headers; /* further headers to sign, in order of arrival; `host`
					       and x-amz-* are added */
	size_t header_count;
	const void *body;
	size_t body_len;
	const char *region;
	const char *service; /* the signing name: "eks", "sts", "account" */
	/* What only AWS's vectors and S3 need; all false for EKS, STS and account. */
	bool keep_path; /* do not remove dot segments and doubled slashes */
	bool sign_body_header; /* add and sign x-amz-content-sha256 */
	bool omit_session_token; /* the token goes along unsigned */
};

/* What was signed; for tests and for error messages. {0} initialises; sigv4_result_free() releases.
 */
struct sigv4_result {
	struct buf canonical_request;
	struct buf string_to_sign;
	char signature[65];
	char amz_date[17]; /* X-Amz-Date: 20260102T030405Z */
	char content_sha256[65]; /* of the body, lower-case hex */
	struct buf authorization; /* header form: value of Authorization */
	struct buf query; /* query form: the whole query, signature last */
};

/* Header form: the caller sends X-Amz-Date, Authorization and, with temporary credentials,
 * X-Amz-Security-Token. */
void sigv4_sign(const struct sigv4_request *request, const struct aws_credentials *credentials,
    struct unix_time now, struct sigv4_result *result);
/* Query form, valid for `expires_seconds`; result->query holds what goes behind '?'. */
void sigv4_presign(const struct sigv4_request *request, const struct aws_credentials *credentials,
    struct unix_time now, unsigned expires_seconds, struct sigv4_result *result);
void sigv4_result_free(struct sigv4_result *result);

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986 unreserved), upper-case hex. */
void sigv4_encode(struct buf *out, const char *text, size_t len);

#endif
