/* Error documents of AWS and their meaning, and struct aws_error, the copy of a failure that is
 * kept and shown. Everything but the copying is pure. Called by aws_call, and by whoever keeps
 * errors. */
#include "common/aws_error.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_xml.h"
#include "common/json.h"
#include "common/xmem.h"

static const char *const throttle_codes[] = {"Throttling", "ThrottlingException",
    "ThrottledException", "RequestThrottledException", "TooManyRequestsException",
    "ProvisionedThroughputExceededException", "TransactionInProgressException",
    "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled",
    "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException", NULL};
static const char *const transient_codes[] = {"RequestTimeout", "RequestTimeoutException",
    "PriorRequestNotComplete", "IDPCommunicationError", NULL};
static const char *const expired_codes[] = {"ExpiredToken", "ExpiredTokenException", NULL};
static const char *const clock_codes[] = {"InvalidSignatureException", "SignatureDoesNotMatch",
    "AuthFailure", "RequestTimeTooSkewed", "AccessDeniedException", NULL};
static const char *const unknown_key_codes[] = {
    "UnrecognizedClientException", "InvalidClientTokenId", NULL};
static const char *const credential_codes[] = {"InvalidSignatureException", "SignatureDoesNotMatch",
    "AuthFailure", "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture",
    "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "InvalidAccessKeyId", "InvalidToken",
    "InvalidIdentityToken", NULL};
static const char *const denied_codes[] = {"AccessDenied", "AccessDeniedException",
    "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException", "NotAuthorized",
    NULL};
static const char *const region_codes[] = {
    "OptInRequired", "RegionDisabledException", "RegionDisabled", NULL};

static bool is_one_of(const char *code, const char *const *list)
{
	for (; code != NULL && *list != NULL; list++) {
		if (strcmp(code, *list) == 0)
			return true;
	}
	return false;
}

bool aws_fault_is_throttle(int status, const char *code)
{
	return status == 429 || is_one_of(code, throttle_codes);
}

bool aws_fault_is_transient(int status, const char *code)
{
	return status == 500 || (status >= 502 && status <= 504) ||
	       is_one_of(code, transient_codes);
}

bool aws_code_is_expired(const char *code)
{
	return is_one_of(code, expired_codes);
}

bool aws_code_is_clock(const char *code)
{
	return is_one_of(code, clock_codes);
}

bool aws_code_is_unknown_key(const char *code)
{
	return is_one_of(code, unknown_key_codes);
}

enum aws_outcome aws_fault_outcome(int status, const char *code)
{
	if (aws_fault_is_throttle(status, code))
		return AWS_THROTTLED;
	if (is_one_of(code, denied_codes))
		return AWS_DENIED;
	if (is_one_of(code, region_codes))
		return AWS_REGION_OFF;
	if (is_one_of(code, expired_codes) || is_one_of(code, unknown_key_codes) ||
	    is_one_of(code, credential_codes))
		return AWS_CREDENTIALS;
	if (code != NULL && strcmp(code, "ResourceNotFoundException") == 0)
		return AWS_NOT_FOUND;
	return code == NULL && status < 500 ? AWS_BAD_REPLY : AWS_FAILED;
}

const char *aws_outcome_text(enum aws_outcome outcome)
{
	static const char *const texts[] = {
	    [AWS_OK] = "ok",
	    [AWS_DENIED] = "denied",
	    [AWS_NOT_FOUND] = "not-found",
	    [AWS_THROTTLED] = "throttled",
	    [AWS_CREDENTIALS] = "credentials",
	    [AWS_REGION_OFF] = "region-off",
	    [AWS_UNREACHABLE] = "unreachable",
	    [AWS_BAD_REPLY] = "bad-reply",
	    [AWS_FAILED] = "failed",
	};
	return texts[outcome];
}

/* --- error documents ------------------------------------------------------------------------- */

/* "com.amazon#AccessDeniedException:http://…" gives "AccessDeniedException"; NULL for nothing. */
static char *bare_code(const char *text)
{
	size_t len = strcspn(text, ":");
	const char *start = text;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '#')
			start = text + i + 1;
	}
	len -= (size_t)(start - text);
	return len > 0 ? xstrndup(start, len) : NULL;
}

/* The first of two members that is a string, or NULL. */
static const char *either(struct json_object *object, const char *first, const char *second)
{
	const char *const keys[] = {first, second};
	for (size_t i = 0; i < 2; i++) {
		struct json_object *value = NULL;
		if (json_object_object_get_ex(object, keys[i], &value) &&
		    json_object_is_type(value, json_type_string))
			return json_object_get_string(value);
	}
	return NULL;
}

