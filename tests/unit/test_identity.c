/* Users by certificate: what a subject may say, how one is restricted and expires, and what is
 * answered without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/base64url.h"
#include "common/fetch.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/iam_token.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/gate/identity_resolve.h"
#include "kubeproxyd/http/fields.h"
#include "kubeproxyd/pki.h"
#include "kubeproxyd/policy/principal.h"
#include "tests/unit/fake_http.h"

#define HOUR 3600

static X509 *make(const struct pki_subject *subject, int64_t seconds)
{
	char *error = NULL;
	EVP_PKEY *key = pki_key_new();
	struct unix_time now = unix_now();
	struct pki_validity validity = {now, unix_add(now, duration_seconds(seconds))};
	X509 *certificate = pki_certificate_new(PKI_CLIENT, subject, &validity, key, NULL, &error);
	if (certificate == NULL)
		fail_msg("%s", error);
	EVP_PKEY_free(key);
	return certificate;
}

/* A certificate whose subject is exactly these entries, whatever they hold. */
struct entry {
	int nid;
	const char *bytes;
	int len;
	int type;
};

static X509 *make_of(const struct entry *entries, size_t count)
{
	X509 *certificate = make(&(struct pki_subject){.common_name = "x"}, HOUR);
	X509_NAME *name = X509_NAME_new();
	for (size_t i = 0; i < count; i++) {
		ASN1_STRING *text = ASN1_STRING_type_new(entries[i].type);
		ASN1_STRING_set(text, entries[i].bytes, entries[i].len);
		X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, entries[i].nid,
		    entries[i].type, ASN1_STRING_get0_data(text), entries[i].len);
		X509_NAME_add_entry(name, entry, -1, 0);
		X509_NAME_ENTRY_free(entry);
		ASN1_STRING_free(text);
	}
	assert_int_equal(X509_set_subject_name(certificate, name), 1);
	X509_NAME_free(name);
	return certificate;
}

static void test_reads_user_groups_and_serial(void **state)
{
	(void)state;
	static const char *const groups[] = {"engineering", "B\xc3\xbcro Z\xc3\xbcrich"};
	static const char *const names[] = {
	    "example.com", "https://x/", "eksgate://cluster/prod-eks-eu-west-1-1"};
	X509 *certificate = make(&(struct pki_subject){.common_name = "alice@example.com",
				     .organizations = groups,
				     .organization_count = 2,
				     .names = names,
				     .name_count = 3},
	    HOUR);
	const char *error;
	struct identity *identity = identity_from_certificate(certificate, &error);
	assert_non_null(identity);
	assert_string_equal(identity->user, "alice@example.com");
	assert_int_equal(identity->group_count, 2);
	assert_string_equal(identity->groups[0], groups[0]);
	assert_string_equal(identity->groups[1], groups[1]);
	assert_string_equal(identity->source, "certificate");
	assert_string_equal(identity->cluster, "prod-eks-eu-west-1-1");
	char *serial = pki_serial_text(certificate);
	assert_string_equal(identity->certificate_serial, serial);
	free(serial);
	assert_false(identity_is_expired(identity, unix_now()));
	assert_false(identity_is_expired(identity, identity->expires));
	assert_true(identity_is_expired(identity, unix_add(identity->expires, duration_ms(1))));
	struct identity *second = identity_ref(identity);
	identity_unref(&identity);
	assert_null(identity);
	assert_string_equal(second->user, "alice@example.com");
	identity_unref(&second);
	identity_unref(&second);
	X509_free(certificate);
}

#define UTF8(nid, text)                                                                            \
	{                                                                                          \
		nid, text, sizeof(text) - 1, V_ASN1_UTF8STRING                                     \
	}
#define ENTRIES(...)                                                                               \
	((const struct entry[]){__VA_ARGS__}),                                                     \
	    sizeof((const struct entry[]){__VA_ARGS__}) / sizeof(struct entry)

