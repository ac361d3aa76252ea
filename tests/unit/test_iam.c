/* AWS tokens: the golden ones are taken apart and put together again, a table of bad ones fails
 * each for its own reason; what STS answers; who an ARN is; and what is bounded ahead of STS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "common/base64url.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/address_pace.h"
#include "kubeproxyd/gate/iam_caller.h"
#include "kubeproxyd/gate/iam_mapping.h"
#include "kubeproxyd/gate/iam_room.h"
#include "kubeproxyd/gate/iam_token.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/refusal.h"
#include "kubeproxyd/gate/token_cache.h"

static struct unix_time golden_now(void)
{
	struct unix_time now;
	assert_true(unix_time_parse("2026-01-02T03:04:05Z", &now));
	return now;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The parameters of a query in one order (free()). */
static char *sorted(const char *query)
{
	char *copy = xstrdup(query), *pairs[16], *rest = copy;
	size_t count = 0;
	for (char *pair; (pair = strsep(&rest, "&")) != NULL && count < 16;)
		pairs[count++] = pair;
	qsort(pairs, count, sizeof pairs[0], by_text);
	struct buf out = {0};
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s&", pairs[i]);
	free(copy);
	return buf_take(&out);
}

static const char *partition_of(const char *url)
{
	if (strstr(url, ".amazonaws.com.cn/") != NULL)
		return "aws-cn";
	if (strstr(url, "eusc-") != NULL)
		return "aws-eusc";
	return strstr(url, "us-gov-") != NULL ? "aws-us-gov" : "aws";
}

static void check_golden(struct json_object *vector)
{
	const char *text = json_object_get_string(json_object_object_get(vector, "token"));
	const char *url = json_object_get_string(json_object_object_get(vector, "url"));
	struct iam_token token;
	const char *error = NULL;
	if (!iam_token_parse(text, strlen(text), partition_of(url), golden_now(), &token, &error))
		fail_msg("%s: %s", url, error);
	assert_string_equal(token.access_key_id, "AKIAIOSFODNN7EXAMPLE");
	char *query = iam_token_query(&token);
	char *ours = sorted(query), *theirs = sorted(strchr(url, '?') + 1);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
	xfree_secret(&query);
	iam_token_free(&token);
	struct unix_time late = {golden_now().ms + IAM_TOKEN_LIFE_MS + 1};
	assert_false(iam_token_parse(text, strlen(text), partition_of(url), late, &token, &error));
	assert_non_null(strstr(error, "older than 15 minutes"));
}

static void test_takes_golden_tokens(void **state)
{
	(void)state;
	struct json_object *golden = json_object_from_file("tests/vectors/golden.json");
	struct json_object *tokens = json_object_object_get(golden, "tokens");
	assert_int_equal(json_object_array_length(tokens), 9);
	for (size_t i = 0; i < 9; i++)
		check_golden(json_object_array_get_idx(tokens, i));
	json_object_put(golden);
}

#define HOST   "https://sts.us-west-2.amazonaws.com/?"
#define HEAD   "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
#define SCOPE  "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-west-2%2Fsts%2Faws4_request"
#define WHEN   "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60"
#define SIGNED "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
#define SIG    "&X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD   HOST HEAD SCOPE WHEN SIGNED SIG

static bool parse(const char *url, const char **error)
{
	struct buf text = {0};
	struct iam_token token;
	buf_append_text(&text, IAM_TOKEN_PREFIX);
	base64url_encode(url, strlen(url), &text);
	bool is_good = iam_token_parse(text.data, text.len, "aws", golden_now(), &token, error);
	if (is_good)
		iam_token_free(&token);
	buf_free(&text);
	return is_good;
}

