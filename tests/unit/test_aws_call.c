/* AWS calls against a scripted server: what is sent, which answers are tried again and which are
 * not, clocks, credentials, and what failures are called. With the pure parts: error documents,
 * XML, delays, the quota, the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "common/aws_call.h"
#include "common/aws_context.h"
#include "common/aws_error.h"
#include "common/aws_provider.h"
#include "common/aws_xml.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "tests/unit/fake_http.h"

struct fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct fake_http *server;
	struct aws_context *aws;
	struct aws_provider *provider;
	struct aws_call *call;
	size_t calls;
	enum aws_outcome outcome;
	char *code;
	char *body;
	struct aws_error error;
	unsigned attempts, throttles;
};

static const struct aws_request list_request = {.service = "eks",
    .region = "us-west-2",
    .operation = "eks:ListClusters",
    .method = "GET",
    .path = "/clusters",
    .query = "maxResults=100"};

static void set_up(struct fixture *fixture)
{
	struct aws_credentials keys = {.access_key_id = (char[]){"AKIDEXAMPLE"},
	    .secret_access_key = (char[]){"secret"},
	    .session_token = (char[]){"to/ken=="},
	    .source = (char[]){"environment"}};
	*fixture = (struct fixture){.loop = loop_new()};
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->server = fake_http_new(fixture->loop);
	setenv("AWS_ENDPOINT_URL", fake_http_url(fixture->server), 1);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	fixture->provider = aws_provider_static(fixture->aws, &keys);
}

static void tear_down(struct fixture *fixture)
{
	aws_provider_unref(&fixture->provider);
	aws_context_free(&fixture->aws);
	fetcher_free(&fixture->fetcher);
	fake_http_free(&fixture->server);
	loop_free(&fixture->loop);
	aws_error_free(&fixture->error);
	xfree(&fixture->code);
	xfree(&fixture->body);
	unsetenv("AWS_ENDPOINT_URL");
}

static void on_reply(void *arg, const struct aws_reply *reply)
{
	struct fixture *fixture = arg;
	fixture->calls++;
	fixture->outcome = reply->outcome;
	xfree(&fixture->code);
	xfree(&fixture->body);
	fixture->code = xstrdup_or_null(reply->code);
	fixture->body = xstrdup(reply->body);
	fixture->attempts = reply->attempts;
	fixture->throttles = reply->throttles;
	aws_error_set(&fixture->error, "eks:ListClusters", reply);
	assert_true((reply->outcome == AWS_OK) == (reply->message == NULL));
	aws_call_cancel(&fixture->call); /* of the call that is ending: allowed, does nothing */
	loop_stop(fixture->loop);
}

static void run(
    struct fixture *fixture, struct aws_provider *provider, const struct aws_request *request)
{
	size_t calls = fixture->calls;
	fixture->call = aws_call_start(fixture->aws, provider, request, on_reply, fixture);
	assert_int_equal(fixture->calls, calls);
	loop_run(fixture->loop);
	assert_int_equal(fixture->calls, calls + 1);
}

