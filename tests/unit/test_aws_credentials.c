/* Providers: one fetch for many who wait, refresh ahead of the end, roles through STS (JSON and
 * XML), the default chain with roles of profiles; and what an answer of STS may not look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "common/aws_call.h"
#include "common/aws_context.h"
#include "common/aws_provider.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "tests/unit/fake_http.h"

#define ROLE "arn:aws:iam::123456789012:role/reader"

struct fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct fake_http *server;
	struct aws_context *aws;
	size_t wanted, calls; /* the loop ends after `wanted` callbacks */
	char *key, *error, *source, *token;
};

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){.loop = loop_new(), .wanted = 1};
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->server = fake_http_new(fixture->loop);
	setenv("AWS_ENDPOINT_URL", fake_http_url(fixture->server), 1);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	log_set_level(LOG_LEVEL_ERROR);
}

static void forget(struct fixture *fixture)
{
	xfree(&fixture->key);
	xfree(&fixture->error);
	xfree(&fixture->source);
	xfree(&fixture->token);
}

static void tear_down(struct fixture *fixture)
{
	aws_context_free(&fixture->aws);
	fetcher_free(&fixture->fetcher);
	fake_http_free(&fixture->server);
	loop_free(&fixture->loop);
	forget(fixture);
	unsetenv("AWS_ENDPOINT_URL");
}

static void on_credentials(void *arg, const struct aws_credentials *credentials, const char *error)
{
	struct fixture *fixture = arg;
	fixture->calls++;
	forget(fixture);
	assert_true((credentials == NULL) == (error != NULL));
	fixture->error = xstrdup_or_null(error);
	if (credentials != NULL) {
		fixture->key = xstrdup(credentials->access_key_id);
		fixture->source = xstrdup_or_null(credentials->source);
		fixture->token = xstrdup_or_null(credentials->session_token);
	}
	if (fixture->calls == fixture->wanted)
		loop_stop(fixture->loop);
}

static void get(struct fixture *fixture, struct aws_provider *provider)
{
	fixture->calls = 0;
	struct aws_wait *wait = aws_provider_get(provider, on_credentials, fixture);
	assert_non_null(wait);
	assert_int_equal(fixture->calls, 0);
	loop_run(fixture->loop);
}

/* --- a source that the test drives --------------------------------------------------------------
 */

struct scripted {
	struct aws_provider *provider;
	unsigned starts, stops, frees;
};

static void start_scripted(struct aws_provider *provider, void *source)
{
	struct scripted *scripted = source;
	scripted->provider = provider;
	scripted->starts++;
}

static void stop_scripted(void *source)
{
	((struct scripted *)source)->stops++;
}

static void free_scripted(void *source)
{
	((struct scripted *)source)->frees++;
}

static const struct aws_source_class scripted_class = {
    .start = start_scripted, .stop = stop_scripted, .free = free_scripted};

static void deliver(struct scripted *scripted, const char *key, int64_t life_seconds)
{
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xstrdup(key);
	credentials->secret_access_key = xstrdup("secret");
	if (life_seconds > 0)
		credentials->expires = unix_add(unix_now(), duration_seconds(life_seconds));
	aws_provider_done(scripted->provider, credentials, NULL);
}

static void on_turn(void *arg)
{
	loop_stop(arg);
}

/* Lets the loop do what is due now. */
static void turn(struct fixture *fixture)
{
	struct timer *timer = timer_new(fixture->loop, on_turn, fixture->loop);
	timer_set(timer, duration_ms(1));
	loop_run(fixture->loop);
	timer_free(&timer);
}

static void test_many_wait_for_one_fetch(void **state)
{
	(void)state;
	struct fixture fixture;
	struct scripted scripted = {0};
	set_up(&fixture);
	struct aws_provider *provider =
	    aws_provider_new(fixture.aws, &scripted_class, &scripted, xstrdup("script"));
	struct aws_wait *waits[3];
	for (int i = 0; i < 3; i++)
		waits[i] = aws_provider_get(provider, on_credentials, &fixture);
	turn(&fixture);
	assert_int_equal(scripted.starts, 1);
	aws_wait_cancel(&waits[1]);
	deliver(&scripted, "AK1", 0);
	turn(&fixture);
	assert_int_equal(fixture.calls, 2);
	assert_string_equal(fixture.key, "AK1");
	get(&fixture, provider);
	assert_int_equal(scripted.starts, 1);
	aws_provider_unref(&provider);
	assert_int_equal(scripted.frees, 1);
	tear_down(&fixture);
}