/* A URL, and what its refusal says. */
static const char *const bad_urls[][2] = {
    {"http://sts.us-west-2.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "not https"},
    {"HTTPS://sts.us-west-2.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "not https"},
    {"https://sts.us-west-2.amazonaws.com?" HEAD SCOPE WHEN SIGNED SIG, "the path /"},
    {"https://sts.us-west-2.amazonaws.com//?" HEAD SCOPE WHEN SIGNED SIG, "the path /"},
    {"https://sts.us-west-2.amazonaws.com/x?" HEAD SCOPE WHEN SIGNED SIG, "the path /"},
    {"https://sts.us-west-2.amazonaws.com/", "the path /"},
    {GOOD "#", "the path /"},
    {"https://sts.us-west-2.amazonaws.com:443/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://a:b@sts.us-west-2.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.us-west-2.amazonaws.com.evil.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.us-west-2.amazonaws.com.cn/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.cn-north-1.amazonaws.com.cn/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.us-gov-west-1.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://STS.us-west-2.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://s3.us-west-2.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.evil.amazonaws.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://sts.us-west-2.example.com/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https://169.254.169.254/?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {"https:///?" HEAD SCOPE WHEN SIGNED SIG, "STS host"},
    {HOST HEAD SCOPE WHEN SIGNED SIG "&", "has no value"},
    {HOST HEAD "&x" SCOPE WHEN SIGNED SIG, "has no value"},
    {HOST HEAD "&RoleArn=x" SCOPE WHEN SIGNED SIG, "does not belong"},
    {HOST HEAD "&action=GetCallerIdentity" SCOPE WHEN SIGNED SIG, "does not belong"},
    {HOST HEAD "&Action=AssumeRole" SCOPE WHEN SIGNED SIG, "parameter twice"},
    {HOST HEAD SCOPE WHEN SIGNED, "lacks a parameter"},
    {HOST HEAD SCOPE WHEN SIG, "lacks a parameter"},
    {HOST HEAD WHEN SIGNED SIG, "lacks a parameter"},
    {HOST "Action=AssumeRole&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256" SCOPE WHEN SIGNED
	    SIG,
	"action is not"},
    {HOST
	"Action=GetCallerIdentity&Version=1&X-Amz-Algorithm=AWS4-HMAC-SHA256" SCOPE WHEN SIGNED SIG,
	"version is not"},
    {HOST "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-ECDSA" SCOPE WHEN SIGNED
	    SIG,
	"algorithm is not"},
    {HOST HEAD SCOPE WHEN "&X-Amz-SignedHeaders=host" SIG, "does not sign exactly"},
    {HOST HEAD SCOPE WHEN "&X-Amz-SignedHeaders=host%3Bx-a%3Bx-k8s-aws-id" SIG,
	"does not sign exactly"},
    {HOST HEAD SCOPE WHEN "&X-Amz-SignedHeaders=x-k8s-aws-id" SIG, "does not sign exactly"},
    {HOST HEAD SCOPE WHEN SIGNED "&X-Amz-Signature=abc", "signature is not 64"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=901" SIGNED SIG, "Expires"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=-1" SIGNED SIG, "Expires"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=" SIGNED SIG, "Expires"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260231T030405Z&X-Amz-Expires=60" SIGNED SIG, "no date"},
    {HOST HEAD SCOPE "&X-Amz-Date=2026-01-02T03%3A04&X-Amz-Expires=60" SIGNED SIG, "no date"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260102T024904Z&X-Amz-Expires=60" SIGNED SIG,
	"older than 15 minutes"},
    {HOST HEAD SCOPE "&X-Amz-Date=20260102T030906Z&X-Amz-Expires=60" SIGNED SIG, "the future"},
    {HOST HEAD "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-west-2%2Fsts%2F"
	       "aws4_request" WHEN SIGNED SIG,
	"another day, region or service"},
    {HOST HEAD "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-west-2%2Fs3%2F"
	       "aws4_request" WHEN SIGNED SIG,
	"another day, region or service"},
    {HOST HEAD "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fsts%2F"
	       "aws4_request" WHEN SIGNED SIG,
	"another day, region or service"},
    {HOST HEAD "&X-Amz-Credential=x%2F20260102%2Fus-west-2%2Fsts%2Faws4_request" WHEN SIGNED SIG,
	"no access key id"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=a%0Ab" SIGNED SIG, "percent-encoded"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=a+b" SIGNED SIG, "percent-encoded"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=a%2" SIGNED SIG, "percent-encoded"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=a%zz" SIGNED SIG, "percent-encoded"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=" SIGNED SIG, "session token"},
    {HOST HEAD SCOPE WHEN "&X-Amz-Security-Token=a%26b" SIGNED SIG, "session token"},
};

static void test_refuses_bad_tokens(void **state)
{
	(void)state;
	const char *error = NULL;
	if (!parse(GOOD, &error))
		fail_msg("the good one: %s", error);
	for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
		if (parse(bad_urls[i][0], &error))
			fail_msg("taken: %s", bad_urls[i][0]);
		if (strstr(error, bad_urls[i][1]) == NULL)
			fail_msg("%s: \"%s\" says nothing of \"%s\"", bad_urls[i][0], error,
			    bad_urls[i][1]);
	}
}

/* --- what STS says --------------------------------------------------------------------------- */

#define ANSWER(account, arn, id)                                                                   \
	"{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"" account      \
	"\",\"Arn\":\"" arn "\",\"UserId\":\"" id "\"},\"ResponseMetadata\":{}}}"
#define ACCOUNT	    "123456789012"
#define FAULT(code) "{\"Error\":{\"Code\":\"" code "\",\"Message\":\"m\"},\"RequestId\":\"r\"}"

static void test_reads_answers(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
		enum iam_outcome outcome;
		const char *arn; /* or what the error says */
	} rows[] = {
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:assumed-role/R/s@x", "AROAX:s@x"),
		IAM_CALLER, "arn:aws:iam::123456789012:role/R"},
	    {200, ANSWER(ACCOUNT, "arn:aws:iam::123456789012:user/path/u", "AIDAX"), IAM_CALLER,
		"arn:aws:iam::123456789012:user/path/u"},
	    {200,
		ANSWER(ACCOUNT, "arn:aws:iam::123456789012:user/x::210987654321:role/Dev", "AIDAX"),
		IAM_REFUSED, "colon"},
	    {200, ANSWER(ACCOUNT, "arn:aws:iam::123456789012:root", "123456789012"), IAM_CALLER,
		"arn:aws:iam::123456789012:root"},
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:federated-user/f", "123456789012:f"),
		IAM_CALLER, "arn:aws:sts::123456789012:federated-user/f"},
	    {200, ANSWER(ACCOUNT, "arn:aws-cn:iam::123456789012:user/u", "AIDAX"), IAM_UNCLEAR, ""},
	    {200, ANSWER("210987654321", "arn:aws:iam::123456789012:user/u", "A"), IAM_UNCLEAR, ""},
	    {200, ANSWER("x", "arn:aws:iam::x:user/u", "A"), IAM_UNCLEAR, ""},
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:assumed-role/R", "AROAX:s"),
		IAM_UNCLEAR, ""},
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:assumed-role/R/s", "AROAX:t"),
		IAM_UNCLEAR, ""},
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:assumed-role/R/s", "AROAX"),
		IAM_UNCLEAR, ""},
	    {200, ANSWER(ACCOUNT, "arn:aws:sts::123456789012:assumed-role/R/s", "A:s:s"),
		IAM_UNCLEAR, ""},
	    {200, ANSWER(ACCOUNT, "arn:aws:ec2::123456789012:x/u", "A"), IAM_UNCLEAR, ""},
	    {200, "{}", IAM_UNCLEAR, ""},
	    {200, "<html>", IAM_UNCLEAR, ""},
	    {403, FAULT("ExpiredToken"), IAM_REFUSED, "ExpiredToken"},
	    {400, FAULT("Throttling"), IAM_THROTTLED, "Throttling"},
	    {429, "", IAM_THROTTLED, "429"},
	    {403, "<html>", IAM_UNCLEAR, "403"},
	    {500, FAULT("InternalFailure"), IAM_UNCLEAR, "500"},
	    {301, "", IAM_UNCLEAR, "301"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct iam_caller caller;
		char *error = NULL;
		enum iam_outcome outcome = iam_caller_read(
		    rows[i].status, rows[i].body, strlen(rows[i].body), "aws", &caller, &error);
		if (outcome != rows[i].outcome)
			fail_msg("row %zu: %d, not %d", i, outcome, rows[i].outcome);
		if (outcome == IAM_CALLER)
			assert_string_equal(caller.arn, rows[i].arn);
		else
			assert_non_null(strstr(error, rows[i].arn));
		free(error);
		iam_caller_free(&caller);
	}
}

