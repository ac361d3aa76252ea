/* Signatures against three sets of vectors: golden.json (whole EKS, STS and account requests and
 * EKS tokens), sigv4.json (the cases that are easy to get wrong, our own) and AWS's official suite,
 * which is not part of this tree: EKSGATE_SIGV4_SUITE or ../shared/data/sigv4-suite says where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <json-c/json.h>

#include "common/aws_credentials.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define MAX_HEADERS 16

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

static bool flag_of(struct json_object *object, const char *key)
{
	return json_object_get_boolean(json_object_object_get(object, key));
}

static struct json_object *load(const char *path)
{
	struct json_object *document = json_object_from_file(path);
	if (document == NULL)
		fail_msg("cannot read %s: %s", path, json_util_get_last_err());
	return document;
}

/* "20260102T030405Z" */
static struct unix_time time_of(const char *stamp)
{
	char text[32];
	struct unix_time at;
	snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", stamp, stamp + 4, stamp + 6,
	    stamp + 9, stamp + 11, stamp + 13);
	assert_true(unix_time_parse(text, &at));
	return at;
}

static struct aws_credentials credentials_of(const char *id, const char *secret, const char *token)
{
	return (struct aws_credentials){.access_key_id = xstrdup(id),
	    .secret_access_key = xstrdup(secret),
	    .session_token = xstrdup_or_null(token)};
}

static void drop_credentials(struct aws_credentials *credentials)
{
	xfree_secret(&credentials->access_key_id);
	xfree_secret(&credentials->secret_access_key);
	xfree_secret(&credentials->session_token);
}

/* --- golden.json -------------------------------------------------------------------------------
 */

/* Cuts an https URL into host, path and query, each in place. */
static void split_url(char *url, struct sigv4_request *request)
{
	assert_memory_equal(url, "https://", 8);
	request->host = url + 8;
	char *slash = strchr(url + 8, '/');
	request->query = "";
	char *mark = strchr(slash, '?');
	if (mark != NULL) {
		*mark = '\0';
		request->query = mark + 1;
	}
	request->path = xstrdup(slash);
	*slash = '\0';
}

/* The headers that the vector signs and we are to add ourselves: all but host and those of SigV4.
 */
