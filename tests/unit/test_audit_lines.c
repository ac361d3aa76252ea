/* Audit lines to the byte: many events, of members that are missing, short, long and hostile in all
 * mixtures, against tests/vectors/audit-lines.jsonl. With EKSGATE_WRITE_VECTORS set that file is
 * written anew, after a change of the lines that is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/audit_event.h"

#define VECTORS "tests/vectors/audit-lines.jsonl"
#define EVENTS	96

static unsigned seed;

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % sides;
}

#define PICK(table) ((table)[dice(sizeof(table) / sizeof *(table))])

static char exactly_a_claim[1025], more_than_a_claim[1026];

static char *any_text(void)
{
	static const char *const texts[] = {"", "a", "ab", "abc", "abcd", "a,b,", "seven77",
	    "eight888", "fifteen-bytes15", "sixteen-bytes-16", "seventeen-bytes17",
	    "arn:aws:eks:eu-west-1:1:cluster/x", "two words", "say \"no\"", "back\\slash", "\"",
	    "line\nfeed", "\x1b[31mred\x1b[0m\x7f",
	    "sixteen bytes, and then a \"quote\" in what follows", "z\xc3\xbcrich",
	    "sixteen bytes, and then \xe2\x82\xac and \xf0\x9f\x98\x80", "\xff", "a\xc0\xaf",
	    "\xe2\x82", "0123456789abcdef0123456789abcdef", "{}[]:,",
	    "a text of more than two hundred and fifty-six bytes, as the message of a refusal may "
	    "be when it says what, where and what to do: 0123456789 0123456789 0123456789 "
	    "0123456789 "
	    "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
	    "012345678"};
	return (char *)(uintptr_t)PICK(texts);
}

static char *maybe_text(void)
{
	return dice(4) == 0 ? NULL : any_text();
}

static const char *any_claim(void)
{
	switch (dice(8)) {
	case 0:
		return exactly_a_claim;
	case 1:
		return more_than_a_claim;
	default:
		return maybe_text();
	}
}

static uint64_t any_number(void)
{
	static const uint64_t numbers[] = {0, 7, 10, 99, 100, 4096, 65535, 1234567, 99999999,
	    100000000, UINT64_C(10000000000), UINT64_MAX};
	return PICK(numbers);
}

static struct unix_time any_time(void)
{
	static const int64_t times[] = {1, 999, 1000, INT64_C(951782400000), INT64_C(1767323045678),
	    INT64_C(1767323046000), INT64_C(4102444799999), 0};
	return (struct unix_time){PICK(times)};
}

/* What one event borrows. */
struct world {
	char *groups[4];
	struct act_as_extra extras[4];
	struct act_as as;
	struct request_info info;
};

static void add_who(struct audit_event *event, struct world *world)
{
	for (size_t i = 0; i < 4; i++) {
		world->groups[i] = any_text();
		world->extras[i] = (struct act_as_extra){any_text(), any_text()};
	}
	world->as =
	    (struct act_as){.uid = maybe_text(), .extras = world->extras, .extra_count = dice(5)};
	event->user = maybe_text();
	event->source = maybe_text();
	event->certificate_serial = maybe_text();
	event->groups = world->groups;
	event->group_count = dice(5);
	event->sent_user = maybe_text();
	event->sent_groups = (const char *const *)world->groups;
	event->sent_group_count = dice(5);
	event->sent_as = dice(3) == 0 ? &world->as : NULL;
	event->original_user_key = dice(3) == 0 ? "original-user.eksgate.io" : NULL;
	event->client_host = maybe_text();
	event->user_agent = any_claim();
}

static void add_what(struct audit_event *event, struct world *world)
{
	static const struct {
		const char *method, *target;
	} requests[] = {
	    {"GET", "/api/v1/namespaces/web/pods/web-1"},
	    {"GET", "/apis/apps/v1/namespaces/web/deployments?watch=1"},
	    {"PATCH", "/apis/apps/v1/namespaces/web/deployments/web/scale"},
	    {"DELETE", "/api/v1/nodes/ip-10-0-0-1.eu-west-1.compute.internal"},
	    {"GET", "/healthz?verbose"},
	    {"POST",
		"/api/v1/namespaces/web/pods/p/exec?command=sh&command=-c&command=echo+%22x%22"},
	    {"POST", "/api/v1/namespaces/web/pods/p/exec"},
	    {"GET", "/api/v1/namespaces/web/pods/p/portforward?ports=80&ports=443"},
	    {"GET", "/api/v1/namespaces/web/pods/p/attach?container=c"},
	};
	size_t which = dice(sizeof requests / sizeof requests[0]);
	unsigned status;
	const char *reason;
	event->method = requests[which].method;
	event->uri = requests[which].target;
	if (dice(8) == 0)
		event->uri = maybe_text();
	else if (request_info_parse(event->method, event->uri, &world->info, &status, &reason))
		event->info = &world->info;
	event->cluster = maybe_text();
	event->cluster_arn = maybe_text();
	event->upgrade = dice(3) == 0 ? any_claim() : NULL;
	event->ports = dice(3) == 0 ? "[\"80\",\"443\"]" : NULL;
	event->kubectl_command = maybe_text();
	event->kubectl_session = maybe_text();
	event->recorded = dice(3) == 0 ? maybe_text() : NULL;
	event->recording = dice(3) == 0 ? maybe_text() : NULL;
	event->recording_problem = dice(3) == 0 ? maybe_text() : NULL;
}

