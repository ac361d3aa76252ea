/* The tap as a process, before a publisher by hand: what it prints, what it hides, how it ends. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "tests/unit/bus_follower.h"

#define WAIT_MS 8000

extern char **environ;

struct tap {
	struct follower follower; /* for its publisher */
	pid_t pid;
	int status;
	char *output;
	char *text; /* what was printed so far */
	const char *wanted;
};

/* The program that was built together with this test. */
static char *program(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
	assert_true(len > 0);
	path[len] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(path, '/') = '\0';
	return xasprintf("%s/bustap", path);
}

static void spawn_tap(struct tap *tap, const char *option, const char *value)
{
	char *path = program();
	if (access(path, X_OK) != 0) {
		free(path);
		skip();
	}
	char *arguments[] = {(char[]){"bustap"}, (char[]){"--socket"}, tap->follower.world.socket,
	    (char[]){"--group"}, (char[]){"test"}, (char *)(uintptr_t)option,
	    (char *)(uintptr_t)value, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	    &actions, 1, tap->output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(posix_spawn(&tap->pid, path, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	free(path);
}

static void open_tap(struct tap *tap, const char *option, const char *value)
{
	memset(tap, 0, sizeof *tap);
	open_follower(&tap->follower, 2);
	stop_follower(&tap->follower);
	tap->follower.fake.id_len = 0;
	tap->follower.fake.hellos = 0;
	tap->output = xasprintf("%s/output", tap->follower.world.dir);
	spawn_tap(tap, option, value);
}

static bool has_ended(void *arg)
{
	struct tap *tap = arg;
	return waitpid(tap->pid, &tap->status, WNOHANG) == tap->pid;
}

/* Its exit status. */
static int close_tap(struct tap *tap)
{
	assert_true(bus_wait(&tap->follower.world, has_ended, tap, WAIT_MS));
	start_follower(&tap->follower, false);
	close_follower(&tap->follower);
	free(tap->output);
	free(tap->text);
	return WIFEXITED(tap->status) ? WEXITSTATUS(tap->status) : -1;
}

static bool has_printed(void *arg)
{
	struct tap *tap = arg;
	FILE *file = fopen(tap->output, "r");
	if (file == NULL)
		return false;
	xfree(&tap->text);
	tap->text = xcalloc(1, 65536);
	assert_true(fread(tap->text, 1, 65535, file) < 65535);
	fclose(file);
	return strstr(tap->text, tap->wanted) != NULL;
}

static void expect_text(struct tap *tap, const char *text)
{
	tap->wanted = text;
	if (!bus_wait(&tap->follower.world, has_printed, tap, WAIT_MS))
		fail_msg("\"%s\" is not in: %s", text, tap->text);
}

static void test_shows_and_hides(void **state)
{
	(void)state;
	struct tap tap;
	open_tap(&tap, NULL, NULL);
	expect_text(&tap, "{\"type\":\"SNAPSHOT_END\",\"epoch\":1000,\"sequence\":2,\"base\":0,"
			  "\"count\":2,\"group\":\"test\",\"instance\":\"000000000000002a\",");
	expect_text(&tap, "\"resource\":{\"kind\":\"kube_cluster\",");
	fake_put_text(&tap.follower.fake, "x",
	    "{\"spec\":[{\"external_id\":\"s3cret\"},{\"aws\":{\"externalId\":\"s3cret\"}}]}");
	fake_remove(&tap.follower.fake, "c0", "y");
	fake_send_delta(&tap.follower.fake);
	expect_text(&tap, "{\"name\":\"c0\",\"revision\":4,\"renamed_to\":\"y\"}");
	expect_text(&tap, "\"resource\":{\"spec\":[{\"external_id\":\"[redacted]\"},"
			  "{\"aws\":{\"externalId\":\"[redacted]\"}}]}");
	fake_send(&tap.follower.fake, MESSAGE_TASK, 0, 0, 0,
	    "{\"nonce\":\"n\",\"kind\":\"apply\",\"cluster\":\"c1\",\"body\":\"s3cret\"}");
	expect_text(&tap, "{\"nonce\":\"n\",\"kind\":\"apply\",\"cluster\":\"c1\","
			  "\"body\":\"[redacted]\"}");
	fake_send(&tap.follower.fake, 0x80 | 99, 0, 0, 0, "{\"x\":\"s3cret\"}");
	expect_text(&tap, "{\"type\":\"227\",");
	assert_null(strstr(tap.text, "s3cret"));
	kill(tap.pid, SIGTERM);
	assert_int_equal(close_tap(&tap), 0);
}

static void test_a_gap_begins_anew(void **state)
{
	(void)state;
	struct tap tap;
	open_tap(&tap, NULL, NULL);
	expect_text(&tap, "SNAPSHOT_END");
	fake_put(&tap.follower.fake, "c1", 5);
	tap.follower.fake.sent = tap.follower.fake.sequence;
	fake_put(&tap.follower.fake, "c1", 6);
	fake_send_delta(&tap.follower.fake);
	assert_true(wait_hello(&tap.follower, 2));
	expect_text(&tap, "\"sequence\":4,\"base\":0,\"count\":2,");
	kill(tap.pid, SIGINT);
	assert_int_equal(close_tap(&tap), 0);
}

static void test_counts(void **state)
{
	(void)state;
	struct tap tap;
	open_tap(&tap, "--count", "3");
	expect_text(&tap, "SNAPSHOT_CHUNK");
	assert_int_equal(close_tap(&tap), 0);
}

static void test_refused(void **state)
{
	(void)state;
	struct tap tap;
	open_tap(&tap, NULL, NULL);
	assert_true(wait_hello(&tap.follower, 1));
	fake_send_reason(&tap.follower.fake, MESSAGE_REJECT, "role", "not you");
	expect_text(&tap, "{\"code\":\"role\",\"text\":\"not you\"}");
	assert_int_equal(close_tap(&tap), 1);
}

static void test_silence_times_out(void **state)
{
	(void)state;
	struct tap tap;
	open_tap(&tap, "--timeout", "1");
	expect_text(&tap, "SNAPSHOT_END");
	tap.follower.fake.is_silent = true;
	assert_int_equal(close_tap(&tap), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shows_and_hides),
	    cmocka_unit_test(test_a_gap_begins_anew),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_silence_times_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
