/* When an exchange writes audit events, and that nothing which must be recorded happens without. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/record/audit.h"
#include "tests/unit/exchange_world.h"
#include "tests/unit/loop_turn.h"

#define EXEC "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=id"

static char directory[64];
static char *path;
static struct side client;
static struct exchanges *all;
static struct loop *loop;
static struct metrics *metrics;
static struct settings settings;
static struct caller caller;
static struct http_head request;
static struct exchange *exchange;
static struct audit_policy *policy;
static struct audit *audit;

static char *word(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void open_audit(const char *rules)
{
	char *error = NULL,
	     *text = xasprintf("apiVersion: audit.k8s.io/v1\nkind: Policy\n%s", rules);
	policy = audit_policy_parse("p", text, strlen(text), &error);
	free(text);
	assert_non_null(policy);
	settings.proxy.audit = (struct audit_settings){.destination = word("file"),
	    .directory = directory,
	    .when_failing = word("refuse"),
	    .buffer = 64 * 1024};
	struct audit_options options = {.loop = loop,
	    .metrics = metrics,
	    .settings = &settings,
	    .policy = policy,
	    .instance = "main"};
	audit = audit_new(&options, &error);
	assert_non_null(audit);
	struct exchanges_options for_exchanges = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .audit = audit};
	all = exchanges_new(&for_exchanges);
}

static int set_up(void **state)
{
	(void)state;
	exchange_world_reset();
	side_clear(&client);
	strcpy(directory, "/tmp/eksgate-exchange-audit-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/main.jsonl", directory);
	settings.proxy.limits.body_in_hand = 4096;
	settings.proxy.limits.requests_per_user = 10;
	settings.proxy.limits.requests_per_cluster = 10;
	loop = loop_new();
	metrics = metrics_new();
	caller_init(&caller, NULL, NULL, "203.0.113.7:443");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	caller_clear(&caller);
	exchanges_free(&all);
	audit_free(&audit);
	audit_policy_free(&policy);
	loop_free(&loop);
	metrics_free(&metrics);
	http_head_free(&request);
	side_clear(&client);
	exchange_world_reset();
	unlink(path);
	rmdir(directory);
	free(path);
	return 0;
}

static void turn(void)
{
	loop_run_for(loop, duration_ms(0));
}

static void ask(const char *method, const char *target, enum http_body_kind body)
{
	http_head_clear(&request);
	http_head_set_method(&request, method);
	http_head_set_target(&request, target, strlen(target));
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	request.body = body;
	request.keep_alive = true;
	if (body != HTTP_BODY_NONE)
		fields_add_text(&request.fields, "Content-Type", "application/json");
	exchange = exchange_new(all, (struct peer){&side_verbs, &client}, &caller, &request);
	exchange_start(exchange);
	turn();
}

static void answer(unsigned status, const char *body)
{
	struct http_head head = {.status = status, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	fields_add_text(&head.fields, "Content-Type", "application/json");
	struct side *side = &upstreams[0];
	side->events->on_head(side->arg, &head);
	http_head_free(&head);
	side->events->on_body(side->arg, (const uint8_t *)body, strlen(body));
	side->events->on_end(side->arg);
	turn();
}

/* What is written, borrowed until the next call. */
static const char *written(void)
{
	static char text[65536];
	FILE *file = fopen(path, "r");
	size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	text[len] = '\0';
	return text;
}

/* What is on record, written or waiting. */
static const char *record(void)
{
	audit_flush(audit);
	return written();
}

static void assert_says(const char *what)
{
	if (strstr(record(), what) == NULL)
		fail_msg("%s is not in %s", what, record());
}

static void assert_silent_about(const char *what)
{
	if (strstr(record(), what) != NULL)
		fail_msg("%s is in %s", what, record());
}

static void test_an_exec_is_recorded_before_it_is_sent(void **state)
{
	(void)state;
	open_audit("rules: [{level: Metadata}]");
	world.is_token_late = true;
	ask("POST", EXEC, HTTP_BODY_NONE);
	assert_int_equal(upstream_count, 0);
	assert_non_null(strstr(written(), "\"stage\":\"RequestReceived\""));
	exchange_world_give_token();
	assert_int_equal(upstream_count, 1);
	answer(200, "{}");
	assert_says("\"stage\":\"ResponseComplete\"");
}

