/* The sources that the default chain may begin with, each against a scripted HTTP server, a script
 * or files: what they send, what they take, and what they say when they fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/aws_call.h"
#include "common/aws_context.h"
#include "common/aws_credentials.h"
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
	struct aws_provider *provider;
	char *key, *error, *source;
	struct unix_time expires;
	char home[64];
};

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_V1_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_CA_BUNDLE"};

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof *fixture);
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	strcpy(fixture->home, "/tmp/eksgate-test-XXXXXX");
	if (mkdtemp(fixture->home) == NULL)
		return -1;
	setenv("HOME", fixture->home, 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* nothing may use it */
	fixture->loop = loop_new();
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->server = fake_http_new(fixture->loop);
	setenv("AWS_ENDPOINT_URL", fake_http_url(fixture->server), 1);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	log_set_level(LOG_LEVEL_ERROR);
	*state = fixture;
	return 0;
}

static void forget(struct fixture *fixture)
{
	xfree(&fixture->key);
	xfree(&fixture->error);
	xfree(&fixture->source);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	aws_provider_unref(&fixture->provider);
	aws_context_free(&fixture->aws);
	fetcher_free(&fixture->fetcher);
	fake_http_free(&fixture->server);
	loop_free(&fixture->loop);
	forget(fixture);
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", fixture->home);
	int result = system(command);
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("http_proxy");
	free(fixture);
	return result;
}

static void on_credentials(void *arg, const struct aws_credentials *credentials, const char *error)
{
	struct fixture *fixture = arg;
	forget(fixture);
	fixture->error = xstrdup_or_null(error);
	if (credentials != NULL) {
		fixture->key = xstrdup(credentials->access_key_id);
		fixture->source = xstrdup_or_null(credentials->source);
		fixture->expires = credentials->expires;
	}
	loop_stop(fixture->loop);
}

/* Asks the chain once; a new chain each time. */
static void get(struct fixture *fixture)
{
	aws_provider_unref(&fixture->provider);
	fixture->provider = aws_provider_default(fixture->aws);
	aws_provider_get(fixture->provider, on_credentials, fixture);
	loop_run(fixture->loop);
}

static void expect_key(struct fixture *fixture, const char *key)
{
	get(fixture);
	if (fixture->key == NULL)
		fail_msg("%s", fixture->error);
	assert_string_equal(fixture->key, key);
}

static void expect_error(struct fixture *fixture, const char *part)
{
	get(fixture);
	if (fixture->error == NULL || strstr(fixture->error, part) == NULL)
		fail_msg("%s", fixture->error);
}

static void expect_sent(struct fixture *fixture, size_t i, const char *part)
{
	const char *request = fake_http_request(fixture->server, i);
	if (strstr(request, part) == NULL)
		fail_msg("%s", request);
}