/* STS wraps: {"Error": {"Code", "Message"}}, older ones once more. */
static struct json_object *unwrapped(struct json_object *document)
{
	static const char *const wrappers[] = {"ErrorResponse", "Error"};
	for (size_t i = 0; i < 2; i++) {
		struct json_object *inner = NULL;
		if (json_object_object_get_ex(document, wrappers[i], &inner) &&
		    json_object_is_type(inner, json_type_object))
			document = inner;
	}
	return document;
}

static void read_json(const char *body, size_t len, struct aws_fault *fault)
{
	char error[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, error);
	if (document == NULL)
		return;
	if (json_object_is_type(document, json_type_object)) {
		struct json_object *object = unwrapped(document);
		const char *code = either(object, "code", "Code");
		if (code == NULL)
			code = either(object, "__type", "__type");
		if (fault->code == NULL && code != NULL)
			fault->code = bare_code(code);
		fault->message = xstrdup_or_null(either(object, "message", "Message"));
	}
	json_object_put(document);
}

static void read_xml(const char *body, size_t len, struct aws_fault *fault)
{
	if (fault->code == NULL)
		fault->code = aws_xml_text(body, len, "Code");
	fault->message = aws_xml_text(body, len, "Message");
}

void aws_fault_parse(const char *type_header, const char *body, size_t len, struct aws_fault *fault)
{
	if (type_header != NULL)
		fault->code = bare_code(type_header);
	size_t start = strspn(body, " \t\r\n");
	if (body[start] == '<')
		read_xml(body, len, fault);
	else
		read_json(body, len, fault);
}

void aws_fault_free(struct aws_fault *fault)
{
	xfree(&fault->code);
	xfree(&fault->message);
}

/* --- kept errors ----------------------------------------------------------------------------- */

static char *credentials_remedy(const struct aws_reply *reply, const char *identity)
{
	if (reply->code ==
	    NULL) /* AWS was not asked: the message of the provider says what to do */
		return NULL;
	if (aws_code_is_expired(reply->code))
		return xasprintf("renew the credentials (%s): they have expired", identity);
	if (aws_code_is_unknown_key(reply->code))
		return xasprintf("check the access key (%s); when it works in other regions, "
				 "enable %s for its account",
		    identity, reply->region);
	return xasprintf("check the secret key (%s) and this machine's clock", identity);
}

/* NULL when there is nothing to do. */
static char *remedy_for(const char *operation, const struct aws_reply *reply)
{
	const char *identity = reply->identity != NULL ? reply->identity : "an unsigned request";
	switch (reply->outcome) {
	case AWS_DENIED:
		return xasprintf("allow %s for %s (a permissions boundary or a service control "
				 "policy may refuse it, too)",
		    operation, identity);
	case AWS_THROTTLED:
		return xstrdup(
		    "nothing: it is tried again later; a longer poll_interval makes it rarer");
	case AWS_CREDENTIALS:
		return credentials_remedy(reply, identity);
	case AWS_REGION_OFF:
		return xasprintf(
		    "enable region %s for the account, or leave it out of the configured regions",
		    reply->region);
	case AWS_UNREACHABLE:
		return xstrdup("check network, DNS and proxy settings between this host and AWS");
	case AWS_BAD_REPLY:
		return xstrdup("check what answers in AWS's place (AWS_ENDPOINT_URL, a proxy, a "
			       "captive portal)");
	case AWS_OK:
	case AWS_NOT_FOUND:
	case AWS_FAILED:
		break;
	}
	return NULL;
}

void aws_error_set(struct aws_error *error, const char *operation, const struct aws_reply *reply)
{
	aws_error_free(error);
	error->outcome = reply->outcome;
	error->operation = xstrdup(operation);
	error->code = xstrdup_or_null(reply->code);
	error->message = xstrdup_or_null(reply->message);
	error->remedy = remedy_for(operation, reply);
}

void aws_error_copy(struct aws_error *to, const struct aws_error *from)
{
	struct aws_error copy = {.outcome = from->outcome,
	    .operation = xstrdup_or_null(from->operation),
	    .code = xstrdup_or_null(from->code),
	    .message = xstrdup_or_null(from->message),
	    .remedy = xstrdup_or_null(from->remedy)};
	aws_error_free(to);
	*to = copy;
}

void aws_error_free(struct aws_error *error)
{
	xfree(&error->operation);
	xfree(&error->code);
	xfree(&error->message);
	xfree(&error->remedy);
	error->outcome = AWS_OK;
}