/* What was only read waits for more to be written; nothing else does. */
static void test_what_is_written_in_its_turn(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target;
		bool is_denied, can_wait;
	} rows[] = {
	    {"GET", "/clusters/prod/api/v1/pods", false, true},
	    {"GET", "/clusters/prod/api/v1/pods", true, false},
	    {"GET", "/clusters/prod/api/v1/secrets", false, false},
	    {"DELETE", "/clusters/prod/api/v1/namespaces/a/pods/p", false, false},
	};
	open_audit("rules: [{level: Metadata}]");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		exchange_world_reset();
		side_clear(&client);
		world.is_denied = rows[i].is_denied;
		size_t before = strlen(record());
		ask(rows[i].method, rows[i].target, HTTP_BODY_NONE);
		if (!rows[i].is_denied)
			answer(200, "{}");
		turn();
		if ((strlen(written()) == before) != rows[i].can_wait)
			fail_msg("%s %s", rows[i].method, rows[i].target);
		assert_true(strlen(record()) > before);
	}
}

/* What ends it when the client has all of the answer is not its ending. */
static void test_a_complete_answer_is_done(void **state)
{
	(void)state;
	const struct peer_failure failure = {.kind = PEER_CUT, .reason = "the client left"};
	open_audit("rules: [{level: Metadata}]");
	ask("GET", "/clusters/prod/api/v1/pods", HTTP_BODY_NONE);
	const struct http_head head = {.status = 200, .body = HTTP_BODY_CHUNKED};
	upstreams[0].events->on_head(upstreams[0].arg, &head);
	upstreams[0].events->on_end(upstreams[0].arg);
	exchange_client_events.on_failed(exchange, &failure);
	turn();
	assert_says("\"stage\":\"ResponseComplete\"");
	assert_says("\"eksgate.io/ending\":\"done\"");
}

/* The roles by which a review was let in are gone when its body comes, and with them whom they
 * would have sent it as: what is on record of its refusal does not speak of that. */
static void test_roles_change_before_a_body_that_is_refused(void **state)
{
	(void)state;
	static int another;
	open_audit("rules: [{level: Metadata}]");
	ask("POST", "/clusters/prod/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
	    HTTP_BODY_CHUNKED);
	exchanges_set(all, &settings, (struct policy *)(void *)&another);
	exchange_client_events.on_body(exchange, (const uint8_t *)"{", 1);
	exchange_client_events.on_end(exchange);
	turn();
	assert_int_equal(client.head.status, 400);
	assert_says("\"code\":400");
	assert_silent_about("impersonatedUser");
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_what_cannot_be_recorded_does_not_happen(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target;
		bool is_admitted;
	} rows[] = {
	    {"GET", "/clusters/prod/api/v1/pods", true},
	    {"GET", "/clusters/prod/api/v1/pods?watch=1", true},
	    {"GET", "/clusters/prod/version", true},
	    {"GET", "/clusters/prod/api/v1/secrets", false},
	    {"GET", "/clusters/prod/api/v1/namespaces/a/secrets/s", false},
	    {"DELETE", "/clusters/prod/api/v1/namespaces/a/pods/p", false},
	    {"POST", "/clusters/prod/api/v1/namespaces/a/pods", false},
	    {"POST", EXEC, false},
	    {"GET", EXEC, false},
	    {"GET", "/clusters/prod/api/v1/namespaces/a/pods/p/proxy/x", false},
	};
	open_audit("rules: [{level: Metadata}]");
	limit_files(1);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	answer(200, "{}");
	assert_false(audit_flush(audit));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		exchange_world_reset();
		side_clear(&client);
		ask(rows[i].method, rows[i].target, HTTP_BODY_NONE);
		if (upstream_count != rows[i].is_admitted)
			fail_msg("%s %s", rows[i].method, rows[i].target);
		if (rows[i].is_admitted)
			answer(200, "{}");
		else
			assert_int_equal(client.head.status, 503);
	}
	limit_files(RLIM_INFINITY);
}

/* A list by whoever the world's identity is now; what its event says of them. */
static void assert_named(const char *user)
{
	char *wanted = xasprintf("\"user\":{\"username\":\"%s\",\"extra\":{"
				 "\"eksgate.io/credential\":[\"certificate\"]}},",
	    user);
	side_clear(&client);
	side_clear(&upstreams[0]);
	upstream_count = 0;
	ask("GET", "/clusters/prod/api/v1/pods", HTTP_BODY_NONE);
	answer(200, "{}");
	const char *last = strstr(record(), "\"user\":");
	for (const char *next = last; next != NULL; next = strstr(next + 1, "\"user\":"))
		last = next;
	assert_non_null(last);
	assert_memory_equal(last, wanted, strlen(wanted));
	free(wanted);
}