static void expect_refused(X509 *certificate, const char *part)
{
	const char *error = NULL;
	struct identity *identity = identity_from_certificate(certificate, &error);
	if (identity != NULL)
		fail_msg("accepted user \"%s\", wanted: %s", identity->user, part);
	assert_non_null(error);
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", error, part);
	X509_free(certificate);
}

static void test_refuses_bad_subjects(void **state)
{
	(void)state;
	static const char long_name[300] = {[0 ... 298] = 'a'};
	expect_refused(make_of(NULL, 0), "no CN");
	expect_refused(make_of(ENTRIES(UTF8(NID_organizationName, "g"))), "no CN");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, ""))), "is empty");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a"), UTF8(NID_commonName, "b"))),
	    "more than one CN");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "system:admin"))), "system:");
	expect_refused(
	    make_of(ENTRIES(UTF8(NID_commonName, "arn:aws:iam::123456789012:user/a"))), "arn:");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a\0b"))), "control");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a\r\nX: y"))), "control");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a\x7f"))), "control");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a\xc2\x85"))), "control");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "a\xe2\x80\xae"))), "invisible");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, " alice"))), "space");
	expect_refused(make_of(ENTRIES(UTF8(NID_commonName, "alice "))), "space");
	expect_refused(
	    make_of(ENTRIES({NID_commonName, long_name, 299, V_ASN1_UTF8STRING})), "256");
	expect_refused(
	    make_of(ENTRIES(UTF8(NID_commonName, "a"), UTF8(NID_organizationName, "g\n"))),
	    "control");
	struct entry many[70] = {UTF8(NID_commonName, "a")};
	for (size_t i = 1; i < 70; i++)
		many[i] = (struct entry)UTF8(NID_organizationName, "g");
	expect_refused(make_of(many, 70), "64 groups");
}

static X509 *scoped(const char *first, const char *second)
{
	const char *names[] = {first, second};
	return make(
	    &(struct pki_subject){
		.common_name = "a", .names = names, .name_count = second != NULL ? 2 : 1},
	    HOUR);
}

static void test_refuses_scopes_that_it_does_not_understand(void **state)
{
	(void)state;
	expect_refused(scoped("eksgate://cluster/", NULL), "eksgate://cluster/NAME");
	expect_refused(scoped("eksgate://cluster/a/b", NULL), "eksgate://cluster/NAME");
	expect_refused(scoped("eksgate://cluster/..", NULL), "eksgate://cluster/NAME");
	expect_refused(scoped("eksgate://clusters/a", NULL), "eksgate://cluster/NAME");
	expect_refused(scoped("EKSGATE://cluster/a", NULL), "eksgate://cluster/NAME");
	expect_refused(scoped("eksgate://account/1", NULL), "eksgate://cluster/NAME");
	expect_refused(
	    scoped("eksgate://cluster/a", "eksgate://cluster/b"), "more than one cluster");
}

static void test_principals(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *refusal;
	} rows[] = {
	    {"alice", NULL},
	    {"a b", NULL},
	    {"arn:aws:iam::1:user/x", NULL},
	    {"\xf0\x9f\x98\x80", NULL},
	    {"", "is empty"},
	    {" ", "begins or ends with a space"},
	    {"a\tb", "holds a control character or an invisible one"},
	    {"a\xc0\x80", "is not UTF-8"},
	    {"a\xed\xa0\x80", "is not UTF-8"},
	    {"a\xf4\x90\x80\x80", "is not UTF-8"},
	    {"a\xe2\x82", "is not UTF-8"},
	    {"a\x80", "is not UTF-8"},
	    {"a\xef\xbb\xbf", "holds a control character or an invisible one"},
	    {"a\xc2\xa0", "holds a control character or an invisible one"},
	    {"a\xe1\x9a\x80", "holds a control character or an invisible one"},
	    {"a\xd8\x9c", "holds a control character or an invisible one"},
	    {"a\xe3\x85\xa4", "holds a control character or an invisible one"},
	    {"a\xef\xb8\x8f", "holds a control character or an invisible one"},
	    {"a\xf3\xa0\x84\x80", "holds a control character or an invisible one"},
	    {"a\xef\xbf\xb0", "holds a control character or an invisible one"},
	    {"a\xf0\x9d\x85\xb3", "holds a control character or an invisible one"},
	    {"a\xf0\x9b\xb2\xa0", "holds a control character or an invisible one"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *refusal = principal_refuse(rows[i].name, strlen(rows[i].name));
		if (rows[i].refusal == NULL)
			assert_null(refusal);
		else
			assert_string_equal(refusal, rows[i].refusal);
	}
	static const char *const reserved[] = {
	    "system:masters", "eks:addon-manager", "eksgate:proxy", "aws:x", "amazon:x", "iam:x"};
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		assert_true(principal_is_reserved(reserved[i]));
	assert_false(principal_is_reserved("systems"));
	assert_false(principal_is_reserved("eksgate:proxies"));
	assert_false(principal_is_reserved("arn:aws:iam::111111111111:role/x"));
	assert_true(principal_is_arn("arn:aws:iam::111111111111:role/x"));
	assert_false(principal_is_arn("arne"));
}