static void test_signed_request(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "{\"clusters\":[]}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	assert_string_equal(fixture.body, "{\"clusters\":[]}");
	assert_int_equal(fixture.attempts, 1);
	const char *sent = fake_http_request(fixture.server, 0);
	assert_non_null(strstr(sent, "GET /clusters?maxResults=100 HTTP/1.1\r\n"));
	assert_non_null(strstr(sent, "\r\nUser-Agent: eksgate/" EKSGATE_VERSION "\r\n"));
	assert_non_null(strstr(sent, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Amz-Security-Token: to/ken==\r\n"));
	assert_non_null(strstr(sent,
	    "/us-west-2/eks/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, "));
	tear_down(&fixture);
}

static void test_unsigned_post_below_a_base_path(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	char *url = xasprintf("%s/base/", fake_http_url(fixture.server));
	setenv("AWS_ENDPOINT_URL_STS", url, 1);
	xfree(&url);
	fake_http_answer(fixture.server, 200, "", "{}");
	struct aws_request request = {.service = "sts",
	    .region = "us-west-2",
	    .operation = "sts:AssumeRoleWithWebIdentity",
	    .method = "POST",
	    .path = "/",
	    .content_type = "text/plain",
	    .body = "a=b",
	    .body_len = 3};
	run(&fixture, NULL, &request);
	unsetenv("AWS_ENDPOINT_URL_STS");
	assert_int_equal(fixture.outcome, AWS_OK);
	const char *sent = fake_http_request(fixture.server, 0);
	assert_non_null(strstr(sent, "POST /base/ HTTP/1.1\r\n"));
	assert_non_null(strstr(sent, "\r\nContent-Type: text/plain\r\n"));
	assert_non_null(strstr(sent, "\r\n\r\na=b"));
	assert_null(strstr(sent, "Authorization"));
	tear_down(&fixture);
}

struct refusal {
	int status;
	const char *headers, *body;
	enum aws_outcome outcome;
	const char *code; /* NULL: none */
	const char *message; /* a part of it */
	const char *remedy; /* a part of it; NULL: there is none */
};

static const struct refusal refusals[] = {
    {403, "x-amzn-ErrorType: AccessDeniedException:http://internal.amazon.com/coral/\r\n",
	"{\"message\":\"User is not authorized\"}", AWS_DENIED, "AccessDeniedException",
	"not authorized", "allow eks:ListClusters for environment"},
    {403, "", "{\"__type\":\"com.amazonaws.eks#AccessDeniedException\",\"Message\":\"no\"}",
	AWS_DENIED, "AccessDeniedException", "no", "allow eks:ListClusters"},
    {404, "",
	"{\"code\":\"ResourceNotFoundException\",\"message\":\"No cluster found for name: x.\"}",
	AWS_NOT_FOUND, "ResourceNotFoundException", "No cluster", NULL},
    {403, "x-amzn-ErrorType: UnrecognizedClientException\r\n", "{\"message\":\"bad token\"}",
	AWS_CREDENTIALS, "UnrecognizedClientException", "bad token", "enable us-west-2"},
    {403, "", "{\"code\":\"OptInRequired\"}", AWS_REGION_OFF, "OptInRequired",
	"OptInRequired (HTTP 403)", "enable region us-west-2"},
    {403, "",
	"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The "
	"&lt;key&gt; is "
	"bad</Message></Error></ErrorResponse>",
	AWS_CREDENTIALS, "InvalidClientTokenId", "The <key> is bad", "check the access key"},
    {403, "",
	"{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"no\",\"Type\":\"Sender\"},"
	"\"RequestId\":\"x\"}",
	AWS_DENIED, "AccessDenied", "no", "allow"},
    {403, "", "{\"code\":\"InvalidSignatureException\",\"message\":\"no match\"}", AWS_CREDENTIALS,
	"InvalidSignatureException", "no match", "check the secret key"},
    {400, "", "{\"code\":\"InvalidParameterException\",\"message\":\"odd\"}", AWS_FAILED,
	"InvalidParameterException", "odd", NULL},
    {501, "", "", AWS_FAILED, NULL, "HTTP 501", NULL},
    /* What AWS would never say. */
    {403, "Content-Type: text/html\r\n", "<html><body>Sign in to the Wi-Fi</body></html>",
	AWS_BAD_REPLY, NULL, "with text/html instead of an AWS error", "captive portal"},
    {404, "", "", AWS_BAD_REPLY, NULL, "HTTP 404", "AWS_ENDPOINT_URL"},
    {302, "Location: /login\r\n", "", AWS_BAD_REPLY, NULL, "HTTP 302", "AWS_ENDPOINT_URL"},
    {400, "", "{\"code\":7,\"message\":[]}", AWS_BAD_REPLY, NULL, "HTTP 400", "AWS_ENDPOINT_URL"},
    {400, "", "{\"code\":\"Trunc", AWS_BAD_REPLY, NULL, "HTTP 400", "AWS_ENDPOINT_URL"},
    {400, "", "[]", AWS_BAD_REPLY, NULL, "HTTP 400", "AWS_ENDPOINT_URL"},
    {400, "", "<Error><Code>", AWS_BAD_REPLY, NULL, "HTTP 400", "AWS_ENDPOINT_URL"},
    {400, "x-amzn-ErrorType: :\r\n", "null", AWS_BAD_REPLY, NULL, "HTTP 400", "AWS_ENDPOINT_URL"},
};

static void test_refusals_are_classified(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *refusal = &refusals[i];
		struct fixture fixture;
		set_up(&fixture);
		fake_http_answer(fixture.server, refusal->status, refusal->headers, refusal->body);
		run(&fixture, fixture.provider, &list_request);
		if (fixture.outcome != refusal->outcome)
			fail_msg("case %zu: %s", i, aws_outcome_text(fixture.outcome));
		if (refusal->code == NULL)
			assert_null(fixture.code);
		else
			assert_string_equal(fixture.code, refusal->code);
		if (strstr(fixture.error.message, refusal->message) == NULL)
			fail_msg("case %zu: %s", i, fixture.error.message);
		if (refusal->remedy == NULL)
			assert_null(fixture.error.remedy);
		else if (fixture.error.remedy == NULL ||
			 strstr(fixture.error.remedy, refusal->remedy) == NULL)
			fail_msg("case %zu: %s", i, fixture.error.remedy);
		assert_int_equal(fixture.attempts, 1);
		tear_down(&fixture);
	}
}

static void test_trouble_is_tried_again(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 503, "", "<html>busy</html>");
	fake_http_answer(
	    fixture.server, 429, "x-amzn-ErrorType: TooManyRequestsException\r\n", "{}");
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	assert_int_equal(fixture.attempts, 3);
	assert_int_equal(fixture.throttles, 1);
	tear_down(&fixture);
}