/* --- who it is ------------------------------------------------------------------------------- */

#define T(text) ((char *)(uintptr_t)(text))

static void expect_mapped(const struct iam_map *map, const char *role, const char *id,
    const char *session, const char *user, const char *group)
{
	struct iam_caller caller = {.account = xstrdup(ACCOUNT),
	    .arn = xasprintf("arn:aws:iam::" ACCOUNT ":role/%s", role),
	    .principal_id = xstrdup(id),
	    .session_name = xstrdup(session),
	    .role_name = xstrdup(role)};
	char *error = NULL;
	struct identity *identity = iam_map_identity(map, &caller, "ASIAKEY", &error);
	if (group != NULL && identity == NULL)
		fail_msg("%s: %s", role, error);
	if (identity != NULL) {
		assert_string_equal(identity->user, user);
		assert_string_equal(identity->group_count > 0 ? identity->groups[0] : "", group);
		assert_string_equal(identity->source, "iam");
	} else if (strstr(error, user) == NULL) {
		fail_msg("%s: \"%s\" says nothing of \"%s\"", role, error, user);
	}
	free(error);
	identity_unref(&identity);
	iam_caller_free(&caller);
}

static void test_maps_arns_to_users(void **state)
{
	(void)state;
	char *arns[] = {T("arn:aws:iam::" ACCOUNT ":role/In*")};
	char *groups[] = {T("g-{{RoleName}}-{{AccountID}}")};
	struct iam_mapping mappings[] = {
	    {.arn = T("*role/InNamed*"),
		.user = T("{{SessionNameRaw}}"),
		.groups = groups,
		.group_count = 1,
		.trust_session_name = true},
	    {.arn = T("*role/InDash"),
		.user = T("u:{{SessionName}}:{{AccessKeyID}}"),
		.trust_session_name = true},
	    {.arn = T("*role/InUntrusted"), .user = T("{{SessionName}}")},
	    {.arn = T("*role/InPinned"), .user = T("pinned"), .principal_id = T("AROAGOOD")},
	    {.arn = T("*role/InBraces"), .user = T("{{x}}{{RoleName}}")},
	};
	struct iam_login login = {.arns = arns,
	    .arn_count = 1,
	    .mappings = mappings,
	    .mapping_count = sizeof mappings / sizeof mappings[0]};
	struct iam_map *map = iam_map_new(&login);
	expect_mapped(map, "InNamed", "A", "a@b.c", "a@b.c", "g-InNamed-" ACCOUNT);
	expect_mapped(map, "InNamed", "A", "system:admin", "belongs to Kubernetes", NULL);
	expect_mapped(map, "InDash", "A", "a@b.c", "u:a-b.c:ASIAKEY", "");
	expect_mapped(map, "InUntrusted", "A", "root", "has no value", NULL);
	expect_mapped(map, "InPinned", "AROAGOOD", "s", "pinned", "");
	expect_mapped(map, "InPinned", "AROABAD", "s", "made anew", NULL);
	expect_mapped(map, "InBraces", "A", "s", "{{x}}InBraces", "");
	expect_mapped(map, "InPlain", "A", "s", "arn:aws:iam::" ACCOUNT ":role/InPlain", "");
	expect_mapped(map, "Out", "A", "s", "not among the accounts", NULL);
	iam_map_free(&map);
	char *accounts[] = {T(ACCOUNT)};
	login = (struct iam_login){.accounts = accounts, .account_count = 1};
	map = iam_map_new(&login);
	expect_mapped(map, "Out", "A", "s", "arn:aws:iam::" ACCOUNT ":role/Out", "");
	iam_map_free(&map);
}