/* It is kept with the identity, for as long as that lives. */
static void test_each_event_names_its_user(void **state)
{
	(void)state;
	open_audit("rules: [{level: Metadata}]");
	assert_named("alice");
	assert_true(world.identity.audit_user.len > 0);
	assert_named("alice");
	struct identity alice = world.identity;
	world.identity =
	    (struct identity){.user = word("bob"), .source = "certificate", .references = 1};
	assert_named("bob");
	buf_free(&world.identity.audit_user);
	world.identity = alice;
	assert_named("alice");
}

static void test_denials_are_always_written(void **state)
{
	(void)state;
	open_audit("rules: [{level: None}]");
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	answer(200, "{}");
	assert_string_equal(record(), "");
	world.is_denied = true;
	side_clear(&client);
	ask("GET", "/clusters/prod/api/v1/nodes?a=b", HTTP_BODY_NONE);
	assert_says("\"authorization.k8s.io/decision\":\"forbid\"");
	assert_says("\"requestURI\":\"/api/v1/nodes?a=b\"");
	assert_silent_about("impersonatedUser");
	side_clear(&client);
	char *long_target = xasprintf("/clusters/prod/api/v1/nodes?a=%0*d", 20000, 0);
	ask("GET", long_target, HTTP_BODY_NONE);
	free(long_target);
	assert_true(strlen(record()) < 16384); /* of all so far */
	world.is_denied = false;
	settings.proxy.limits.requests_per_user = 0;
	side_clear(&client);
	ask("GET", "/clusters/prod/api/v1/nodes?limited", HTTP_BODY_NONE);
	assert_int_equal(client.head.status, 429);
	assert_says("\"requestURI\":\"/api/v1/nodes?limited\"");
	assert_says("\"code\":429");
	world.identity_error = "who are you";
	side_clear(&client);
	ask("GET", "/clusters/prod/api?token=hidden", HTTP_BODY_NONE);
	assert_says("\"code\":401");
	assert_silent_about("hidden");
}

static void test_bodies(void **state)
{
	(void)state;
	open_audit("rules: [{level: RequestResponse}]");
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	static const char body[] = "{ \"b\": 1, \"a\": 2 }";
	exchange_client_events.on_body(exchange, (const uint8_t *)body, strlen(body));
	exchange_client_events.on_end(exchange);
	answer(201, "{\"kind\":\"Pod\"}");
	assert_says("\"requestObject\":{\"a\":2,\"b\":1}");
	assert_says("\"responseObject\":{\"kind\":\"Pod\"}");
}

#define MANAGED "\"managedFields\":[{\"manager\":\"hidden\"}]"

/* Of objects, lists and tables, and of what looks like them. */
static void test_managed_fields(void **state)
{
	(void)state;
	open_audit("omitManagedFields: true\nrules: [{level: RequestResponse}]");
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	static const char body[] = "{\"metadata\":{\"name\":\"a\"," MANAGED "}}";
	exchange_client_events.on_body(exchange, (const uint8_t *)body, strlen(body));
	exchange_client_events.on_end(exchange);
	answer(201, "{\"items\":[{\"metadata\":{" MANAGED ",\"name\":\"b\"}},1],"
		    "\"metadata\":[],\"rows\":[{\"object\":{\"metadata\":{" MANAGED "}}},{},2]}");
	assert_says("\"requestObject\":{\"metadata\":{\"name\":\"a\"}}");
	assert_says("\"responseObject\":{\"items\":[{\"metadata\":{\"name\":\"b\"}},1],"
		    "\"metadata\":[],\"rows\":[{\"object\":{\"metadata\":{}}},{},2]}");
}

/* It says what it does to them. */
static void test_managed_fields_of_a_patch(void **state)
{
	(void)state;
	static const char body[] = "{\"metadata\":{\"name\":\"a\"," MANAGED "}}";
	open_audit("omitManagedFields: true\nrules: [{level: RequestResponse}]");
	ask("PATCH", "/clusters/prod/api/v1/namespaces/a/pods/a", HTTP_BODY_LENGTH);
	exchange_client_events.on_body(exchange, (const uint8_t *)body, strlen(body));
	exchange_client_events.on_end(exchange);
	answer(200, body);
	assert_says("\"requestObject\":{\"metadata\":{\"managedFields\":[{");
	assert_says("\"responseObject\":{\"metadata\":{\"name\":\"a\"}}");
}

