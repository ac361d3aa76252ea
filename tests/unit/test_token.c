/* Tokens: against the golden ones, their length, and the source that keeps them: one minting for
 * many, the end of credentials, drops, frees and cancels in odd moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <openssl/evp.h>

#include "common/aws_call.h"
#include "common/aws_provider.h"
#include "common/buf.h"
#include "common/eks_token.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/token.h"

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

/* The URL inside a token (free()). */
static char *decode_token(const char *token)
{
	assert_memory_equal(token, "k8s-aws-v1.", 11);
	char *text = xasprintf("%s====", token + 11);
	size_t len = strlen(token + 11);
	for (size_t i = 0; i < len; i++) {
		assert_null(strchr("+/=", text[i]));
		text[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	}
	text[(len + 3) / 4 * 4] = '\0';
	char *url = xcalloc(1, len + 8);
	assert_true(EVP_DecodeBlock(
			(unsigned char *)url, (const unsigned char *)text, (int)strlen(text)) > 0);
	xfree(&text);
	return url;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "https://host/" and the sorted parameters: their order in a token is free. */
static char *sorted_url(const char *url)
{
	char *copy = xstrdup(url), *parts[32], *rest = NULL;
	size_t count = 0;
	struct buf out = {0};
	buf_append_text(&out, strtok_r(copy, "?", &rest));
	for (char *part; (part = strtok_r(NULL, "&", &rest)) != NULL && count < 32;)
		parts[count++] = part;
	qsort(parts, count, sizeof parts[0], compare_texts);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "\n%s", parts[i]);
	xfree(&copy);
	return buf_take(&out);
}

/* NULL: the region's own host is expected to do. */
static char *golden_host(struct json_object *vector)
{
	static const char *const special[] = {"dualstack", "fips", "legacy_global"};
	for (size_t i = 0; i < 3; i++) {
		if (json_object_get_boolean(json_object_object_get(vector, special[i]))) {
			const char *host = text_of(vector, "url") + strlen("https://");
			return xstrndup(host, strcspn(host, "/"));
		}
	}
	return NULL;
}

static void check_golden(struct json_object *golden, struct json_object *vector)
{
	struct aws_credentials credentials = {
	    .access_key_id = xstrdup(text_of(golden, "access_key")),
	    .secret_access_key = xstrdup(text_of(golden, "secret_key")),
	    .session_token = xstrdup_or_null(text_of(vector, "session_token"))};
	struct unix_time now;
	char *error = NULL, *host = golden_host(vector);
	assert_true(unix_time_parse("2026-01-02T03:04:05Z", &now));
	char *token = eks_token_mint(
	    &credentials, text_of(vector, "cluster"), text_of(vector, "region"), host, now, &error);
	assert_non_null(token);
	char *url = decode_token(token), *wanted_url = decode_token(text_of(vector, "token"));
	assert_string_equal(wanted_url, text_of(vector, "url"));
	char *sorted = sorted_url(url), *wanted = sorted_url(wanted_url);
	assert_string_equal(sorted, wanted);
	if (credentials.session_token == NULL)
		assert_string_equal(token, text_of(vector, "token"));
	char *texts[] = {url, wanted_url, sorted, wanted, token, host, credentials.access_key_id,
	    credentials.secret_access_key, credentials.session_token};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(texts[i]);
}

static void test_golden_tokens(void **state)
{
	(void)state;
	struct json_object *golden = json_object_from_file("tests/vectors/golden.json");
	assert_non_null(golden);
	struct json_object *tokens = json_object_object_get(golden, "tokens");
	assert_int_equal(json_object_array_length(tokens), 9);
	for (size_t i = 0; i < 9; i++)
		check_golden(golden, json_object_array_get_idx(tokens, i));
	json_object_put(golden);
}

static void test_longest_token(void **state)
{
	(void)state;
	char session[4096];
	memset(session, 'a', sizeof session);
	struct aws_credentials credentials = {.access_key_id = (char[]){"AKIAIOSFODNN7EXAMPLE"},
	    .secret_access_key = (char[]){"SK"},
	    .session_token = session,
	    .source = (char[]){"role x"}};
	size_t longest = 0;
	for (size_t len = 2000; len < 4000; len++) {
		char *error = NULL;
		session[len] = '\0';
		char *token =
		    eks_token_mint(&credentials, "c", "us-west-2", NULL, unix_now(), &error);
		assert_true((token == NULL) == (error != NULL));
		session[len] = 'a';
		if (token == NULL) {
			assert_non_null(strstr(error,
			    "API servers take 4096: the session token of role x is too long"));
			xfree(&error);
			break;
		}
		longest = strlen(token);
		xfree_secret(&token);
	}
	assert_in_range(longest, 4095, 4096);
}

/* --- the source ---------------------------------------------------------------------------------
 */

struct fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct aws_context *aws;
	struct aws_provider *provider;
	struct kube_cluster cluster;
	struct duration offset;
	struct token_source *source;
	unsigned fetches;
	bool is_failing;
	int64_t life_seconds; /* of the credentials; 0: they do not end */
	unsigned calls;
	char *token, *error;
};

static void start_keys(struct aws_provider *provider, void *arg)
{
	struct fixture *fixture = arg;
	fixture->fetches++;
	if (fixture->is_failing) {
		aws_provider_done(provider, NULL, "nothing is set");
		return;
	}
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xasprintf("AK%u", fixture->fetches);
	credentials->secret_access_key = xstrdup("SK");
	if (fixture->life_seconds > 0)
		credentials->expires =
		    unix_add(unix_now(), duration_seconds(fixture->life_seconds));
	aws_provider_done(provider, credentials, NULL);
}