static void test_refresh_ahead_of_the_end(void **state)
{
	(void)state;
	struct fixture fixture;
	struct scripted scripted = {0};
	set_up(&fixture);
	struct aws_provider *provider =
	    aws_provider_new(fixture.aws, &scripted_class, &scripted, xstrdup("script"));
	aws_provider_get(provider, on_credentials, &fixture);
	turn(&fixture);
	deliver(&scripted, "AK1", 3600);
	turn(&fixture);
	get(&fixture, provider);
	assert_int_equal(scripted.starts, 1);
	/* AWS's clock is 50 minutes ahead: the last fifth of the hour has begun. */
	aws_clock_reset(fixture.aws, duration_seconds(50 * 60));
	get(&fixture, provider);
	assert_string_equal(fixture.key, "AK1");
	assert_int_equal(scripted.starts, 2);
	get(&fixture, provider);
	assert_int_equal(scripted.starts, 2);
	/* The refresh fails: the old set is good still, and nobody tries again at once. */
	aws_provider_done(scripted.provider, NULL, "no luck");
	get(&fixture, provider);
	assert_string_equal(fixture.key, "AK1");
	assert_int_equal(scripted.starts, 2);
	/* After its end it is not. */
	aws_clock_reset(fixture.aws, duration_seconds(61 * 60));
	get(&fixture, provider);
	assert_string_equal(fixture.error, "no luck");
	aws_provider_expire(provider);
	aws_provider_get(provider, on_credentials, &fixture);
	turn(&fixture);
	assert_int_equal(scripted.starts, 3);
	deliver(&scripted, "AK2", 8 * 3600);
	turn(&fixture);
	assert_string_equal(fixture.key, "AK2");
	aws_provider_unref(&provider);
	tear_down(&fixture);
}

/* How many of the providers whose sets of an hour were just delivered want the next one already
 * when so much of the hour is left. */
static size_t count_refreshes(int64_t seconds_left)
{
	enum { PROVIDERS = 40 };
	struct fixture fixture;
	struct scripted scripted[PROVIDERS] = {0};
	struct aws_provider *providers[PROVIDERS];
	size_t count = 0;
	set_up(&fixture);
	for (size_t i = 0; i < PROVIDERS; i++) {
		providers[i] =
		    aws_provider_new(fixture.aws, &scripted_class, &scripted[i], xstrdup("script"));
		aws_provider_get(providers[i], on_credentials, &fixture);
		turn(&fixture);
		deliver(&scripted[i], "AK", 3600);
		turn(&fixture);
	}
	aws_clock_reset(fixture.aws, duration_seconds(3600 - seconds_left));
	for (size_t i = 0; i < PROVIDERS; i++) {
		get(&fixture, providers[i]);
		assert_string_equal(fixture.key, "AK");
		count += scripted[i].starts - 1;
		aws_provider_unref(&providers[i]);
	}
	tear_down(&fixture);
	return count;
}

/* Sets that came at one moment are not all renewed at one moment: a fifth of the hour before its
 * end, give or take a tenth of that. */
static void test_refreshes_are_spread(void **state)
{
	(void)state;
	assert_int_equal(count_refreshes(720 + 72 + 20), 0);
	assert_in_range(count_refreshes(720), 1, 39);
	assert_int_equal(count_refreshes(720 - 72 - 20), 40);
}

static void test_freed_while_fetching(void **state)
{
	(void)state;
	struct fixture fixture;
	struct scripted scripted = {0};
	set_up(&fixture);
	struct aws_provider *provider =
	    aws_provider_new(fixture.aws, &scripted_class, &scripted, xstrdup("script"));
	struct aws_provider *second = aws_provider_ref(provider);
	aws_provider_get(provider, on_credentials, &fixture);
	turn(&fixture);
	aws_provider_unref(&second);
	assert_int_equal(scripted.frees, 0);
	aws_provider_unref(&provider);
	assert_int_equal(scripted.stops, 1);
	assert_int_equal(scripted.frees, 1);
	turn(&fixture);
	assert_int_equal(fixture.calls, 0);
	tear_down(&fixture);
}