static void read_signed_headers(
    struct json_object *headers, const char *authorization, struct sigv4_header *out, size_t *count)
{
	const char *names = strstr(authorization, "SignedHeaders=") + strlen("SignedHeaders=");
	size_t len = strcspn(names, ",");
	json_object_object_foreach(headers, name, value)
	{
		char lower[64];
		snprintf(lower, sizeof lower, "%s", name);
		for (char *p = lower; *p != '\0'; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		const char *at = strstr(names, lower);
		if (at == NULL || at >= names + len || strncmp(lower, "x-amz-date", 10) == 0 ||
		    strcmp(lower, "x-amz-security-token") == 0)
			continue;
		out[(*count)++] = (struct sigv4_header){name, json_object_get_string(value)};
	}
}

/* ".../20260102/us-west-2/eks/aws4_request" */
static void read_scope(const char *authorization, char region[32], char service[32])
{
	assert_int_equal(
	    sscanf(authorization, "%*[^/]/%*[^/]/%31[^/]/%31[^/]/", region, service), 2);
}

static void check_golden_request(struct json_object *golden, struct json_object *vector)
{
	struct json_object *headers = json_object_object_get(vector, "headers");
	const char *authorization = text_of(headers, "Authorization");
	const char *body = text_of(vector, "body");
	char region[32], service[32];
	read_scope(authorization, region, service);
	struct sigv4_header extra[MAX_HEADERS];
	struct sigv4_request request = {.method = text_of(vector, "method"),
	    .headers = extra,
	    .body = body,
	    .body_len = body != NULL ? strlen(body) : 0,
	    .region = region,
	    .service = service};
	char *url = xstrdup(text_of(vector, "url"));
	split_url(url, &request);
	read_signed_headers(headers, authorization, extra, &request.header_count);
	struct aws_credentials credentials = credentials_of(text_of(golden, "access_key"),
	    text_of(golden, "secret_key"), text_of(vector, "session_token"));
	struct sigv4_result result = {0};
	sigv4_sign(&request, &credentials, time_of(text_of(golden, "time")), &result);
	assert_string_equal(
	    buf_text(&result.canonical_request), text_of(vector, "canonical_request"));
	assert_string_equal(buf_text(&result.string_to_sign), text_of(vector, "string_to_sign"));
	assert_string_equal(buf_text(&result.authorization), authorization);
	sigv4_result_free(&result);
	drop_credentials(&credentials);
	char *path = (char *)(uintptr_t)request.path;
	xfree(&path);
	xfree(&url);
}

static void test_golden_requests(void **state)
{
	(void)state;
	struct json_object *golden = load("tests/vectors/golden.json");
	struct json_object *requests = json_object_object_get(golden, "requests");
	size_t count = json_object_array_length(requests);
	assert_int_equal(count, 23);
	for (size_t i = 0; i < count; i++)
		check_golden_request(golden, json_object_array_get_idx(requests, i));
	json_object_put(golden);
}

/* --- sigv4.json ---------------------------------------------------------------------------------
 */

static size_t read_header_list(struct json_object *list, struct sigv4_header *out)
{
	size_t count = json_object_array_length(list);
	assert_true(count <= MAX_HEADERS);
	for (size_t i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		out[i].name = json_object_get_string(json_object_array_get_idx(pair, 0));
		out[i].value = json_object_get_string(json_object_array_get_idx(pair, 1));
	}
	return count;
}

static void check_own_case(struct json_object *document, struct json_object *vector)
{
	struct sigv4_header headers[MAX_HEADERS];
	struct sigv4_request request = {.method = text_of(vector, "method"),
	    .host = text_of(vector, "host"),
	    .path = text_of(vector, "path"),
	    .query = text_of(vector, "query"),
	    .headers = headers,
	    .header_count = read_header_list(json_object_object_get(vector, "headers"), headers),
	    .body = text_of(vector, "body"),
	    .body_len = strlen(text_of(vector, "body")),
	    .region = text_of(document, "region"),
	    .service = text_of(document, "service"),
	    .keep_path = flag_of(vector, "keep_path"),
	    .sign_body_header = flag_of(vector, "sign_body_header"),
	    .omit_session_token = flag_of(vector, "omit_session_token")};
	struct aws_credentials credentials = credentials_of(text_of(document, "access_key"),
	    text_of(document, "secret_key"), text_of(vector, "session_token"));
	struct unix_time now = time_of(text_of(document, "time"));
	print_message("%s\n", text_of(vector, "name"));
	struct sigv4_result header = {0}, query = {0};
	sigv4_sign(&request, &credentials, now, &header);
	assert_string_equal(
	    buf_text(&header.canonical_request), text_of(vector, "header_canonical_request"));
	assert_string_equal(header.signature, text_of(vector, "header_signature"));
	sigv4_presign(&request, &credentials, now,
	    (unsigned)json_object_get_int(json_object_object_get(document, "expires")), &query);
	assert_string_equal(
	    buf_text(&query.canonical_request), text_of(vector, "query_canonical_request"));
	assert_string_equal(query.signature, text_of(vector, "query_signature"));
	sigv4_result_free(&header);
	sigv4_result_free(&query);
	drop_credentials(&credentials);
}

static void test_own_cases(void **state)
{
	(void)state;
	struct json_object *document = load("tests/vectors/sigv4.json");
	struct json_object *cases = json_object_object_get(document, "cases");
	for (size_t i = 0; i < json_object_array_length(cases); i++)
		check_own_case(document, json_object_array_get_idx(cases, i));
	json_object_put(document);
}

/* --- the official suite -------------------------------------------------------------------------
 */

static char *read_file(const char *directory, const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	xfree(&path);
	char *text = xcalloc(1, 65536);
	size_t len = fread(text, 1, 65535, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

/* Replaces the end of a line and returns what stands behind it. */
static char *cut_line(char *text)
{
	char *end = strchr(text, '\n');
	if (end == NULL)
		return text + strlen(text);
	*end = '\0';
	return end + 1;
}

/* As cut_line(), for a header: lines that start with white space belong to the one before. */
static char *cut_header(char *text)
{
	for (char *end = strchr(text, '\n'); end != NULL; end = strchr(end + 1, '\n')) {
		if (end[1] != ' ' && end[1] != '\t') {
			*end = '\0';
			return end + 1;
		}
	}
	return text + strlen(text);
}

static void read_target(char *line, struct sigv4_request *request)
{
	char *space = strchr(line, ' ');
	*space = '\0';
	request->method = line;
	char *version = strstr(space + 1, " HTTP/1.1");
	assert_non_null(version);
	*version = '\0';
	char *mark = strchr(space + 1, '?');
	if (mark != NULL) {
		*mark = '\0';
		request->query = mark + 1;
	}
	request->path = space + 1;
}

/* Raw HTTP, taken apart in place. */
static void read_request(char *text, struct sigv4_request *request, struct sigv4_header *headers)
{
	char *rest = cut_line(text);
	read_target(text, request);
	while (*rest != '\0' && *rest != '\n') {
		char *line = rest;
		rest = cut_header(line);
		char *colon = strchr(line, ':');
		assert_non_null(colon);
		*colon = '\0';
		if (strcmp(line, "Host") == 0)
			request->host = colon + 1;
		else
			headers[request->header_count++] = (struct sigv4_header){line, colon + 1};
		assert_true(request->header_count < MAX_HEADERS);
	}
	request->body = *rest == '\n' ? rest + 1 : rest;
	request->body_len = strlen(request->body);
}

static void expect(const char *directory, const char *file, const char *text)
{
	char *wanted = read_file(directory, file);
	if (strcmp(wanted, text) != 0)
		fail_msg("%s/%s:\nwanted\n%s\ngot\n%s", directory, file, wanted, text);
	xfree(&wanted);
}

static void check_suite_case(const char *directory)
{
	char *path = xasprintf("%s/context.json", directory);
	struct json_object *context = load(path);
	xfree(&path);
	struct json_object *keys = json_object_object_get(context, "credentials");
	struct aws_credentials credentials = credentials_of(text_of(keys, "access_key_id"),
	    text_of(keys, "secret_access_key"), text_of(keys, "token"));
	struct sigv4_header headers[MAX_HEADERS];
	struct sigv4_request request = {.headers = headers,
	    .region = text_of(context, "region"),
	    .service = text_of(context, "service"),
	    .keep_path = !flag_of(context, "normalize"),
	    .sign_body_header = flag_of(context, "sign_body"),
	    .omit_session_token = flag_of(context, "omit_session_token")};
	char *raw = read_file(directory, "request.txt");
	read_request(raw, &request, headers);
	struct unix_time now;
	assert_true(unix_time_parse(text_of(context, "timestamp"), &now));
	struct sigv4_result header = {0}, query = {0};
	sigv4_sign(&request, &credentials, now, &header);
	expect(directory, "header-canonical-request.txt", buf_text(&header.canonical_request));
	expect(directory, "header-string-to-sign.txt", buf_text(&header.string_to_sign));
	expect(directory, "header-signature.txt", header.signature);
	sigv4_presign(&request, &credentials, now,
	    (unsigned)json_object_get_int(json_object_object_get(context, "expiration_in_seconds")),
	    &query);
	expect(directory, "query-canonical-request.txt", buf_text(&query.canonical_request));
	expect(directory, "query-string-to-sign.txt", buf_text(&query.string_to_sign));
	expect(directory, "query-signature.txt", query.signature);
	sigv4_result_free(&header);
	sigv4_result_free(&query);
	drop_credentials(&credentials);
	xfree(&raw);
	json_object_put(context);
}

static void test_official_suite(void **state)
{
	(void)state;
	const char *root = getenv("EKSGATE_SIGV4_SUITE");
	if (root == NULL)
		root = "../shared/data/sigv4-suite";
	char *path = xasprintf("%s/v4", root);
	DIR *directory = opendir(path);
	if (directory == NULL) {
		print_message("AWS's signing suite is not at %s: skipped (EKSGATE_SIGV4_SUITE "
			      "names its folder)\n",
		    path);
		xfree(&path);
		skip();
	}
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char *name = xasprintf("%s/%s", path, entry->d_name);
		check_suite_case(name);
		xfree(&name);
		count++;
	}
	closedir(directory);
	xfree(&path);
	assert_int_equal(count, 38);
}

static void test_encode_is_strict(void **state)
{
	(void)state;
	struct buf out = {0};
	const char text[] = "aZ09-._~ !*'()/:%+\xc3\xbc";
	sigv4_encode(&out, text, sizeof text - 1);
	assert_string_equal(buf_text(&out), "aZ09-._~%20%21%2A%27%28%29%2F%3A%25%2B%C3%BC");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden_requests),
	    cmocka_unit_test(test_own_cases),
	    cmocka_unit_test(test_official_suite),
	    cmocka_unit_test(test_encode_is_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