static char *write_file(struct fixture *fixture, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", fixture->home, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void use_config(struct fixture *fixture, const char *text)
{
	char *path = write_file(fixture, "config", text);
	setenv("AWS_CONFIG_FILE", path, 1);
	xfree(&path);
}

static char *time_in(int64_t seconds)
{
	char text[UNIX_TIME_TEXT];
	return xstrdup(unix_time_text(unix_add(unix_now(), duration_seconds(seconds)), text));
}

/* What containers and instances answer. */
static void answer_keys(struct fixture *fixture, const char *key, int64_t life_seconds)
{
	char *expires = time_in(life_seconds);
	char *body = xasprintf("{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":"
			       "\"s\",\"Token\":\"t\",\"Expiration\":\"%s\"}",
	    key, expires);
	fake_http_answer(fixture->server, 200, "", body);
	xfree(&body);
	xfree(&expires);
}

/* --- web identity --------------------------------------------------------------------------- */

static void test_web_identity(void **state)
{
	struct fixture *fixture = *state;
	char *path = write_file(fixture, "token", "eyJ.tok-1\n");
	char *expires = time_in(3600);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
	setenv("AWS_ROLE_ARN", ROLE, 1);
	setenv("AWS_ROLE_SESSION_NAME", "pod 1", 1);
	char *body = xasprintf("{\"AssumeRoleWithWebIdentityResponse\":{"
			       "\"AssumeRoleWithWebIdentityResult\":{\"Credentials\":{"
			       "\"AccessKeyId\":\"AKWEB\",\"SecretAccessKey\":\"s\","
			       "\"SessionToken\":\"t\",\"Expiration\":\"%s\"}}}}",
	    expires);
	fake_http_answer(fixture->server, 200, "", body);
	expect_key(fixture, "AKWEB");
	assert_string_equal(
	    aws_provider_text(fixture->provider), "role " ROLE " (by web identity)");
	expect_sent(fixture, 0, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn");
	expect_sent(fixture, 0, "&RoleSessionName=pod-1&WebIdentityToken=eyJ.tok-1");
	assert_null(strstr(fake_http_request(fixture->server, 0), "Authorization"));
	fake_http_answer(
	    fixture->server, 403, "", "{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"no\"}}");
	expect_error(fixture, "/token (AWS_WEB_IDENTITY_TOKEN_FILE): AccessDenied: no; let the "
			      "trust policy of the role name");
	unlink(path);
	expect_error(fixture, "/token: No such file or directory");
	xfree(&path);
	path = write_file(fixture, "token", "two words");
	expect_error(fixture, "/token: is no token");
	assert_int_equal(fake_http_count(fixture->server), 2);
	xfree(&path);
	xfree(&body);
	xfree(&expires);
}

/* Endpoints that contradict each other: nothing is sent anywhere. */
static void test_contradicting_endpoints(void **state)
{
	struct fixture *fixture = *state;
	char *path = write_file(fixture, "token", "eyJ.tok-1");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
	setenv("AWS_ROLE_ARN", ROLE, 1);
	setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
	aws_context_free(&fixture->aws);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	unsetenv("AWS_USE_FIPS_ENDPOINT");
	expect_error(fixture,
	    "FIPS endpoints are asked for, and another endpoint is configured for "
	    "sts");
	assert_int_equal(fake_http_count(fixture->server), 0);
	xfree(&path);
}

/* --- containers ------------------------------------------------------------------------------ */

static void use_container(struct fixture *fixture, const char *host)
{
	char *url = xasprintf(
	    "http://%s%s/v1/credentials", host, strrchr(fake_http_url(fixture->server), ':'));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	xfree(&url);
}

static void test_container(void **state)
{
	struct fixture *fixture = *state;
	char *path = write_file(fixture, "auth", "Bearer one");
	use_container(fixture, "localhost");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this", 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
	answer_keys(fixture, "AKPOD", 3600);
	expect_key(fixture, "AKPOD");
	assert_string_equal(fixture->source, "container");
	expect_sent(fixture, 0, "GET /v1/credentials HTTP/1.1\r\n");
	expect_sent(fixture, 0, "\r\nAuthorization: Bearer one\r\n");
	xfree(&path);
	path = write_file(fixture, "auth", "two\n");
	expect_error(fixture, "/auth is empty, or holds a line break");
	xfree(&path);
	path = write_file(fixture, "auth", "two\r\nX-Evil: 1");
	expect_error(fixture, "holds a line break");
	unlink(path);
	expect_error(fixture, "cannot read the authorization token in ");
	unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	fake_http_answer(fixture->server, 403, "", "{}");
	expect_error(fixture, ": HTTP 403; check the authorization token");
	expect_sent(fixture, 1, "\r\nAuthorization: not this\r\n");
	fake_http_answer(fixture->server, 200, "", "{\"Code\":\"Nope\"}");
	expect_error(fixture, "no set of credentials: Code is Nope");
	answer_keys(fixture, "AKOLD", -10);
	expect_error(fixture, "container gives credentials that have expired already (");
	xfree(&path);
}

static void test_container_in_trouble(void **state)
{
	struct fixture *fixture = *state;
	use_container(fixture, "127.0.0.1");
	fake_http_answer(fixture->server, 500, "", "");
	answer_keys(fixture, "AKPOD", 3600);
	expect_key(fixture, "AKPOD");
	assert_int_equal(fake_http_count(fixture->server), 2);
}

static void test_container_hosts(void **state)
{
	struct fixture *fixture = *state;
	/* This reaches the server by loopback, but it is not the address for that. */
	use_container(fixture, "0.0.0.0");
	expect_error(fixture, "has an address that must not be connected to");
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://127.0.0.1/", 1);
	expect_error(fixture, "must begin with http:// or https://");
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/", 1);
	expect_error(
	    fixture, "(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI): the URI must begin with /");
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a b", 1);
	expect_error(fixture, "holds a space");
	assert_int_equal(fake_http_count(fixture->server), 0);
}

/* --- instance metadata ----------------------------------------------------------------------- */

static void use_metadata(struct fixture *fixture)
{
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake_http_url(fixture->server), 1);
}

static void test_metadata(void **state)
{
	struct fixture *fixture = *state;
	use_metadata(fixture);
	fake_http_answer(fixture->server, 200, "", "TOKEN1");
	fake_http_answer(fixture->server, 401, "", "");
	fake_http_answer(fixture->server, 200, "", "TOKEN2");
	fake_http_answer(fixture->server, 200, "", "node-role\nother");
	answer_keys(fixture, "AKNODE", 6 * 3600);
	expect_key(fixture, "AKNODE");
	assert_string_equal(fixture->source, "instance role node-role");
	expect_sent(fixture, 0, "PUT /latest/api/token HTTP/1.1\r\n");
	expect_sent(fixture, 0, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
	expect_sent(fixture, 3, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n");
	expect_sent(fixture, 3, "\r\nX-aws-ec2-metadata-token: TOKEN2\r\n");
	expect_sent(fixture, 4, "GET /latest/meta-data/iam/security-credentials/node-role HTTP");
}

static void test_metadata_version_1(void **state)
{
	struct fixture *fixture = *state;
	use_metadata(fixture);
	fake_http_answer(fixture->server, 404, "", "");
	fake_http_answer(fixture->server, 200, "", "node-role");
	answer_keys(fixture, "AKV1", 3600);
	expect_key(fixture, "AKV1");
	assert_null(strstr(fake_http_request(fixture->server, 1), "metadata-token"));
	setenv("AWS_EC2_METADATA_V1_DISABLED", "true", 1);
	fake_http_answer(fixture->server, 404, "", "");
	expect_error(fixture, "HTTP 404 for a session token, and version 1 is disabled");
}

static void test_metadata_that_fails(void **state)
{
	struct fixture *fixture = *state;
	use_metadata(fixture);
	fake_http_answer(fixture->server, 400, "", "");
	expect_error(fixture, "): HTTP 400");
	fake_http_answer(fixture->server, 200, "", "bad token\r\n");
	expect_error(fixture, "the session token is no token");
	fake_http_answer(fixture->server, 200, "", "T");
	fake_http_answer(fixture->server, 404, "", "");
	expect_error(fixture, "the instance has no role: attach an instance profile");
	fake_http_answer(fixture->server, 200, "", "T");
	fake_http_answer(fixture->server, 200, "", "<html>");
	expect_error(fixture, "no name of a role");
	fake_http_answer(fixture->server, 200, "", "T");
	fake_http_answer(fixture->server, 200, "", "../x");
	expect_error(fixture, "no name of a role");
	fake_http_answer(fixture->server, 200, "", "T");
	fake_http_answer(fixture->server, 200, "", "r");
	fake_http_answer(fixture->server, 200, "", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}");
	expect_error(fixture, "no credentials for role r: Code is AssumeRoleUnauthorizedAccess");
	fake_http_hang(fixture->server);
	fake_http_answer(fixture->server, 401, "", "");
	expect_error(fixture, "a session token is required, and the answer to the request for one "
			      "did not arrive; in a container");
}

static void test_metadata_that_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
	expect_error(fixture, "instance metadata (http://127.0.0.1:1): not there: ");
	assert_non_null(strstr(fixture->error, "no AWS credentials: AWS_ACCESS_KEY_ID is not set"));
	use_metadata(fixture);
	setenv("AWS_EC2_METADATA_V1_DISABLED", "true", 1);
	fake_http_hang(fixture->server);
	expect_error(fixture, "(in a container, the instance's metadata hop limit must be 2");
}

/* An expired set stays in use, and the service is left alone for a while. */
static void test_metadata_outlives_its_end(void **state)
{
	struct fixture *fixture = *state;
	use_metadata(fixture);
	fake_http_answer(fixture->server, 200, "", "T");
	fake_http_answer(fixture->server, 200, "", "r");
	answer_keys(fixture, "AKOLD", -60);
	expect_key(fixture, "AKOLD");
	int64_t left = fixture->expires.ms - unix_now().ms;
	assert_true(left > INT64_C(17) * 60000 && left < INT64_C(32) * 60000);
	aws_provider_get(fixture->provider, on_credentials, fixture);
	loop_run(fixture->loop);
	assert_string_equal(fixture->key, "AKOLD");
	assert_int_equal(fake_http_count(fixture->server), 3);
	/* Two hours on, the service is gone. */
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
	aws_clock_reset(fixture->aws, duration_seconds(7200));
	aws_provider_get(fixture->provider, on_credentials, fixture);
	loop_run(fixture->loop);
	assert_string_equal(fixture->key, "AKOLD");
}

/* --- credential_process ---------------------------------------------------------------------- */

static void use_script(struct fixture *fixture, const char *script)
{
	char *path = write_file(fixture, "pro gram", script);
	assert_int_equal(chmod(path, 0700), 0);
	char *config = xasprintf("[default]\ncredential_process = '%s' \"a b\" c\\ d\n", path);
	use_config(fixture, config);
	xfree(&config);
	xfree(&path);
}

#define PRINT "#!/bin/sh\ncat <<EOF\n"
#define KEYS  "\"Version\":1,\"AccessKeyId\":\"AKP\",\"SecretAccessKey\":\"s\""

static void test_process(void **state)
{
	struct fixture *fixture = *state;
	use_script(fixture, PRINT "{" KEYS ",\"SessionToken\":\"$#-$1-$2\"}\nEOF\n");
	expect_error(fixture, "printed no credentials: the session token holds a space");
	use_script(fixture, PRINT "{" KEYS ",\"SessionToken\":\"$#\"}\nEOF\n");
	expect_key(fixture, "AKP");
	assert_string_equal(fixture->source, "profile default (credential_process)");
	use_script(fixture, "#!/bin/sh\necho first >&2\necho second >&2\nexit 3\n");
	expect_error(fixture, "/config:2: profile default: credential_process ended with status 3: "
			      "first");
	assert_null(strstr(fixture->error, "second"));
	use_script(fixture, "#!/bin/sh\nkill -9 $$\n");
	expect_error(fixture, "was ended by signal 9");
	use_script(fixture, "#!/bin/sh\nexec cat /dev/zero\n");
	expect_error(fixture, "printed more than 64 KiB and was killed");
	use_script(fixture, "#!/bin/sh\necho secret; exit 0\n");
	expect_error(fixture, "printed no credentials: it is not JSON");
	assert_null(strstr(fixture->error, "secret"));
	use_config(fixture, "[default]\ncredential_process=/nowhere/x\n");
	expect_error(fixture, "cannot run /nowhere/x: No such file");
	use_config(fixture, "[default]\ncredential_process=x 'y\n");
	expect_error(fixture, "cannot be read: a quote is not closed");
}

static void on_late(void *arg)
{
	loop_stop(arg);
}

static void test_process_not_wanted_any_more(void **state)
{
	struct fixture *fixture = *state;
	use_script(fixture, "#!/bin/sh\nexec sleep 100\n");
	fixture->provider = aws_provider_default(fixture->aws);
	aws_provider_get(fixture->provider, on_credentials, fixture);
	struct timer *timer = timer_new(fixture->loop, on_late, fixture->loop);
	timer_set(timer, duration_ms(50));
	loop_run(fixture->loop);
	timer_free(&timer);
	aws_provider_unref(&fixture->provider);
	assert_null(fixture->key);
}

/* --- SSO ------------------------------------------------------------------------------------- */

static char *cache_file(struct fixture *fixture, const char *digest)
{
	char *command = xasprintf("mkdir -p %s/.aws/sso/cache", fixture->home);
	assert_int_equal(system(command), 0);
	xfree(&command);
	return xasprintf(".aws/sso/cache/%s.json", digest);
}

static void write_token(struct fixture *fixture, int64_t life_seconds, const char *more)
{
	char *name = cache_file(fixture, "ee0bfd2552fbd840c02cc48b6e823320543c450f");
	char *expires = time_in(life_seconds);
	char *text =
	    xasprintf("{\"accessToken\":\"AT1\",\"expiresAt\":\"%s\",\"startUrl\":\"https://"
		      "x/start\"%s}",
		expires, more);
	char *path = write_file(fixture, name, text);
	xfree(&path);
	xfree(&text);
	xfree(&expires);
	xfree(&name);
}

#define SSO_CONFIG                                                                                 \
	"[default]\nsso_session=corp\nsso_account_id=123456789012\nsso_role_name=Read Only\n"      \
	"[sso-session corp]\nsso_start_url=https://x/start\nsso_region=eu-west-1\n"
#define RENEWABLE                                                                                  \
	",\"clientId\":\"CI\",\"clientSecret\":\"CS\",\"refreshToken\":\"RT1\",\"extra\":\"kept\""

static void answer_role(struct fixture *fixture)
{
	char *body =
	    xasprintf("{\"roleCredentials\":{\"accessKeyId\":\"AKSSO\","
		      "\"secretAccessKey\":\"s\",\"sessionToken\":\"t\",\"expiration\":%lld}}",
		(long long)unix_now().ms + 3600000);
	fake_http_answer(fixture->server, 200, "", body);
	xfree(&body);
}

static void test_sso(void **state)
{
	struct fixture *fixture = *state;
	use_config(fixture, SSO_CONFIG);
	expect_error(fixture, "/config:2: profile default: SSO: no token in ");
	assert_non_null(strstr(fixture->error, "; run aws sso login --sso-session corp"));
	write_token(fixture, 3600, RENEWABLE);
	answer_role(fixture);
	expect_key(fixture, "AKSSO");
	expect_sent(fixture, 0,
	    "GET /federation/credentials?account_id=123456789012&role_name=Read%20Only HTTP");
	expect_sent(fixture, 0, "\r\nx-amz-sso_bearer_token: AT1\r\n");
	assert_null(strstr(fake_http_request(fixture->server, 0), "Authorization"));
	fake_http_answer(fixture->server, 401, "x-amzn-ErrorType: UnauthorizedException\r\n",
	    "{\"message\":\"Session token not found or invalid\"}");
	expect_error(fixture, "invalid; run aws sso login --sso-session corp");
	fake_http_answer(fixture->server, 403, "x-amzn-ErrorType: ForbiddenException\r\n",
	    "{\"message\":\"No\"}");
	expect_error(fixture, "ForbiddenException: No; assign the permission set");
	write_token(fixture, -1, "");
	expect_error(fixture, "SSO: the token has expired; run aws sso login");
}

static void test_sso_renewal(void **state)
{
	struct fixture *fixture = *state;
	use_config(fixture, SSO_CONFIG);
	write_token(fixture, 60, RENEWABLE);
	fake_http_answer(fixture->server, 200, "",
	    "{\"accessToken\":\"AT2\",\"expiresIn\":28800,\"refreshToken\":\"RT2\"}");
	answer_role(fixture);
	expect_key(fixture, "AKSSO");
	expect_sent(fixture, 0, "POST /token HTTP/1.1\r\n");
	expect_sent(fixture, 0,
	    "{\"grantType\":\"refresh_token\",\"clientId\":\"CI\",\"clientSecret\":\"CS\","
	    "\"refreshToken\":\"RT1\"}");
	expect_sent(fixture, 1, "\r\nx-amz-sso_bearer_token: AT2\r\n");
	/* It was written back: the next one finds it. */
	answer_role(fixture);
	expect_key(fixture, "AKSSO");
	expect_sent(fixture, 2, "\r\nx-amz-sso_bearer_token: AT2\r\n");
	char *command = xasprintf("cd %s/.aws/sso/cache && test $(ls | wc -l) = 1 && grep -q "
				  "'\"extra\":\"kept\"' * && test $(stat -c %%a *) = 600",
	    fixture->home);
	assert_int_equal(system(command), 0);
	xfree(&command);
	/* A renewal that fails matters only once the token is over. */
	write_token(fixture, 60, RENEWABLE);
	fake_http_answer(fixture->server, 400, "", "{\"error\":\"invalid_grant\"}");
	answer_role(fixture);
	expect_key(fixture, "AKSSO");
	write_token(fixture, -60, RENEWABLE);
	fake_http_answer(fixture->server, 400, "", "{\"error\":\"invalid_grant\"}");
	expect_error(fixture, "the token has expired and cannot be renewed: HTTP 400");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_web_identity, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_contradicting_endpoints, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_container, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_container_in_trouble, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_container_hosts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_metadata, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_metadata_version_1, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_metadata_that_fails, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_metadata_that_is_not_there, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_metadata_outlives_its_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_process, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_process_not_wanted_any_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_sso, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_sso_renewal, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
