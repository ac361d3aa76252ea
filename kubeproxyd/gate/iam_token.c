/* Takes AWS tokens apart. The list of hosts is AWS's own for the region that the host names, the
 * list of parameters is closed, and each parameter is held to its grammar, so that nothing but a
 * request for the caller's identity can ever be sent, and to nobody but STS. Stricter than AWS's
 * own verifier where that costs no client anything (the signed headers, the credential's scope, the
 * date). Called by iam.c. */
#include "kubeproxyd/gate/iam_token.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/aws_endpoint.h"
#include "common/base64url.h"
#include "common/buf.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define AHEAD_MS       INT64_C(300000) /* how far the client's clock may be ahead */
#define EXPIRES_MAX    900
#define SIGNED_HEADERS "host;x-k8s-aws-id"
#define DIGITS	       "0123456789"
#define CAPITALS       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *const names[IAM_PARAMETER_COUNT] = {"Action", "Version", "X-Amz-Algorithm",
    "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token",
    "X-Amz-SignedHeaders", "X-Amz-Signature"};

/* --- the URL --------------------------------------------------------------------------------- */

static bool fail(const char **error, const char *what)
{
	*error = what;
	return false;
}

/* The region of "sts[-fips].REGION.…", or NULL (free()). */
static char *region_of(const char *host)
{
	const char *dot = strchr(host, '.');
	const char *end = dot != NULL ? strchr(dot + 1, '.') : NULL;
	return end != NULL ? xstrndup(dot + 1, (size_t)(end - dot - 1)) : NULL;
}

static bool is_host_of_region(const char *host, const char *region)
{
	bool is_one = false;
	for (unsigned i = 0; !is_one && i < 4; i++) {
		struct aws_endpoint_variant variant = {(i & 1) != 0, (i & 2) != 0};
		char *known = aws_endpoint_host("sts", region, variant);
		is_one = strcmp(known, host) == 0;
		free(known);
	}
	return is_one;
}

/* The region whose STS `host` is, or NULL: not one of the partition's (free()). */
static char *check_host(const char *host, const char *partition)
{
	if (strcmp(partition, "aws") == 0 && strcmp(host, "sts.amazonaws.com") == 0)
		return xstrdup("us-east-1");
	char *region = region_of(host);
	if (region != NULL && aws_region_is_in(region, partition) &&
	    is_host_of_region(host, region))
		return region;
	free(region);
	return NULL;
}

/* --- the query ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A value percent-decoded (xfree_secret()), or NULL. What stands for itself is what RFC 3986 calls
 * unreserved, and the few that encoders leave alone in queries: no '+', which some read as a space.
 */