static struct aws_provider *one_user;

static void on_last_use(void *arg, const struct aws_credentials *credentials, const char *error)
{
	(void)error;
	aws_provider_unref(&one_user);
	assert_string_equal(credentials->access_key_id, "AK");
	loop_stop(((struct fixture *)arg)->loop);
}

static void test_freed_inside_its_callback(void **state)
{
	(void)state;
	struct fixture fixture;
	struct aws_credentials keys = {
	    .access_key_id = (char[]){"AK"}, .secret_access_key = (char[]){"SK"}};
	set_up(&fixture);
	one_user = aws_provider_static(fixture.aws, &keys);
	assert_string_equal(aws_provider_text(one_user), "keys");
	aws_provider_get(one_user, on_last_use, &fixture);
	aws_provider_get(one_user, on_credentials, &fixture);
	fixture.wanted = 2;
	loop_run(fixture.loop);
	assert_null(one_user);
	tear_down(&fixture);
}

/* --- roles --------------------------------------------------------------------------------------
 */

static void assume_answer(struct fixture *fixture, const char *key)
{
	char expires[UNIX_TIME_TEXT];
	unix_time_text(unix_add(unix_now(), duration_seconds(3600)), expires);
	char *body =
	    xasprintf("{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{"
		      "\"AccessKeyId\":\"%s\","
		      "\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"%s\"}}}}",
		key, expires);
	fake_http_answer(fixture->server, 200, "", body);
	xfree(&body);
}

static struct aws_provider *base_provider(struct fixture *fixture)
{
	struct aws_credentials keys = {.access_key_id = (char[]){"AKBASE"},
	    .secret_access_key = (char[]){"SK"},
	    .source = (char[]){"environment"}};
	return aws_provider_static(fixture->aws, &keys);
}

static void test_assume_role(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	struct aws_provider *base = base_provider(&fixture);
	struct aws_provider *role = aws_provider_assume_role(
	    fixture.aws, base, ROLE, "ext/ern:al", "me & my host", "eu-west-1");
	aws_provider_unref(&base);
	assert_string_equal(aws_provider_text(role), "role " ROLE " (from environment)");
	assume_answer(&fixture, "AKROLE");
	get(&fixture, role);
	assert_string_equal(fixture.key, "AKROLE");
	assert_string_equal(fixture.token, "t");
	assert_string_equal(fixture.source, "role " ROLE " (from environment)");
	const char *sent = fake_http_request(fixture.server, 0);
	assert_non_null(strstr(sent, "POST / HTTP/1.1\r\n"));
	assert_non_null(strstr(sent, "Credential=AKBASE/"));
	assert_non_null(strstr(sent, "/eu-west-1/sts/aws4_request"));
	assert_non_null(
	    strstr(sent, "\r\n\r\nAction=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%"
			 "3A123456789012%3A"
			 "role%2Freader&RoleSessionName=me---my-host&ExternalId=ext%2Fern%3Aal"));
	get(&fixture, role);
	assert_int_equal(fake_http_count(fixture.server), 1);
	aws_provider_unref(&role);
	tear_down(&fixture);
}

static void test_refused_role(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	struct aws_provider *base = base_provider(&fixture);
	struct aws_provider *role =
	    aws_provider_assume_role(fixture.aws, base, ROLE, "x", "me", "eu-west-1");
	fake_http_answer(fixture.server, 403, "",
	    "<ErrorResponse "
	    "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</"
	    "Type><Code>AccessDenied"
	    "</Code><Message>not "
	    "authorized</Message></Error><RequestId>1</RequestId></ErrorResponse>");
	get(&fixture, role);
	assert_string_equal(fixture.error,
	    "cannot assume role " ROLE ": AccessDenied: not authorized; allow sts:AssumeRole on it "
	    "for environment, let its trust policy "
	    "name that identity, and check the external id");
	aws_provider_unref(&role);
	role = aws_provider_assume_role(fixture.aws, base, ROLE, NULL, "me", "ap-east-1");
	fake_http_answer(fixture.server, 403, "",
	    "{\"Error\":{\"Code\":\"RegionDisabledException\",\"Message\":\"STS is off\"}}");
	get(&fixture, role);
	assert_non_null(
	    strstr(fixture.error, "RegionDisabledException: STS is off; enable region ap-east-1"));
	aws_provider_unref(&role);
	aws_provider_unref(&base);
	tear_down(&fixture);
}

