/* Access lines to the letter: whoever reads logs has programs for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "kubeproxyd/record/access_log.h"

static int log_file;

static int open_log(void **state)
{
	FILE *file = tmpfile();
	(void)state;
	(void)unsetenv("JOURNAL_STREAM");
	log_file = file != NULL ? dup(fileno(file)) : -1;
	return file == NULL || fclose(file) != 0 || dup2(log_file, STDERR_FILENO) < 0;
}

/* `entry` without the time, which is the end's. */
static void assert_line(const struct access_entry *entry, const char *wanted)
{
	struct access_entry at_end = *entry;
	at_end.now = (struct unix_time){INT64_C(1767323045678)};
	char line[4096];
	assert_int_equal(ftruncate(log_file, 0), 0);
	lseek(log_file, 0, SEEK_SET);
	access_log_write(&at_end);
	ssize_t len = pread(log_file, line, sizeof line - 1, 0);
	assert_true(len > 24);
	assert_memory_equal(line, "2026-01-02T03:04:05.678Z", 24);
	line[len] = '\0';
	assert_string_equal(line + 24, wanted);
}

static void test_a_whole_line(void **state)
{
	(void)state;
	const struct access_entry entry = {
	    .audit_id = "11111111-2222-4333-8444-555555555555",
	    .client = "203.0.113.7:51234",
	    .user = "alice",
	    .cluster = "prod-eks-eu-west-1",
	    .method = "PATCH",
	    .path = "/apis/apps/v1/namespaces/web/deployments/web/scale",
	    .verb = "patch",
	    .api_group = "apps",
	    .resource = "deployments",
	    .subresource = "scale",
	    .namespace = "web",
	    .name = "web",
	    .status = 200,
	    .bytes_in = 17,
	    .bytes_out = UINT64_C(12345678901),
	    .took = {42},
	    .is_filtered = true,
	    .objects_passed = 3,
	    .objects_left_out = 100,
	    .rule = "role developer allow[0]",
	    .reason = "done",
	};
	assert_line(&entry,
	    " level=info room=access event=request"
	    " audit_id=11111111-2222-4333-8444-555555555555 client=203.0.113.7:51234 user=alice"
	    " cluster=prod-eks-eu-west-1 method=PATCH verb=patch resource=deployments.apps/scale"
	    " namespace=web name=web path=/apis/apps/v1/namespaces/web/deployments/web/scale"
	    " status=200 bytes_in=17 bytes_out=12345678901 ms=42"
	    " rule=\"role developer allow[0]\" reason=done passed=3 left_out=100\n");
}

static void test_resources(void **state)
{
	(void)state;
	static const struct {
		const char *group, *resource, *subresource, *written;
	} rows[] = {
	    {NULL, NULL, NULL, "-"},
	    {"", "", "", "-"},
	    {NULL, "pods", NULL, "pods"},
	    {"", "pods", "", "pods"},
	    {"", "pods", "log", "pods/log"},
	    {"apps", "deployments", "", "deployments.apps"},
	    {"apps", "deployments", "scale", "deployments.apps/scale"},
	    {"a b", "x", "", "\"x.a b\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char wanted[400];
		struct access_entry entry = {.audit_id = "x",
		    .api_group = rows[i].group,
		    .resource = rows[i].resource,
		    .subresource = rows[i].subresource,
		    .method = "GET",
		    .reason = "client gone"};
		(void)snprintf(wanted, sizeof wanted,
		    " level=info room=access event=request audit_id=x client=- user=- cluster=-"
		    " method=GET verb=- resource=%s namespace=- name=- path=- status=0 bytes_in=0"
		    " bytes_out=0 ms=0 rule=- reason=\"client gone\"\n",
		    rows[i].written);
		assert_line(&entry, wanted);
	}
}

/* Empty is not there; what others sent breaks no line. */
static void test_what_is_sent(void **state)
{
	(void)state;
	const struct access_entry entry = {.audit_id = "x",
	    .client = "[2001:db8::1]:443",
	    .user = "al\"ice\n",
	    .cluster = "",
	    .method = "GET",
	    .path = "/a b/z\xc3\xbcrich=\x1b",
	    .verb = "",
	    .namespace = "",
	    .name = "",
	    .rule = "",
	    .reason = "\xff"};
	assert_line(&entry,
	    " level=info room=access event=request audit_id=x client=[2001:db8::1]:443"
	    " user=\"al\\\"ice\\n\" cluster=- method=GET verb=- resource=- namespace=- name=-"
	    " path=\"/a b/z\xc3\xbcrich=\\x1b\" status=0 bytes_in=0 bytes_out=0 ms=0 rule=\"\""
	    " reason=\"\xff\"\n");
}

static void test_nobody_reads(void **state)
{
	(void)state;
	const struct access_entry entry = {.audit_id = "x", .method = "GET"};
	char byte;
	assert_int_equal(ftruncate(log_file, 0), 0);
	log_set_level(LOG_LEVEL_WARN);
	access_log_write(&entry);
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(pread(log_file, &byte, 1, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_line),
	    cmocka_unit_test(test_resources),
	    cmocka_unit_test(test_what_is_sent),
	    cmocka_unit_test(test_nobody_reads),
	};
	return cmocka_run_group_tests(tests, open_log, NULL);
}
