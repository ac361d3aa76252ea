/* AWS Signature Version 4. Everything here is pure: text in, text out. The canonical forms follow
 * AWS's "Create a signed AWS API request"; what its text leaves open (whitespace inside quotes,
 * values of repeated headers, parameters without a value) follows the official test suite.
 * Called by aws_call (header form) and by the token minter (query form). */
#include "common/sigv4.h"

#include <ctype.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/aws_credentials.h"
#include "common/xmem.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

/* A header or a query parameter in canonical form. */
struct pair {
	char *name;
	char *value;
	size_t order; /* of arrival */
};

struct pairs {
	struct pair *items;
	size_t count, cap;
};

/* What one signature is made for, in the forms that several steps need. */
struct signing {
	const struct sigv4_request *request;
	const struct aws_credentials *credentials;
	struct sigv4_result *result;
	struct buf scope; /* 20260102/us-west-2/eks/aws4_request */
};

/* --- texts ----------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static void encode(struct buf *out, const char *text, size_t len, bool keep_slash)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (is_unreserved(c) || (c == '/' && keep_slash))
			buf_append_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void sigv4_encode(struct buf *out, const char *text, size_t len)
{
	encode(out, text, len, false);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" becomes "A"; a percent sign without two digits stays, and '+' is no space. */
static void decode(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 &&
		    hex_value(text[i + 2]) >= 0) {
			buf_append_char(
			    out, (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
			i += 2;
			continue;
		}
		buf_append_char(out, text[i]);
	}
}

static void write_hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static void hash_hex(const void *data, size_t len, char text[65])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA256(data != NULL ? data : "", len, digest);
	write_hex(digest, sizeof digest, text);
}

/* --- pairs ----------------------------------------------------------------------------------- */

/* Both texts become the list's. */
static void pairs_add(struct pairs *pairs, char *name, char *value)
{
	if (pairs->count == pairs->cap) {
		pairs->cap = pairs->cap > 0 ? pairs->cap * 2 : 16;
		pairs->items = xreallocarray(pairs->items, pairs->cap, sizeof *pairs->items);
	}
	pairs->items[pairs->count] = (struct pair){name, value, pairs->count};
	pairs->count++;
}

static void pairs_free(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		xfree(&pairs->items[i].name);
		xfree_secret(&pairs->items[i].value);
	}
	xfree(&pairs->items);
}