static void test_three_attempts_are_all(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	for (int i = 0; i < 3; i++)
		fake_http_answer(fixture.server, 400, "x-amzn-ErrorType: ThrottlingException\r\n",
		    "{\"message\":\"slow\"}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_THROTTLED);
	assert_int_equal(fixture.attempts, 3);
	assert_int_equal(fixture.throttles, 3);
	assert_string_equal(fixture.error.message, "slow");
	assert_string_equal(fixture.error.code, "ThrottlingException");
	tear_down(&fixture);
}

static void test_an_empty_quota_allows_no_retry(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fixture.aws->quota.left = 4;
	fake_http_answer(fixture.server, 500, "", "{}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_FAILED);
	assert_int_equal(fixture.attempts, 1);
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.aws->quota.left, 5);
	tear_down(&fixture);
}

static void test_answers_that_are_cut_short(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	for (int i = 0; i < 3; i++)
		fake_http_answer_raw(
		    fixture.server, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"clusters\":[");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_BAD_REPLY);
	assert_int_equal(fixture.attempts, 3);
	tear_down(&fixture);
}

static void test_nobody_answers(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_UNREACHABLE);
	assert_non_null(strstr(fixture.error.message, "127.0.0.1"));
	assert_non_null(strstr(fixture.error.remedy, "network"));
	assert_string_equal(fixture.body, "");
	tear_down(&fixture);
}

/* --- credentials and clocks ----------------------------------------------------------------------
 */

/* A source whose keys count up; the first `failures` fetches fail. */
struct counting {
	unsigned fetches, failures;
};

static void start_counting(struct aws_provider *provider, void *source)
{
	struct counting *counting = source;
	if (++counting->fetches <= counting->failures) {
		aws_provider_done(provider, NULL, "the cupboard is bare");
		return;
	}
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xasprintf("AKID%u", counting->fetches);
	credentials->secret_access_key = xstrdup("secret");
	aws_provider_done(provider, credentials, NULL);
}

static void keep(void *source)
{
	(void)source;
}

static const struct aws_source_class counting_class = {.start = start_counting, .free = keep};

static void test_expired_credentials_are_renewed_once(void **state)
{
	(void)state;
	struct fixture fixture;
	struct counting counting = {0};
	set_up(&fixture);
	struct aws_provider *provider =
	    aws_provider_new(fixture.aws, &counting_class, &counting, xstrdup("counter"));
	fake_http_answer(fixture.server, 403, "x-amzn-ErrorType: ExpiredTokenException\r\n", "{}");
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	assert_int_equal(counting.fetches, 2);
	assert_non_null(strstr(fake_http_request(fixture.server, 0), "Credential=AKID1/"));
	assert_non_null(strstr(fake_http_request(fixture.server, 1), "Credential=AKID2/"));
	for (int i = 0; i < 2; i++)
		fake_http_answer(fixture.server, 400, "",
		    "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>");
	run(&fixture, provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_CREDENTIALS);
	assert_string_equal(
	    fixture.error.remedy, "renew the credentials (counter): they have expired");
	assert_int_equal(counting.fetches, 3);
	/* A late refusal of a set that is gone already renews nothing. */
	aws_provider_refused(provider, "AKID1");
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, provider, &list_request);
	assert_int_equal(counting.fetches, 3);
	aws_provider_unref(&provider);
	tear_down(&fixture);
}