static void test_role_on_a_base_without_credentials(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	unsetenv("AWS_SECRET_ACCESS_KEY");
	struct aws_provider *base = aws_provider_default(fixture.aws);
	assert_string_equal(aws_provider_text(base), "environment");
	struct aws_provider *role =
	    aws_provider_assume_role(fixture.aws, base, ROLE, NULL, "me", "eu-west-1");
	get(&fixture, role);
	assert_string_equal(fixture.error,
	    "cannot assume role " ROLE
	    ": AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: both are needed");
	aws_provider_unref(&role);
	aws_provider_unref(&base);
	unsetenv("AWS_ACCESS_KEY_ID");
	tear_down(&fixture);
}

/* --- the default chain --------------------------------------------------------------------------
 */

static char config_path[] = "/tmp/eksgate-test-XXXXXX";

static void write_config(const char *text)
{
	strcpy(config_path, "/tmp/eksgate-test-XXXXXX");
	int fd = mkstemp(config_path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
}

static void test_chain_of_profiles(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	write_config(
	    "[profile base]\naws_access_key_id=AKBASE\naws_secret_access_key=SK\n"
	    "[profile middle]\nrole_arn=arn:aws-cn:iam::123456789012:role/m\nsource_profile=base\n"
	    "[profile top]\nrole_arn=" ROLE "\nsource_profile=middle\nduration_seconds=1800\n");
	setenv("AWS_PROFILE", "top", 1);
	struct aws_provider *provider = aws_provider_default(fixture.aws);
	assert_string_equal(aws_provider_text(provider), "profile top");
	assume_answer(&fixture, "AKMIDDLE");
	assume_answer(&fixture, "AKTOP");
	get(&fixture, provider);
	assert_string_equal(fixture.key, "AKTOP");
	assert_non_null(strstr(fake_http_request(fixture.server, 0), "Credential=AKBASE/"));
	assert_non_null(strstr(fake_http_request(fixture.server, 0), "/cn-northwest-1/sts/"));
	assert_non_null(strstr(fake_http_request(fixture.server, 0), "RoleSessionName=eksgate-"));
	assert_non_null(strstr(fake_http_request(fixture.server, 1), "Credential=AKMIDDLE/"));
	assert_non_null(strstr(fake_http_request(fixture.server, 1), "DurationSeconds=1800"));
	/* Freed while it is under way. */
	fake_http_hang(fixture.server);
	aws_provider_expire(provider);
	struct aws_wait *wait = aws_provider_get(provider, on_credentials, &fixture);
	turn(&fixture);
	aws_wait_cancel(&wait);
	aws_provider_unref(&provider);
	unlink(config_path);
	unsetenv("AWS_PROFILE");
	tear_down(&fixture);
}

static void test_files_are_read_again(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	write_config("[default]\nlogin_session=x\n");
	struct aws_provider *provider = aws_provider_default(fixture.aws);
	get(&fixture, provider);
	assert_non_null(
	    strstr(fixture.error, ":2: profile default: login_session is not supported"));
	unlink(config_path);
	write_config("[default]\naws_access_key_id=AK9\naws_secret_access_key=SK\n");
	aws_provider_expire(provider);
	get(&fixture, provider);
	assert_string_equal(fixture.key, "AK9");
	unlink(config_path);
	aws_provider_unref(&provider);
	tear_down(&fixture);
}

/* --- answers of STS -----------------------------------------------------------------------------
 */

#define CREDENTIALS_JSON(inner)                                                                    \
	"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{" inner "}}}}"

struct sts_case {
	const char *body, *error;
};

static const struct sts_case bad_answers[] = {
    {"", "not JSON"},
    {"<html><body>hello</body></html>", "AccessKeyId is missing"},
    {"{\"AssumeRoleResponse\":", "not JSON"},
    {"[]", "it is not an object"},
    {"null", "not JSON"},
    {"{}", "AssumeRoleResponse"},
    {"{\"AssumeRoleResponse\":[]}", "AssumeRoleResponse"},
    {"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{}}}", "Credentials"},
    {CREDENTIALS_JSON(""), "AccessKeyId"},
    {CREDENTIALS_JSON("\"AccessKeyId\":7"), "AccessKeyId"},
    {CREDENTIALS_JSON("\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\","
		      "\"Expiration\":\"x\""),
	"AccessKeyId is empty"},
    {CREDENTIALS_JSON("\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\","
		      "\"Expiration\":\"soon\""),
	"Expiration is not a time"},
    {CREDENTIALS_JSON("\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\","
		      "\"Expiration\":17e8"),
	"Expiration"},
    {CREDENTIALS_JSON(
	 "\"AccessKeyId\":\"a\\r\\nb\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\","
	 "\"Expiration\":\"2026-01-02T03:04:05Z\""),
	"the access key holds"},
    {"<Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s</"
     "SecretAccessKey><SessionToken>t</SessionToken>"
     "</Credentials>",
	"Expiration is missing"},
};

static void test_bad_sts_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_answers / sizeof bad_answers[0]; i++) {
		char *error = NULL;
		assert_null(sts_parse_assume_role(
		    bad_answers[i].body, strlen(bad_answers[i].body), &error));
		if (strstr(error, bad_answers[i].error) == NULL)
			fail_msg("%s: %s", bad_answers[i].body, error);
		xfree(&error);
	}
}