static void add_ending(struct audit_event *event)
{
	static const unsigned statuses[] = {0, 101, 200, 404, 503};
	event->is_decided = dice(4) != 0;
	event->is_allowed = dice(2) != 0;
	event->rule = maybe_text();
	event->status = PICK(statuses);
	event->ending = maybe_text();
	event->terminated_by = dice(4) == 0 ? any_text() : NULL;
	event->bytes_in = any_number();
	event->bytes_out = any_number();
	event->is_filtered = dice(3) == 0;
	event->objects_passed = any_number();
	event->objects_left_out = any_number();
	event->objects_unreadable = any_number();
	event->received = any_time();
	event->now = any_time();
	event->took = duration_ms((int64_t)(any_number() / 2));
	event->request_object = dice(6) == 0 ? "{\"a\":1}" : NULL;
	event->response_object = dice(6) == 0 ? "{}" : NULL;
	event->body_note = dice(6) == 0 ? any_text() : NULL;
}

/* The line of event number `number`, of some that of one to which a recording's end was added. */
static void write_line(struct buf *line, unsigned number, bool has_user_member)
{
	static const char *const ids[] = {NULL, "", "11111111-2222-4333-8444-555555555555", "x",
	    "11111111-2222-4333-8444-555555555555"};
	struct world world = {0};
	struct buf user = {0};
	seed = number;
	struct audit_event event = {.level = (enum audit_level)dice(4),
	    .stage = dice(3) == 0 ? (enum audit_stage)dice(3) : AUDIT_RESPONSE_COMPLETE,
	    .audit_id = PICK(ids)};
	add_who(&event, &world);
	add_what(&event, &world);
	add_ending(&event);
	if (has_user_member) {
		audit_event_write_user(&user, &event);
		event.user_member = &user;
	}
	audit_event_write(line, &event);
	if (dice(4) == 0)
		audit_event_add_recorded(line, maybe_text(), maybe_text());
	request_info_free(&world.info);
	buf_free(&user);
}

static void write_vectors(void)
{
	FILE *file = fopen(VECTORS, "w");
	struct buf line = {0};
	assert_non_null(file);
	for (unsigned i = 0; i < EVENTS; i++) {
		buf_clear(&line);
		write_line(&line, i, false);
		assert_int_equal(fwrite(line.data, 1, line.len, file), line.len);
	}
	buf_free(&line);
	assert_int_equal(fclose(file), 0);
}

/* One after the other into the same buffer, as the log has them: its room ends anywhere. */
static void assert_lines(bool have_user_member)
{
	FILE *file = fopen(VECTORS, "r");
	struct buf lines = {0};
	char *wanted = NULL;
	size_t cap = 0;
	assert_non_null(file);
	for (unsigned i = 0; i < EVENTS; i++) {
		size_t begin = lines.len;
		ssize_t len = getline(&wanted, &cap, file);
		write_line(&lines, i, have_user_member);
		if (len < 0 || strcmp(lines.data + begin, wanted) != 0)
			fail_msg("event %u: %s instead of %s", i, lines.data + begin,
			    len < 0 ? "nothing" : wanted);
	}
	assert_int_equal(getline(&wanted, &cap, file), -1);
	free(wanted);
	buf_free(&lines);
	assert_int_equal(fclose(file), 0);
}

static void test_lines(void **state)
{
	(void)state;
	if (getenv("EKSGATE_WRITE_VECTORS") != NULL)
		write_vectors();
	assert_lines(false);
}

/* What is the same in all events of a user may be written before. */
static void test_lines_of_a_known_user(void **state)
{
	(void)state;
	assert_lines(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_lines_of_a_known_user),
	};
	memset(exactly_a_claim, 'c', sizeof exactly_a_claim - 1);
	memset(more_than_a_claim, 'm', sizeof more_than_a_claim - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