static void test_no_credentials(void **state)
{
	(void)state;
	struct fixture fixture;
	struct counting counting = {.failures = 1};
	set_up(&fixture);
	log_set_level(LOG_LEVEL_ERROR);
	struct aws_provider *provider =
	    aws_provider_new(fixture.aws, &counting_class, &counting, xstrdup("counter"));
	run(&fixture, provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_CREDENTIALS);
	assert_string_equal(fixture.error.message, "the cupboard is bare");
	assert_null(fixture.error.remedy);
	assert_int_equal(fake_http_count(fixture.server), 0);
	/* Who asks right away shares the failure. */
	run(&fixture, provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_CREDENTIALS);
	assert_int_equal(counting.fetches, 1);
	aws_provider_expire(provider);
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	aws_provider_unref(&provider);
	tear_down(&fixture);
}

/* "Date: …\r\n" so many seconds from now. */
static const char *date_header(int64_t offset, char text[64])
{
	time_t at = (time_t)(unix_now().ms / 1000 + offset);
	struct tm tm;
	gmtime_r(&at, &tm);
	strftime(text, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	return text;
}

static void test_a_wrong_clock_is_corrected(void **state)
{
	(void)state;
	struct fixture fixture;
	char date[64];
	set_up(&fixture);
	log_set_level(LOG_LEVEL_ERROR);
	date_header(3600, date);
	fake_http_answer(fixture.server, 403, date,
	    "{\"code\":\"InvalidSignatureException\",\"message\":\"expired\"}");
	fake_http_answer(fixture.server, 200, date, "{}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	assert_int_equal(fixture.attempts, 2);
	assert_in_range(aws_clock_offset(fixture.aws).ms, 3590000, 3610000);
	/* The clock was set: what was learned is wrong now, and is unlearned the same way. */
	date_header(0, date);
	fake_http_answer(fixture.server, 403, date, "{\"code\":\"RequestTimeTooSkewed\"}");
	fake_http_answer(fixture.server, 200, date, "{}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_OK);
	assert_int_equal(aws_clock_offset(fixture.aws).ms, 0);
	/* With the right clock such a refusal is what it says. */
	fake_http_answer(fixture.server, 403, date, "{\"code\":\"AccessDeniedException\"}");
	run(&fixture, fixture.provider, &list_request);
	assert_int_equal(fixture.outcome, AWS_DENIED);
	assert_int_equal(fixture.attempts, 1);
	tear_down(&fixture);
}

static void test_clock_is_the_median(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	assert_int_equal(aws_clock_offset(fixture.aws).ms, 0);
	static const int64_t samples[] = {600000, 1, 601000, -900000000, 602000};
	for (size_t i = 0; i < 5; i++)
		aws_clock_learn(fixture.aws, duration_ms(samples[i]));
	assert_int_equal(aws_clock_offset(fixture.aws).ms, 600000);
	aws_clock_reset(fixture.aws, duration_ms(-239000));
	assert_int_equal(aws_clock_offset(fixture.aws).ms, 0);
	struct duration offset;
	assert_false(aws_clock_sample(NULL, &offset));
	assert_false(aws_clock_sample("yesterday", &offset));
	tear_down(&fixture);
}

static void test_a_key_that_works_elsewhere(void **state)
{
	(void)state;
	struct fixture fixture;
	struct aws_request request = list_request;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "{}");
	run(&fixture, fixture.provider, &request);
	request.region = "ap-east-1";
	fake_http_answer(
	    fixture.server, 403, "x-amzn-ErrorType: UnrecognizedClientException\r\n", "{}");
	run(&fixture, fixture.provider, &request);
	assert_int_equal(fixture.outcome, AWS_REGION_OFF);
	request.region = "us-west-2";
	fake_http_answer(
	    fixture.server, 403, "x-amzn-ErrorType: UnrecognizedClientException\r\n", "{}");
	run(&fixture, fixture.provider, &request);
	assert_int_equal(fixture.outcome, AWS_CREDENTIALS);
	tear_down(&fixture);
}

static void on_enough(void *arg)
{
	loop_stop(arg);
}

static void test_cancel(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	/* While it waits for credentials; while it waits for the answer; during the pause before a
	 * retry. */
	struct aws_call *call =
	    aws_call_start(fixture.aws, fixture.provider, &list_request, on_reply, &fixture);
	aws_call_cancel(&call);
	call = aws_call_start(fixture.aws, NULL, &list_request, on_reply, &fixture);
	aws_call_cancel(&call);
	assert_null(call);
	aws_call_cancel(&call);
	fake_http_answer(fixture.server, 503, "x-amz-retry-after: 5000\r\n", "");
	call = aws_call_start(fixture.aws, fixture.provider, &list_request, on_reply, &fixture);
	struct timer *stop = timer_new(fixture.loop, on_enough, fixture.loop);
	timer_set(stop, duration_ms(100));
	loop_run(fixture.loop);
	timer_free(&stop);
	aws_call_cancel(&call);
	tear_down(&fixture);
}

/* --- pure parts ------------------------------------------------------------------------------ */

static void test_delays(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_in_range(aws_retry_delay(0, NULL).ms, 0, 999);
		assert_in_range(aws_retry_delay(2, NULL).ms, 0, 3999);
		assert_in_range(aws_retry_delay(40, NULL).ms, 0, 19999);
		assert_in_range(aws_retry_delay(0, "1500").ms, 1500, 1500);
		assert_in_range(aws_retry_delay(0, "3600000").ms, 5000, 5999);
		assert_in_range(aws_retry_delay(0, "-5").ms, 0, 999);
		assert_in_range(aws_retry_delay(0, "soon").ms, 0, 999);
	}
	struct aws_quota quota;
	aws_quota_init(&quota);
	unsigned granted = 0;
	while (aws_quota_take(&quota, true) > 0)
		granted++;
	assert_int_equal(granted, 50);
	aws_quota_give_back(&quota, 0);
	assert_int_equal(quota.left, 1);
	aws_quota_give_back(&quota, 10000);
	assert_int_equal(quota.left, 500);
}

/* Longer than any first delay of ours: below a second. */
static void test_aws_says_when_to_try_again(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
	} rows[] = {{429, "{\"code\":\"ThrottlingException\"}"},
	    {503, "{\"code\":\"ServiceUnavailableException\"}"}};
	struct fixture fixture;
	set_up(&fixture);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_http_answer(
		    fixture.server, rows[i].status, "X-Amz-Retry-After: 1300\r\n", rows[i].body);
		fake_http_answer(fixture.server, 200, "", "{}");
		struct mono begun = mono_now();
		run(&fixture, fixture.provider, &list_request);
		assert_int_equal(fixture.outcome, AWS_OK);
		assert_int_equal(fixture.attempts, 2);
		assert_in_range(mono_since(begun).ms, 1300, 15000);
	}
	tear_down(&fixture);
}