static void keep(void *source)
{
	(void)source;
}

static const struct aws_source_class keys_class = {.start = start_keys, .free = keep};

static void set_up(struct fixture *fixture, struct duration lifetime)
{
	*fixture = (struct fixture){.loop = loop_new()};
	log_set_level(LOG_LEVEL_ERROR);
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	fixture->provider = aws_provider_new(fixture->aws, &keys_class, fixture, xstrdup("test"));
	fixture->cluster.aws.name = (char[]){"prod"};
	fixture->cluster.aws.region = (char[]){"eu-west-1"};
	fixture->source = token_source_new(
	    fixture->provider, &fixture->cluster, NULL, lifetime, &fixture->offset);
}

static void tear_down(struct fixture *fixture)
{
	token_source_free(&fixture->source);
	aws_provider_unref(&fixture->provider);
	aws_context_free(&fixture->aws);
	fetcher_free(&fixture->fetcher);
	loop_free(&fixture->loop);
	xfree(&fixture->token);
	xfree(&fixture->error);
}

static void on_token(void *arg, const char *token, const char *error)
{
	struct fixture *fixture = arg;
	fixture->calls++;
	assert_true((token == NULL) == (error != NULL));
	xfree(&fixture->token);
	xfree(&fixture->error);
	fixture->token = xstrdup_or_null(token);
	fixture->error = xstrdup_or_null(error);
}

static void on_turn(void *arg)
{
	loop_stop(arg);
}

static void turn(struct fixture *fixture, int64_t ms)
{
	struct timer *timer = timer_new(fixture->loop, on_turn, fixture->loop);
	timer_set(timer, duration_ms(ms));
	loop_run(fixture->loop);
	timer_free(&timer);
}

static void test_one_minting_for_many(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_seconds(600));
	struct token_wait *waits[3];
	for (int i = 0; i < 3; i++) {
		waits[i] = token_source_get(fixture.source, on_token, &fixture);
		assert_non_null(waits[i]);
	}
	assert_int_equal(fixture.calls, 0);
	token_wait_cancel(&waits[0]);
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 2);
	char *first = xstrdup(fixture.token);
	char *url = decode_token(first);
	assert_non_null(strstr(url, "https://sts.eu-west-1.amazonaws.com/?"));
	assert_non_null(strstr(url, "&X-Amz-Expires=60&"));
	assert_null(token_source_get(fixture.source, on_token, &fixture));
	assert_int_equal(fixture.calls, 3);
	assert_string_equal(fixture.token, first);
	token_source_drop(fixture.source);
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 4);
	xfree(&first);
	xfree(&url);
	tear_down(&fixture);
}

static void test_token_ends_with_its_lifetime(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_ms(500));
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 520);
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 3);
	tear_down(&fixture);
}

static void test_token_ends_with_its_credentials(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_seconds(600));
	fixture.life_seconds = 9;
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_non_null(fixture.token);
	/* These credentials are in their last moments: no token of theirs is kept. */
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 2);
	tear_down(&fixture);
}

static void test_clock_and_outposts(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_seconds(600));
	token_source_free(&fixture.source);
	fixture.cluster.aws.cluster_id = (char[]){"id-1"};
	fixture.offset = duration_seconds(86400 * 365);
	fixture.source = token_source_new(fixture.provider, &fixture.cluster, "127.0.0.1:5055",
	    duration_seconds(600), &fixture.offset);
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	char *url = decode_token(fixture.token);
	assert_memory_equal(url, "https://127.0.0.1:5055/?", 24);
	char stamp[UNIX_TIME_TEXT];
	unix_time_text(unix_add(unix_now(), fixture.offset), stamp);
	char *year = xasprintf("X-Amz-Date=%.4s", stamp);
	assert_non_null(strstr(url, year));
	xfree(&year);
	xfree(&url);
	tear_down(&fixture);
}

static void test_no_credentials(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_seconds(600));
	fixture.is_failing = true;
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_string_equal(
	    fixture.error, "no AWS credentials to make a token with: nothing is set");
	fixture.is_failing = false;
	aws_provider_expire(fixture.provider);
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_non_null(fixture.token);
	tear_down(&fixture);
}

static void on_token_free_source(void *arg, const char *token, const char *error)
{
	struct fixture *fixture = arg;
	token_source_free(&fixture->source);
	on_token(fixture, token, error);
}

static void test_freed_in_odd_moments(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture, duration_seconds(600));
	assert_non_null(token_source_get(fixture.source, on_token_free_source, &fixture));
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 1);
	assert_null(fixture.source);
	fixture.source = token_source_new(
	    fixture.provider, &fixture.cluster, NULL, duration_seconds(600), &fixture.offset);
	assert_non_null(token_source_get(fixture.source, on_token, &fixture));
	token_source_free(&fixture.source);
	turn(&fixture, 1);
	assert_int_equal(fixture.calls, 1);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden_tokens),
	    cmocka_unit_test(test_longest_token),
	    cmocka_unit_test(test_one_minting_for_many),
	    cmocka_unit_test(test_token_ends_with_its_lifetime),
	    cmocka_unit_test(test_token_ends_with_its_credentials),
	    cmocka_unit_test(test_clock_and_outposts),
	    cmocka_unit_test(test_no_credentials),
	    cmocka_unit_test(test_freed_in_odd_moments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