static char *decode_value(const char *text, size_t len)
{
	struct buf out = {0};
	bool is_good = true;
	buf_make_room(&out, len + 1);
	for (size_t i = 0; is_good && i < len; i++) {
		char c = text[i];
		if (c == '%') {
			int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
			int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;
			c = (char)(high >= 0 && low >= 0 ? high << 4 | low : ' ');
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		is_good = c > ' ' && c < 0x7f;
		buf_append_char(&out, c);
	}
	if (is_good)
		return buf_take(&out);
	buf_free_secret(&out);
	return NULL;
}

static int parameter_of(const char *name, size_t len)
{
	for (int i = 0; i < IAM_PARAMETER_COUNT; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return i;
	}
	return -1;
}

static bool take_pair(struct iam_token *token, const char *pair, size_t len, const char **error)
{
	const char *equals = memchr(pair, '=', len);
	if (equals == NULL)
		return fail(error, "a parameter of its URL has no value");
	int parameter = parameter_of(pair, (size_t)(equals - pair));
	if (parameter < 0)
		return fail(error, "its URL has a parameter that does not belong there");
	if (token->values[parameter] != NULL)
		return fail(error, "its URL has a parameter twice");
	token->values[parameter] = decode_value(equals + 1, len - (size_t)(equals + 1 - pair));
	if (token->values[parameter] == NULL)
		return fail(error, "a parameter of its URL is not percent-encoded as it must be");
	return true;
}

static bool take_query(struct iam_token *token, const char *query, const char **error)
{
	while (true) {
		size_t len = strcspn(query, "&");
		if (!take_pair(token, query, len, error))
			return false;
		if (query[len] == '\0')
			break;
		query += len + 1;
	}
	for (int i = 0; i < IAM_PARAMETER_COUNT; i++) {
		if (token->values[i] == NULL && i != IAM_SECURITY_TOKEN)
			return fail(error, "its URL lacks a parameter");
	}
	return true;
}

/* --- values ---------------------------------------------------------------------------------- */

/* `len` characters of `set` at `text`. */
static bool is_run(const char *text, const char *set, size_t len)
{
	return strspn(text, set) >= len;
}

/* "20260102T030405Z" */
static bool read_date(const char *text, struct unix_time *at)
{
	struct tm tm = {0};
	if (strlen(text) != 16 || !is_run(text, DIGITS, 8) || text[8] != 'T' ||
	    !is_run(text + 9, DIGITS, 6) || text[15] != 'Z')
		return false;
	const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
	if (end == NULL || *end != '\0' || tm.tm_sec > 59)
		return false;
	struct tm copy = tm;
	at->ms = (int64_t)timegm(&copy) * 1000;
	/* The 31st of a month that has none comes out as the first of the next. */
	return copy.tm_mday == tm.tm_mday && copy.tm_mon == tm.tm_mon;
}

/* KEY/20260102/REGION/sts/aws4_request, of the very day and region. */
static bool check_credential(struct iam_token *token, const char **error)
{
	const char *text = token->values[IAM_CREDENTIAL];
	size_t len = strspn(text, CAPITALS DIGITS);
	if (len < 16 || len > IAM_KEY_ID_MAX || text[len] != '/')
		return fail(error, "its credential has no access key id");
	memcpy(token->access_key_id, text, len);
	char *scope =
	    xasprintf("/%.8s/%s/sts/aws4_request", token->values[IAM_DATE], token->region);
	bool is_same = strcmp(text + len, scope) == 0;
	free(scope);
	if (!is_same)
		return fail(error, "its credential is for another day, region or service than its "
				   "date and host");
	return true;
}

static bool check_time(struct iam_token *token, struct unix_time now, const char **error)
{
	const char *expires = token->values[IAM_EXPIRES];
	size_t digits = strspn(expires, DIGITS);
	if (digits == 0 || digits > 3 || expires[digits] != '\0' ||
	    strtol(expires, NULL, 10) > EXPIRES_MAX)
		return fail(error, "its X-Amz-Expires is not a number up to 900");
	if (!read_date(token->values[IAM_DATE], &token->signed_at))
		return fail(error, "its X-Amz-Date is no date");
	if (now.ms > token->signed_at.ms + IAM_TOKEN_LIFE_MS)
		return fail(error, "it is older than 15 minutes: get a new one");
	if (token->signed_at.ms > now.ms + AHEAD_MS)
		return fail(error, "its date lies in the future: set the clock of the client");
	return true;
}

static bool check_fixed(const struct iam_token *token, const char **error)
{
	if (strcmp(token->values[IAM_ACTION], "GetCallerIdentity") != 0)
		return fail(error, "its action is not GetCallerIdentity");
	if (strcmp(token->values[IAM_VERSION], "2011-06-15") != 0)
		return fail(error, "its version is not 2011-06-15");
	if (strcmp(token->values[IAM_ALGORITHM], "AWS4-HMAC-SHA256") != 0)
		return fail(error, "its algorithm is not AWS4-HMAC-SHA256");
	if (strcmp(token->values[IAM_SIGNED_HEADERS], SIGNED_HEADERS) != 0)
		return fail(error, "it does not sign exactly host and x-k8s-aws-id");
	const char *signature = token->values[IAM_SIGNATURE];
	if (strlen(signature) != 64 || strspn(signature, DIGITS "abcdef") != 64)
		return fail(error, "its signature is not 64 hexadecimal digits");
	const char *session = token->values[IAM_SECURITY_TOKEN];
	if (session != NULL &&
	    (*session == '\0' ||
		session[strspn(session, CAPITALS DIGITS "abcdefghijklmnopqrstuvwxyz+/=_-")] !=
		    '\0'))
		return fail(error, "its session token is no session token");
	return true;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool read_url(const char *url, const char *partition, struct unix_time now,
    struct iam_token *token, const char **error)
{
	static const char scheme[] = "https://";
	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return fail(error, "its URL is not https");
	const char *host = url + strlen(scheme);
	size_t len = strcspn(host, "/?#");
	if (strncmp(host + len, "/?", 2) != 0 || strchr(host, '#') != NULL)
		return fail(error, "its URL is not a host, the path / and a query");
	token->host = xstrndup(host, len);
	token->region = check_host(token->host, partition);
	if (token->region == NULL)
		return fail(error, "the host of its URL is no STS host of the partition that is "
				   "configured");
	return take_query(token, host + len + 2, error) && check_fixed(token, error) &&
	       check_time(token, now, error) && check_credential(token, error);
}

bool iam_token_is_likely(const char *text, size_t len)
{
	return len >= strlen(IAM_TOKEN_PREFIX) &&
	       memcmp(text, IAM_TOKEN_PREFIX, strlen(IAM_TOKEN_PREFIX)) == 0;
}

bool iam_token_parse(const char *text, size_t len, const char *partition, struct unix_time now,
    struct iam_token *token, const char **error)
{
	struct buf url = {0};
	size_t prefix = strlen(IAM_TOKEN_PREFIX);
	*token = (struct iam_token){0};
	if (len > IAM_TOKEN_MAX_BYTES)
		return fail(error, "it is longer than 4096 bytes");
	if (!iam_token_is_likely(text, len))
		return fail(error, "it does not begin with k8s-aws-v1.");
	if (!base64url_decode(text + prefix, len - prefix, &url) || url.len == 0 ||
	    memchr(url.data, '\0', url.len) != NULL) {
		buf_free_secret(&url);
		return fail(error, "what follows k8s-aws-v1. is not base64url without padding");
	}
	bool is_good = read_url(buf_text(&url), partition, now, token, error);
	buf_free_secret(&url);
	if (!is_good)
		iam_token_free(token);
	return is_good;
}

char *iam_token_query(const struct iam_token *token)
{
	struct buf query = {0};
	buf_make_room(&query, IAM_TOKEN_MAX_BYTES * 3);
	for (int i = 0; i < IAM_PARAMETER_COUNT; i++) {
		if (token->values[i] == NULL)
			continue;
		if (query.len > 0)
			buf_append_char(&query, '&');
		buf_append_text(&query, names[i]);
		buf_append_char(&query, '=');
		sigv4_encode(&query, token->values[i], strlen(token->values[i]));
	}
	return buf_take(&query);
}

void iam_token_free(struct iam_token *token)
{
	free(token->host);
	free(token->region);
	for (int i = 0; i < IAM_PARAMETER_COUNT; i++)
		xfree_secret(&token->values[i]);
	*token = (struct iam_token){0};
}