static void expect_xml(const char *xml, const char *element, const char *wanted)
{
	char *text = aws_xml_text(xml, strlen(xml), element);
	if (wanted == NULL)
		assert_null(text);
	else
		assert_string_equal(text, wanted);
	xfree(&text);
}

static void test_xml(void **state)
{
	(void)state;
	expect_xml("<a><Code>x</Code></a>", "Code", "x");
	expect_xml("<a><Codes>y</Codes><Code z='1'>\n x &amp; &lt;y&gt; &#65; </Code></a>", "Code",
	    "x & <y> &#65;");
	expect_xml("<Code></Code>", "Code", "");
	expect_xml("<Code/><Code>x</Code>", "Code", NULL);
	expect_xml("<Code><b>x</b></Code>", "Code", NULL);
	expect_xml("<Code>x", "Code", NULL);
	expect_xml("<Code>x<", "Code", NULL);
	expect_xml("<Code", "Code", NULL);
	expect_xml("<", "Code", NULL);
	expect_xml("", "Code", NULL);
	expect_xml("Code", "Code", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signed_request),
	    cmocka_unit_test(test_unsigned_post_below_a_base_path),
	    cmocka_unit_test(test_refusals_are_classified),
	    cmocka_unit_test(test_trouble_is_tried_again),
	    cmocka_unit_test(test_three_attempts_are_all),
	    cmocka_unit_test(test_an_empty_quota_allows_no_retry),
	    cmocka_unit_test(test_answers_that_are_cut_short),
	    cmocka_unit_test(test_nobody_answers),
	    cmocka_unit_test(test_expired_credentials_are_renewed_once),
	    cmocka_unit_test(test_no_credentials),
	    cmocka_unit_test(test_a_wrong_clock_is_corrected),
	    cmocka_unit_test(test_clock_is_the_median),
	    cmocka_unit_test(test_a_key_that_works_elsewhere),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_delays),
	    cmocka_unit_test(test_aws_says_when_to_try_again),
	    cmocka_unit_test(test_xml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