/* --- per request ----------------------------------------------------------------------------- */

/* With no login but certificates. */
static struct identity_providers *providers;

struct outcome {
	unsigned calls;
	char *user;
	char *message;
};

static void on_identity(void *arg, struct identity *identity, const struct refusal *refusal)
{
	struct outcome *outcome = arg;
	outcome->calls++;
	if (identity != NULL)
		outcome->user = xstrdup(identity->user);
	outcome->message = xstrdup_or_null(refusal != NULL ? refusal->message : NULL);
	assert_true(refusal == NULL || refusal->status == 401);
	identity_unref(&identity);
}

static void resolve(struct identity *of_connection, X509 *certificate,
    const char *certificate_error, const char *name, const char *value, struct outcome *outcome)
{
	struct http_fields fields = {0};
	if (name != NULL)
		fields_add_text(&fields, name, value);
	struct identity_evidence evidence = {certificate, certificate_error, &fields, "127.0.0.1"};
	struct identity_query *query =
	    identity_resolve(providers, of_connection, &evidence, on_identity, outcome);
	assert_null(query);
	identity_query_cancel(&query);
	assert_int_equal(outcome->calls, 1);
	fields_free(&fields);
}

static void expect_outcome(struct outcome *outcome, const char *user, const char *message)
{
	if (user != NULL) {
		assert_non_null(outcome->user);
		assert_string_equal(outcome->user, user);
		assert_null(outcome->message);
	} else {
		assert_null(outcome->user);
		assert_non_null(outcome->message);
		if (strstr(outcome->message, message) == NULL)
			fail_msg("\"%s\" says nothing of \"%s\"", outcome->message, message);
	}
	free(outcome->user);
	free(outcome->message);
	*outcome = (struct outcome){0};
}