static void test_sts_answers_in_xml(void **state)
{
	(void)state;
	static const char role[] =
	    "<?xml version=\"1.0\"?>\n<AssumeRoleResponse "
	    "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
	    "<AssumedRoleUser><AssumedRoleId>AROA:me</AssumedRoleId><Arn>arn</Arn></"
	    "AssumedRoleUser><Credentials>"
	    "<AccessKeyId>AK</AccessKeyId><SecretAccessKey>S/+=</"
	    "SecretAccessKey><SessionToken>T==</SessionToken>"
	    "<Expiration>2026-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></"
	    "AssumeRoleResponse>";
	char *error = NULL;
	struct aws_credentials *credentials = sts_parse_assume_role(role, strlen(role), &error);
	assert_non_null(credentials);
	assert_string_equal(credentials->secret_access_key, "S/+=");
	assert_int_equal(credentials->expires.ms, INT64_C(1767323045000));
	aws_credentials_free(&credentials);
	static const char identity[] =
	    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn>"
	    "<UserId>AIDA</UserId><Account>1</Account></GetCallerIdentityResult>";
	struct sts_identity who;
	assert_true(sts_parse_identity(identity, strlen(identity), &who, &error));
	assert_string_equal(who.account, "1");
	sts_identity_free(&who);
	static const char json[] = "{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{"
				   "\"Account\":\"1\",\"Arn\":\"a\","
				   "\"UserId\":\"u\"},\"ResponseMetadata\":{}}}";
	assert_true(sts_parse_identity(json, strlen(json), &who, &error));
	assert_string_equal(who.user_id, "u");
	sts_identity_free(&who);
	assert_false(sts_parse_identity("{}", 2, &who, &error));
	xfree(&error);
}

static void test_session_names(void **state)
{
	(void)state;
	static const char *const table[][2] = {{"a b/c:d", "a-b-c-d"}, {"", "--"}, {"x", "x-"},
	    {"ok_+=,.@-9", "ok_+=,.@-9"},
	    {"0123456789012345678901234567890123456789012345678901234567890123456789",
		"0123456789012345678901234567890123456789012345678901234567890123"}};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *name = sts_session_name(table[i][0]);
		assert_string_equal(name, table[i][1]);
		xfree(&name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_wait_for_one_fetch),
	    cmocka_unit_test(test_refresh_ahead_of_the_end),
	    cmocka_unit_test(test_refreshes_are_spread),
	    cmocka_unit_test(test_freed_while_fetching),
	    cmocka_unit_test(test_freed_inside_its_callback),
	    cmocka_unit_test(test_assume_role),
	    cmocka_unit_test(test_refused_role),
	    cmocka_unit_test(test_role_on_a_base_without_credentials),
	    cmocka_unit_test(test_chain_of_profiles),
	    cmocka_unit_test(test_files_are_read_again),
	    cmocka_unit_test(test_bad_sts_answers),
	    cmocka_unit_test(test_sts_answers_in_xml),
	    cmocka_unit_test(test_session_names),
	};
	static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	    "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION",
	    "AWS_DEFAULT_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE"};
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