static int compare_order(const struct pair *a, const struct pair *b)
{
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Values of a repeated header keep their order of arrival. */
static int compare_headers(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	int by_name = strcmp(a->name, b->name);
	return by_name != 0 ? by_name : compare_order(a, b);
}

static int compare_parameters(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	int by_name = strcmp(a->name, b->name);
	return by_name != 0 ? by_name : strcmp(a->value, b->value);
}

static void pairs_sort(struct pairs *pairs, int (*compare)(const void *, const void *))
{
	if (pairs->count > 1)
		qsort(pairs->items, pairs->count, sizeof *pairs->items, compare);
}

/* --- path ------------------------------------------------------------------------------------ */

/* Cuts the last segment off `out`, which is "/a/b" or "". */
static void pop_segment(struct buf *out)
{
	while (out->len > 0 && out->data[--out->len] != '/')
		;
}

/* RFC 3986 5.2.4, and doubled slashes count as one; a slash at the end stays. */
static void normalize_path(struct buf *out, const char *path)
{
	size_t len = strlen(path);
	for (const char *p = path; *p != '\0';) {
		size_t slashes = strspn(p, "/");
		const char *segment = p + slashes;
		size_t size = strcspn(segment, "/");
		p = segment + size;
		if (size == 2 && memcmp(segment, "..", 2) == 0) {
			pop_segment(out);
		} else if (size > 0 && !(size == 1 && *segment == '.')) {
			buf_append_char(out, '/');
			buf_append(out, segment, size);
		}
	}
	if (out->len == 0 || (len > 0 && path[len - 1] == '/'))
		buf_append_char(out, '/');
}

static void add_canonical_path(struct buf *out, const struct sigv4_request *request)
{
	struct buf path = {0};
	if (request->keep_path && request->path[0] != '\0')
		buf_append_text(&path, request->path);
	else
		normalize_path(&path, request->path);
	encode(out, path.data, path.len, true);
	buf_free(&path);
}

/* --- query ----------------------------------------------------------------------------------- */

static char *encode_again(const char *text, size_t len)
{
	struct buf plain = {0}, encoded = {0};
	decode(&plain, text, len);
	encode(&encoded, buf_text(&plain), plain.len, false);
	buf_free(&plain);
	return buf_take(&encoded);
}

static char *encoded_text(const char *text)
{
	struct buf encoded = {0};
	encode(&encoded, text, strlen(text), false);
	return buf_take(&encoded);
}

static void add_parameter(struct pairs *pairs, const char *name, const char *value)
{
	pairs_add(pairs, xstrdup(name), encoded_text(value));
}

static void read_query(struct pairs *pairs, const char *query)
{
	for (const char *p = query != NULL ? query : ""; *p != '\0';) {
		size_t len = strcspn(p, "&");
		size_t name_len = strcspn(p, "=&");
		const char *value = name_len < len ? p + name_len + 1 : p + len;
		if (len > 0)
			pairs_add(pairs, encode_again(p, name_len),
			    encode_again(value, (size_t)(p + len - value)));
		p += len + (p[len] == '&');
	}
}

static void write_query(struct buf *out, struct pairs *pairs)
{
	pairs_sort(pairs, compare_parameters);
	for (size_t i = 0; i < pairs->count; i++)
		buf_printf(
		    out, "%s%s=%s", i > 0 ? "&" : "", pairs->items[i].name, pairs->items[i].value);
}

/* --- headers --------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Trimmed, and runs of white space (also a folded line's, also inside quotes) become one space. */
static char *canonical_value(const char *value)
{
	struct buf out = {0};
	bool is_pending = false;
	for (const char *p = value; *p != '\0'; p++) {
		if (is_space(*p)) {
			is_pending = out.len > 0;
			continue;
		}
		if (is_pending)
			buf_append_char(&out, ' ');
		is_pending = false;
		buf_append_char(&out, *p);
	}
	return buf_take(&out);
}

static void add_header(struct pairs *pairs, const char *name, const char *value)
{
	char *lower = xstrdup(name);
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	pairs_add(pairs, lower, canonical_value(value));
}

static void read_headers(struct pairs *pairs, const struct sigv4_request *request)
{
	add_header(pairs, "host", request->host);
	for (size_t i = 0; i < request->header_count; i++)
		add_header(pairs, request->headers[i].name, request->headers[i].value);
}

static bool is_repeated(const struct pairs *pairs, size_t i)
{
	return i > 0 && strcmp(pairs->items[i].name, pairs->items[i - 1].name) == 0;
}

/* "host:…\nx-amz-date:…\n"; the pairs are sorted. */
static void write_headers(struct buf *out, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (is_repeated(pairs, i))
			buf_printf(out, ",%s", pairs->items[i].value);
		else
			buf_printf(out, "%s%s:%s", i > 0 ? "\n" : "", pairs->items[i].name,
			    pairs->items[i].value);
	}
	buf_append_char(out, '\n');
}

/* "host;x-amz-date" */
static void write_names(struct buf *out, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (!is_repeated(pairs, i))
			buf_printf(out, "%s%s", i > 0 ? ";" : "", pairs->items[i].name);
	}
}

/* --- signing --------------------------------------------------------------------------------- */

static void start_signing(struct signing *signing, struct unix_time now)
{
	const struct sigv4_request *request = signing->request;
	struct sigv4_result *result = signing->result;
	time_t seconds = (time_t)(now.ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	strftime(result->amz_date, sizeof result->amz_date, "%Y%m%dT%H%M%SZ", &tm);
	hash_hex(request->body, request->body_len, result->content_sha256);
	buf_printf(&signing->scope, "%.8s/%s/%s/aws4_request", result->amz_date, request->region,
	    request->service);
}

static void write_canonical_request(
    struct signing *signing, const char *query, const struct pairs *headers)
{
	struct buf *out = &signing->result->canonical_request;
	buf_printf(out, "%s\n", signing->request->method);
	add_canonical_path(out, signing->request);
	buf_printf(out, "\n%s\n", query);
	write_headers(out, headers);
	buf_append_char(out, '\n');
	write_names(out, headers);
	buf_printf(out, "\n%s", signing->result->content_sha256);
}

static void mac(const uint8_t *key, size_t key_len, const char *text, size_t len,
    uint8_t out[SHA256_DIGEST_LENGTH])
{
	if (HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, len, out, NULL) == NULL)
		abort();
}

static void derive_key(const struct signing *signing, uint8_t key[SHA256_DIGEST_LENGTH])
{
	struct buf secret = {0};
	const char *date = signing->result->amz_date;
	char *room = buf_reserve(&secret, 4 + strlen(signing->credentials->secret_access_key) + 1);
	(void)room; /* one allocation: growing would leave copies of the secret behind */
	buf_printf(&secret, "AWS4%s", signing->credentials->secret_access_key);
	mac((const uint8_t *)secret.data, secret.len, date, 8, key);
	buf_free_secret(&secret);
	const char *const steps[] = {
	    signing->request->region, signing->request->service, "aws4_request"};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		uint8_t next[SHA256_DIGEST_LENGTH];
		mac(key, SHA256_DIGEST_LENGTH, steps[i], strlen(steps[i]), next);
		memcpy(key, next, sizeof next);
		explicit_bzero(next, sizeof next);
	}
}