/* --- bounded tables -------------------------------------------------------------------------- */

static void test_paces_addresses(void **state)
{
	(void)state;
	struct address_pace *pace = address_pace_new(2);
	struct mono now = {INT64_C(1000000000000)};
	for (int i = 0; i < 3; i++)
		assert_true(address_pace_take(pace, "10.0.0.1", 3, now));
	assert_false(address_pace_take(pace, "10.0.0.1", 3, now));
	assert_true(address_pace_take(pace, "10.0.0.2", 3, now));
	assert_false(address_pace_take(pace, "10.0.0.1", 3, mono_add(now, duration_seconds(19))));
	assert_true(address_pace_take(pace, "10.0.0.1", 3, mono_add(now, duration_seconds(21))));
	now = mono_add(now, duration_seconds(600));
	for (int i = 0; i < 3; i++)
		assert_true(
		    address_pace_take(pace, i == 1 ? "2001:db8::1" : "2001:db8::ffff:2", 3, now));
	assert_false(address_pace_take(pace, "2001:db8::3", 3, now));
	assert_true(address_pace_take(pace, "2001:db8:0:1::3", 3, now));
	address_pace_free(&pace);
}

#define PLACES 200
static struct iam_place *places[PLACES];
static size_t place_count;

/* As many places as there are for each of `addresses` addresses, eight at most; the answer to the
 * last who got none. */