static void test_resolves_per_request(void **state)
{
	(void)state;
	static const char no_bearer[] = "bearer tokens are not accepted here";
	struct loop *loop = loop_new();
	struct fetcher *fetcher = fetcher_new(loop);
	struct metrics *metrics = metrics_new();
	struct settings settings = {0};
	providers = identity_providers_new(loop, fetcher, metrics, &settings);
	struct outcome outcome = {0};
	const char *error;
	X509 *certificate = make(&(struct pki_subject){.common_name = "alice"}, HOUR);
	X509 *old = make(&(struct pki_subject){.common_name = "alice"}, -HOUR);
	struct identity *alice = identity_from_certificate(certificate, &error);
	struct identity *expired = identity_from_certificate(old, &error);

	resolve(alice, certificate, NULL, NULL, NULL, &outcome);
	expect_outcome(&outcome, "alice", NULL);
	resolve(NULL, certificate, NULL, "Accept", "*/*", &outcome);
	expect_outcome(&outcome, "alice", NULL);
	resolve(expired, old, NULL, NULL, NULL, &outcome);
	expect_outcome(&outcome, NULL, "of \"alice\" expired at 20");
	resolve(NULL, old, NULL, NULL, NULL, &outcome);
	expect_outcome(&outcome, NULL, "kubeproxyd cert");
	resolve(NULL, certificate, "certificate has expired", NULL, NULL, &outcome);
	expect_outcome(&outcome, NULL, "not accepted: certificate has expired");
	resolve(NULL, NULL, NULL, NULL, NULL, &outcome);
	expect_outcome(&outcome, NULL, "kubeproxyd cert");
	resolve(alice, certificate, NULL, "authorization", "bearer abc", &outcome);
	expect_outcome(&outcome, NULL, no_bearer);
	resolve(NULL, NULL, NULL, "Authorization", "Bearer abc", &outcome);
	expect_outcome(&outcome, NULL, no_bearer);
	resolve(NULL, NULL, NULL, "Authorization", "Bearer k8s-aws-v1.aHR0cHM6Ly9zdHMu", &outcome);
	expect_outcome(&outcome, NULL, no_bearer);
	resolve(alice, certificate, NULL, "Authorization", "Basic abc", &outcome);
	expect_outcome(&outcome, NULL, "only \"Bearer TOKEN\" is");
	resolve(alice, certificate, NULL, "Sec-WebSocket-Protocol",
	    "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YWJj", &outcome);
	expect_outcome(&outcome, NULL, no_bearer);
	resolve(alice, certificate, NULL, "Sec-WebSocket-Protocol",
	    "v5.channel.k8s.io,v4.channel.k8s.io", &outcome);
	expect_outcome(&outcome, "alice", NULL);

	assert_int_equal(alice->references, 1);
	assert_false(identity_providers_set(providers, &settings));
	identity_providers_free(&providers);
	metrics_free(&metrics);
	fetcher_free(&fetcher);
	loop_free(&loop);
	identity_unref(&alice);
	identity_unref(&expired);
	X509_free(certificate);
	X509_free(old);
}

/* --- ends ------------------------------------------------------------------------------------ */

#define STS                                                                                        \
	"{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":"                \
	"\"123456789012\","                                                                        \
	"\"Arn\":\"arn:aws:iam::123456789012:user/alice\",\"UserId\":\"AIDAX\"}}}"

/* "Bearer k8s-aws-v1.…" as if signed at `at`: whether it is, STS knows (free()). */
static char *aws_bearer(struct unix_time at)
{
	struct tm tm;
	char day[9], date[17];
	time_t seconds = (time_t)(at.ms / 1000);
	assert_non_null(gmtime_r(&seconds, &tm));
	assert_int_equal(strftime(day, sizeof day, "%Y%m%d", &tm), 8);
	assert_int_equal(strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &tm), 16);
	char *url = xasprintf("https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity"
			      "&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
			      "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%%2F%s%%2Fus-west-2%%2Fsts"
			      "%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=60"
			      "&X-Amz-SignedHeaders=host%%3Bx-k8s-aws-id&X-Amz-Signature=%064d",
	    day, date, 0);
	struct buf text = {0};
	buf_append_text(&text, "Bearer " IAM_TOKEN_PREFIX);
	base64url_encode(url, strlen(url), &text);
	free(url);
	return buf_take(&text);
}

static struct loop *turning; /* stops when somebody is identified */
static struct identity *found;

static void on_found(void *arg, struct identity *identity, const struct refusal *refusal)
{
	(void)arg;
	if (identity == NULL)
		fail_msg("%s", refusal->message);
	found = identity;
	loop_stop(turning);
}