/* From the canonical request to the signature. */
static void finish_signing(struct signing *signing)
{
	struct sigv4_result *result = signing->result;
	char hash[65];
	hash_hex(result->canonical_request.data, result->canonical_request.len, hash);
	buf_printf(&result->string_to_sign, ALGORITHM "\n%s\n%s\n%s", result->amz_date,
	    buf_text(&signing->scope), hash);
	uint8_t key[SHA256_DIGEST_LENGTH], signature[SHA256_DIGEST_LENGTH];
	derive_key(signing, key);
	mac(key, sizeof key, result->string_to_sign.data, result->string_to_sign.len, signature);
	explicit_bzero(key, sizeof key);
	write_hex(signature, sizeof signature, result->signature);
}

static bool has_signed_token(const struct signing *signing)
{
	return signing->credentials->session_token != NULL && !signing->request->omit_session_token;
}

void sigv4_sign(const struct sigv4_request *request, const struct aws_credentials *credentials,
    struct unix_time now, struct sigv4_result *result)
{
	struct signing signing = {.request = request, .credentials = credentials, .result = result};
	struct pairs headers = {0}, parameters = {0};
	struct buf query = {0};
	start_signing(&signing, now);
	read_headers(&headers, request);
	add_header(&headers, "x-amz-date", result->amz_date);
	if (has_signed_token(&signing))
		add_header(&headers, "x-amz-security-token", credentials->session_token);
	if (request->sign_body_header)
		add_header(&headers, "x-amz-content-sha256", result->content_sha256);
	pairs_sort(&headers, compare_headers);
	read_query(&parameters, request->query);
	write_query(&query, &parameters);

	write_canonical_request(&signing, buf_text(&query), &headers);
	finish_signing(&signing);
	buf_printf(&result->authorization,
	    ALGORITHM " Credential=%s/%s, SignedHeaders=", credentials->access_key_id,
	    buf_text(&signing.scope));
	write_names(&result->authorization, &headers);
	buf_printf(&result->authorization, ", Signature=%s", result->signature);

	pairs_free(&headers);
	pairs_free(&parameters);
	buf_free(&query);
	buf_free(&signing.scope);
}

static void add_presign_parameters(const struct signing *signing, const struct pairs *headers,
    unsigned expires_seconds, struct pairs *out)
{
	char expires[16];
	snprintf(expires, sizeof expires, "%u", expires_seconds);
	char *credential =
	    xasprintf("%s/%s", signing->credentials->access_key_id, buf_text(&signing->scope));
	struct buf names = {0};
	write_names(&names, headers);
	add_parameter(out, "X-Amz-Algorithm", ALGORITHM);
	add_parameter(out, "X-Amz-Credential", credential);
	add_parameter(out, "X-Amz-Date", signing->result->amz_date);
	add_parameter(out, "X-Amz-Expires", expires);
	add_parameter(out, "X-Amz-SignedHeaders", buf_text(&names));
	if (has_signed_token(signing))
		add_parameter(out, "X-Amz-Security-Token", signing->credentials->session_token);
	buf_free(&names);
	xfree(&credential);
}

static void add_unsigned_token(struct buf *query, const struct signing *signing)
{
	const char *token = signing->credentials->session_token;
	if (token == NULL || has_signed_token(signing))
		return;
	buf_append_text(query, "&X-Amz-Security-Token=");
	sigv4_encode(query, token, strlen(token));
}

void sigv4_presign(const struct sigv4_request *request, const struct aws_credentials *credentials,
    struct unix_time now, unsigned expires_seconds, struct sigv4_result *result)
{
	struct signing signing = {.request = request, .credentials = credentials, .result = result};
	struct pairs headers = {0}, parameters = {0};
	start_signing(&signing, now);
	read_headers(&headers, request);
	pairs_sort(&headers, compare_headers);
	read_query(&parameters, request->query);
	add_presign_parameters(&signing, &headers, expires_seconds, &parameters);
	write_query(&result->query, &parameters);

	write_canonical_request(&signing, buf_text(&result->query), &headers);
	finish_signing(&signing);
	add_unsigned_token(&result->query, &signing);
	buf_printf(&result->query, "&X-Amz-Signature=%s", result->signature);

	pairs_free(&headers);
	pairs_free(&parameters);
	buf_free(&signing.scope);
}

void sigv4_result_free(struct sigv4_result *result)
{
	buf_free_secret(&result->canonical_request);
	buf_free_secret(&result->string_to_sign);
	buf_free_secret(&result->authorization);
	buf_free_secret(&result->query);
}