static struct refusal fill(struct iam_room *room, size_t addresses, const char *host)
{
	struct refusal refusal = {0};
	for (size_t i = 0; i < addresses * 8; i++) {
		char *address = xasprintf("10.0.%zu.%c", i / 8, host[0]);
		struct iam_place *place = iam_room_enter(room, address, 60, host, &refusal);
		free(address);
		assert_true(place_count < PLACES);
		if (place != NULL)
			places[place_count++] = place;
	}
	return refusal;
}

/* The host answered a call. */
static void answer(struct iam_room *room, const char *host)
{
	struct refusal refusal;
	struct iam_place *place = iam_room_enter(room, "192.0.2.1", 60, host, &refusal);
	assert_non_null(place);
	iam_place_note(place, true);
	iam_room_leave(&place);
}

static void leave_all(void)
{
	while (place_count > 0)
		iam_room_leave(&places[--place_count]);
}

static bool has_place(struct iam_room *room, const char *address, const char *host)
{
	struct refusal refusal;
	struct iam_place *place = iam_room_enter(room, address, 60, host, &refusal);
	if (place == NULL)
		return false;
	iam_room_leave(&place);
	return true;
}

static void test_an_address_has_a_few_places(void **state)
{
	(void)state;
	struct iam_room *room = iam_room_new();
	struct refusal refusal;
	answer(room, "us-east-1");
	for (size_t i = 0; i < 8; i++)
		places[place_count++] =
		    iam_room_enter(room, i % 2 == 0 ? "2001:db8::1" : "2001:db8::2", 60,
			i % 2 == 0 ? "eu-west-1" : "us-east-1", &refusal);
	assert_non_null(places[7]);
	assert_null(iam_room_enter(room, "2001:db8::3", 60, "us-east-1", &refusal));
	assert_int_equal(refusal.status, 429);
	assert_int_equal(refusal.retry_after, 2);
	assert_non_null(strstr(refusal.message, "from this address"));
	assert_true(has_place(room, "2001:db8:0:1::3", "eu-west-1"));
	iam_room_leave(&places[--place_count]);
	assert_true(has_place(room, "2001:db8::3", "us-east-1"));
	/* Half is for those that answer. */
	assert_null(iam_room_enter(room, "2001:db8::3", 60, "eu-west-1", &refusal));
	assert_int_equal(refusal.status, 503);
	leave_all();
	iam_room_free(&room);
}

/* One that may bring more tokens is many clients'. */
static void test_an_address_of_many_has_more_places(void **state)
{
	(void)state;
	static const struct {
		size_t per_minute, places;
	} rows[] = {{1, 8}, {100, 12}, {256, 32}, {100000, 32}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct iam_room *room = iam_room_new();
		struct refusal refusal;
		struct iam_place *place;
		answer(room, "us-east-1");
		answer(room, "us-east-2");
		while ((place = iam_room_enter(room, "192.0.2.1", rows[i].per_minute,
			    place_count % 2 == 0 ? "us-east-1" : "us-east-2", &refusal)) != NULL)
			places[place_count++] = place;
		assert_int_equal(place_count, rows[i].places);
		leave_all();
		iam_room_free(&room);
	}
}

/* However many addresses and hosts there are, half is for those that answered. */
static void test_silence_leaves_room_for_those_that_answer(void **state)
{
	(void)state;
	struct iam_room *room = iam_room_new();
	answer(room, "us-east-1");
	(void)fill(room, 6, "eu-west-1");
	assert_int_equal(place_count, 24);
	struct refusal refusal = fill(room, 3, "made-up-1");
	assert_int_equal(place_count, 32);
	assert_int_equal(refusal.status, 503);
	assert_int_equal(refusal.retry_after, 5);
	assert_non_null(strstr(refusal.message, "an STS that does not answer"));
	assert_false(has_place(room, "192.0.2.1", "moon-west-1"));
	assert_true(has_place(room, "192.0.2.1", "us-east-1"));
	/* Nor has one that answered, and does no more, all of them. */
	refusal = fill(room, 10, "us-east-1");
	assert_int_equal(place_count, 64);
	assert_int_equal(refusal.status, 429);
	iam_place_note(places[63], false);
	leave_all();
	refusal = fill(room, 9, "us-east-1");
	assert_int_equal(place_count, 32);
	assert_int_equal(refusal.status, 503);
	iam_place_note(places[0], true);
	assert_true(has_place(room, "192.0.2.1", "eu-west-1"));
	assert_false(has_place(room, "192.0.2.1", "us-east-1"));
	leave_all();
	iam_room_free(&room);
}