/* Who comes with this token, and with a certificate of so many seconds, or with none. */
static struct identity *identify(const char *bearer, int64_t seconds)
{
	const char *error;
	struct http_fields fields = {0};
	fields_add_text(&fields, "Authorization", bearer);
	X509 *certificate = NULL;
	struct identity *alice = NULL;
	if (seconds != 0) {
		certificate = make(&(struct pki_subject){.common_name = "alice"}, seconds);
		alice = identity_from_certificate(certificate, &error);
	}
	struct identity_evidence evidence = {certificate, NULL, &fields, "127.0.0.1"};
	found = NULL;
	struct identity_query *query =
	    identity_resolve(providers, alice, &evidence, on_found, NULL);
	if (query != NULL)
		loop_run(turning);
	assert_non_null(found);
	identity_unref(&alice);
	X509_free(certificate);
	fields_free(&fields);
	return found;
}

/* An AWS token lets in for 15 minutes, and what it began runs for an hour, both from its date. A
 * certificate besides ends either sooner, and never later. */
static void test_ends_of_aws_tokens(void **state)
{
	(void)state;
	static const struct {
		int64_t certificate; /* seconds from now; 0: none */
		int64_t expires, ends; /* the same */
	} rows[] = {{0, 300, 3000}, {HOUR, 300, 3000}, {1000, 300, 1000}, {100, 100, 100}};
	char *accounts[] = {(char[]){"123456789012"}};
	struct iam_mapping mapping = {
	    .arn = (char[]){"arn:aws:iam::123456789012:user/*"}, .user = (char[]){"alice"}};
	struct settings settings = {0};
	turning = loop_new();
	struct fake_http *sts = fake_http_new(turning);
	struct fetcher *fetcher = fetcher_new(turning);
	struct metrics *metrics = metrics_new();
	char *host = xstrdup(fake_http_url(sts) + strlen("http://"));
	settings.test.verifier_sts_host = host;
	settings.proxy.login.iam = (struct iam_login){.id = (char[]){"https://kube.example.com"},
	    .partition = (char[]){"aws"},
	    .accounts = accounts,
	    .account_count = 1,
	    .mappings = &mapping,
	    .mapping_count = 1,
	    .calls_per_address = 10};
	providers = identity_providers_new(turning, fetcher, metrics, &settings);
	struct unix_time now = unix_now();
	char *bearer = aws_bearer(unix_add(now, duration_seconds(-600)));
	fake_http_answer(sts, 200, "", STS);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct identity *identity = identify(bearer, rows[i].certificate);
		int64_t expires = identity->expires.ms - now.ms;
		int64_t ends = identity_end(identity).ms - now.ms;
		/* Dates are in whole seconds, and making a certificate takes time. */
		assert_in_range(
		    expires + 1000, rows[i].expires * 1000, rows[i].expires * 1000 + 6000);
		assert_in_range(ends + 1000, rows[i].ends * 1000, rows[i].ends * 1000 + 6000);
		identity_unref(&identity);
	}
	/* Without an end of its own, the end is when it expires. */
	struct identity plain = {.expires = now};
	assert_int_equal(identity_end(&plain).ms, now.ms);
	free(bearer);
	free(host);
	identity_providers_free(&providers);
	metrics_free(&metrics);
	fetcher_free(&fetcher);
	fake_http_free(&sts);
	loop_free(&turning);
}

/* A copy may be changed: what audit events say of the first is not said of it. */
static void test_a_copy_is_another(void **state)
{
	(void)state;
	struct identity *identity = xcalloc(1, sizeof *identity);
	identity->references = 1;
	identity->user = xstrdup("alice");
	identity->source = "certificate";
	buf_append_text(&identity->audit_user, "alice's");
	struct identity *copy = identity_copy(identity);
	assert_string_equal(copy->user, "alice");
	assert_int_equal(copy->audit_user.len, 0);
	assert_null(copy->audit_user.data);
	identity_unref(&identity);
	identity_unref(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_user_groups_and_serial),
	    cmocka_unit_test(test_refuses_bad_subjects),
	    cmocka_unit_test(test_refuses_scopes_that_it_does_not_understand),
	    cmocka_unit_test(test_principals),
	    cmocka_unit_test(test_resolves_per_request),
	    cmocka_unit_test(test_ends_of_aws_tokens),
	    cmocka_unit_test(test_a_copy_is_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