static void test_managed_fields_that_stay(void **state)
{
	(void)state;
	open_audit("rules: [{level: RequestResponse}]");
	ask("GET", "/clusters/prod/api/v1/namespaces/a/pods/a", HTTP_BODY_NONE);
	answer(200, "{\"metadata\":{\"name\":\"a\"," MANAGED "}}");
	assert_says("\"responseObject\":{\"metadata\":{\"managedFields\":[{");
}

/* Whoever reads the log takes 32 levels, of which the event is one. */
static void post_nested(size_t depth)
{
	char body[65] = "";
	memset(body, '[', depth);
	memset(body + depth, ']', depth);
	open_audit("rules: [{level: RequestResponse}]");
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	exchange_client_events.on_body(exchange, (const uint8_t *)body, 2 * depth);
	exchange_client_events.on_end(exchange);
	answer(201, "{\"kind\":\"Pod\"}");
}

static void test_a_deep_body(void **state)
{
	(void)state;
	post_nested(31);
	assert_says("\"requestObject\":[[[");
}

static void test_too_deep_a_body(void **state)
{
	(void)state;
	post_nested(32);
	assert_silent_about("requestObject");
	assert_says("\"responseObject\":{\"kind\":\"Pod\"}");
	assert_says("\"eksgate.io/bodies\":\"it was not sound JSON of at most 31 levels\"");
}

static void test_bodies_that_are_not_kept(void **state)
{
	(void)state;
	open_audit("rules: [{level: RequestResponse}]");
	ask("POST", "/clusters/prod/api/v1/namespaces/a/secrets", HTTP_BODY_LENGTH);
	static const char body[] = "{\"data\":\"hidden\"}";
	exchange_client_events.on_body(exchange, (const uint8_t *)body, strlen(body));
	exchange_client_events.on_end(exchange);
	answer(201, "{\"data\":\"hidden\"}");
	assert_silent_about("hidden");
	exchange_world_reset();
	side_clear(&client);
	ask("GET", "/clusters/prod/api/v1/pods", HTTP_BODY_NONE);
	answer(200, "{\"broken\"");
	assert_says("\"eksgate.io/bodies\":\"it was not sound JSON of at most 31 levels\"");
	assert_silent_about("responseObject");
}

static void test_what_belongs_to_an_application(void **state)
{
	(void)state;
	open_audit("rules: [{level: RequestResponse}]");
	ask("GET", "/clusters/prod/api/v1/namespaces/a/services/s/proxy/x?session=hidden",
	    HTTP_BODY_NONE);
	answer(200, "{\"password\":\"hidden\"}");
	assert_says("\"requestURI\":\"/api/v1/namespaces/a/services/s/proxy/x\"");
	assert_silent_about("hidden");
}

/* A kubelet runs commands: which, is known before it is asked. */
static void test_what_a_kubelet_is_asked(void **state)
{
	(void)state;
	static const char run[] = "/api/v1/nodes/n1/proxy/run/a/p/c?cmd=id";
	open_audit("rules: [{level: Metadata}]");
	char *target = xasprintf("/clusters/prod%s", run);
	ask("POST", target, HTTP_BODY_NONE);
	assert_says("\"stage\":\"RequestReceived\"");
	assert_says(run);
	answer(200, "uid=0");
	exchange_world_reset();
	side_clear(&client);
	ask("GET", "/clusters/prod/api/v1/nodes/n1/proxy/metrics?a=b", HTTP_BODY_NONE);
	answer(200, "x");
	assert_says("/proxy/metrics?a=b");
	free(target);
}

static void test_omitted_stages(void **state)
{
	(void)state;
	open_audit("rules: [{level: Metadata, omitStages: [RequestReceived, ResponseStarted]}]");
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	answer(200, "{}");
	assert_says("\"stage\":\"ResponseComplete\"");
	assert_silent_about("ResponseStarted");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_an_exec_is_recorded_before_it_is_sent),
	    TEST(test_a_complete_answer_is_done),
	    TEST(test_what_is_written_in_its_turn),
	    TEST(test_roles_change_before_a_body_that_is_refused),
	    TEST(test_what_cannot_be_recorded_does_not_happen),
	    TEST(test_each_event_names_its_user),
	    TEST(test_denials_are_always_written),
	    TEST(test_bodies),
	    TEST(test_managed_fields),
	    TEST(test_managed_fields_of_a_patch),
	    TEST(test_managed_fields_that_stay),
	    TEST(test_a_deep_body),
	    TEST(test_too_deep_a_body),
	    TEST(test_bodies_that_are_not_kept),
	    TEST(test_what_belongs_to_an_application),
	    TEST(test_what_a_kubelet_is_asked),
	    TEST(test_omitted_stages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