/* Nor is one shut out that failed once while others wait for what never answers: whoever comes
 * first finds out whether it does again. */
static void test_silence_leaves_room_for_one_that_failed(void **state)
{
	(void)state;
	struct iam_room *room = iam_room_new();
	struct refusal refusal;
	answer(room, "us-east-1");
	struct iam_place *failed = iam_room_enter(room, "192.0.2.1", 60, "us-east-1", &refusal);
	iam_place_note(failed, false);
	iam_room_leave(&failed);
	(void)fill(room, 9, "eu-west-1");
	assert_int_equal(place_count, 32);
	struct iam_place *probe = iam_room_enter(room, "192.0.2.1", 60, "us-east-1", &refusal);
	assert_non_null(probe);
	assert_false(has_place(room, "192.0.2.2", "us-east-1"));
	iam_place_note(probe, true);
	assert_true(has_place(room, "192.0.2.2", "us-east-1"));
	iam_room_leave(&probe);
	/* One that never answered is forgotten with the last who waits for it. */
	assert_int_equal(iam_room_hosts(room), 2);
	leave_all();
	assert_int_equal(iam_room_hosts(room), 1);
	iam_room_free(&room);
}

static void test_all_have_so_many_places(void **state)
{
	(void)state;
	struct iam_room *room = iam_room_new();
	static const char *const hosts[] = {"eu-west-1", "sa-east-1", "us-east-1"};
	struct refusal refusal = {0};
	for (size_t i = 0; i < 3; i++)
		answer(room, hosts[i]);
	for (size_t i = 0; i < 3; i++)
		refusal = fill(room, 3, hosts[i]);
	assert_int_equal(place_count, 64);
	assert_int_equal(refusal.status, 429);
	assert_non_null(strstr(refusal.message, "too many AWS tokens are being checked"));
	leave_all();
	iam_room_free(&room);
}

static void test_keeps_tokens_by_digest(void **state)
{
	(void)state;
	struct token_cache *cache = token_cache_new(2);
	struct token_digest a = token_digest_of("a", 1), b = token_digest_of("b", 1);
	struct token_digest c = token_digest_of("c", 1);
	struct identity *found, *alice = xcalloc(1, sizeof *alice);
	struct mono later = mono_add(mono_now(), duration_seconds(60));
	const char *refusal;
	alice->references = 1;
	token_cache_keep(cache, &a, alice, later);
	token_cache_refuse(cache, &b, "no", later);
	assert_true(token_cache_find(cache, &b, &found, &refusal));
	assert_null(found);
	assert_string_equal(refusal, "no");
	assert_true(token_cache_find(cache, &a, &found, &refusal));
	assert_ptr_equal(found, alice);
	token_cache_refuse(cache, &c, "no", later);
	assert_false(token_cache_find(cache, &b, &found, &refusal));
	assert_int_equal(token_cache_count(cache), 2);
	token_cache_keep(cache, &a, alice, mono_now());
	assert_false(token_cache_find(cache, &a, &found, &refusal));
	assert_int_equal(alice->references, 1);
	token_cache_free(&cache);
	identity_unref(&alice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_takes_golden_tokens),
	    cmocka_unit_test(test_refuses_bad_tokens),
	    cmocka_unit_test(test_reads_answers),
	    cmocka_unit_test(test_maps_arns_to_users),
	    cmocka_unit_test(test_paces_addresses),
	    cmocka_unit_test(test_an_address_has_a_few_places),
	    cmocka_unit_test(test_an_address_of_many_has_more_places),
	    cmocka_unit_test(test_silence_leaves_room_for_those_that_answer),
	    cmocka_unit_test(test_silence_leaves_room_for_one_that_failed),
	    cmocka_unit_test(test_all_have_so_many_places),
	    cmocka_unit_test(test_keeps_tokens_by_digest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
