/* Where audit lines go, and what becomes of them when they cannot: /dev/full stands for a full
 * disk, a socket of our own for the journal. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/record/audit_sink.h"
#include "tests/unit/loop_turn.h"

static char directory[64];
static char *path, *moved;
static struct loop *loop;
static struct metrics *metrics;
static struct audit_sink *sink;
static unsigned states_told;
static bool is_in_place; /* lines are written where they wait */

static int set_up(void **state)
{
	(void)state;
	states_told = 0;
	strcpy(directory, "/tmp/eksgate-audit-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/main.jsonl", directory);
	moved = xasprintf("%s/main.jsonl.1", directory);
	loop = loop_new();
	metrics = metrics_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	audit_sink_free(&sink);
	loop_free(&loop);
	metrics_free(&metrics);
	unlink(path);
	unlink(moved);
	rmdir(directory);
	free(path);
	free(moved);
	return 0;
}

static void on_state(void *arg)
{
	(void)arg;
	states_told++;
}

static void open_sink(enum audit_destination destination, const char *where, size_t buffer_max)
{
	char *error = NULL;
	struct audit_sink_options options = {.loop = loop,
	    .metrics = metrics,
	    .destination = destination,
	    .path = where,
	    .buffer_max = buffer_max,
	    .on_state = on_state};
	sink = audit_sink_new(&options, &error);
	if (sink == NULL)
		fail_msg("%s", error);
}

static void put(const char *line, bool can_wait)
{
	if (!is_in_place) {
		audit_sink_add(sink, line, strlen(line), can_wait);
		return;
	}
	buf_append_text(audit_sink_begin(sink), line);
	audit_sink_end(sink, can_wait);
}

static void add(const char *line)
{
	put(line, false);
}

/* The whole file, borrowed until the next call. */
static const char *read_file(const char *name)
{
	static char text[65536];
	FILE *file = fopen(name, "r");
	size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	text[len] = '\0';
	return text;
}

static void run_for(int64_t ms)
{
	loop_run_for(loop, duration_ms(ms));
}

/* One turn: what is deferred runs at its end. */
static void turn(void)
{
	run_for(0);
}

static void test_lines_leave_with_the_turn(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, path, 1u << 20);
	add("one\n");
	add("two\n");
	assert_string_equal(read_file(path), "");
	turn();
	assert_string_equal(read_file(path), "one\ntwo\n");
	add("three\n");
	assert_true(audit_sink_flush(sink));
	assert_string_equal(read_file(path), "one\ntwo\nthree\n");
}

static void test_lines_that_can_wait(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, path, 1u << 20);
	put("one\n", true);
	turn();
	assert_string_equal(read_file(path), "");
	run_for(20);
	assert_string_equal(read_file(path), "one\n");
	put("two\n", true);
	add("three\n");
	put("four\n", true);
	turn();
	assert_string_equal(read_file(path), "one\ntwo\nthree\nfour\n");
	put("five\n", true);
	assert_true(audit_sink_flush(sink));
	put("six\n", true);
	put("seven\n", true);
	assert_string_equal(read_file(path), "one\ntwo\nthree\nfour\nfive\n");
	run_for(20);
	assert_string_equal(read_file(path), "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
	put("eight\n", true);
	audit_sink_free(&sink);
	assert_string_equal(read_file(path), "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
}

static off_t file_size(void)
{
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* What is worth a write does not wait. */
static void test_many_lines_that_can_wait(void **state)
{
	(void)state;
	static char line[4096];
	memset(line, 'x', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	const size_t len = strlen(line);
	open_sink(AUDIT_TO_FILE, path, 1u << 20);
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 64 * 1024 / len; i++)
			put(line, true);
		loop_end_turn(loop);
		assert_int_equal(file_size(), (off_t)(round * 17 * len));
		put(line, true);
		loop_end_turn(loop);
		assert_int_equal(file_size(), (off_t)((round + 1) * 17 * len));
	}
}

static void test_rotation(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, path, 1u << 20);
	add("old\n");
	turn();
	assert_int_equal(rename(path, moved), 0);
	add("still old\n");
	audit_sink_reopen(sink);
	add("new\n");
	turn();
	assert_string_equal(read_file(moved), "old\nstill old\n");
	assert_string_equal(read_file(path), "new\n");
}

static void test_full_disk(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, "/dev/full", 8192);
	add("kept\n");
	turn();
	assert_true(audit_sink_is_failing(sink));
	assert_false(audit_sink_is_full(sink));
	static char line[4096];
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	audit_sink_add(sink, line, sizeof line, false);
	assert_true(audit_sink_is_full(sink));
	audit_sink_add(sink, line, sizeof line, false);
	audit_sink_add(sink, line, sizeof line, false); /* lost, as the one before */
	assert_false(audit_sink_flush(sink));
	struct buf text = {0};
	metrics_write(metrics, &text);
	assert_non_null(strstr(buf_text(&text), "eksgate_audit_lost_total 2"));
	assert_non_null(strstr(buf_text(&text), "eksgate_audit_failing 1"));
	buf_free(&text);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit on the size of files cuts a write in the middle of a line, as a disk that fills does. */
static void fill_disk(void)
{
	signal(SIGXFSZ, SIG_IGN);
	open_sink(AUDIT_TO_FILE, path, 1u << 20);
	limit_files(10);
	add("12345678\n");
	add("abcdefgh\n");
	turn();
	limit_files(RLIM_INFINITY);
	assert_true(audit_sink_is_failing(sink));
	assert_string_equal(read_file(path), "12345678\na");
	add("third\n");
}

static void test_a_cut_line_is_completed(void **state)
{
	(void)state;
	fill_disk();
	assert_int_equal(states_told, 1);
	assert_true(audit_sink_flush(sink));
	assert_false(audit_sink_is_failing(sink));
	assert_int_equal(states_told, 2);
	assert_string_equal(read_file(path), "12345678\nabcdefgh\nthird\n");
}

/* The disk stays full, and rotation gives another file: the line that was cut comes again, whole.
 */
static void test_a_cut_line_after_rotation(void **state)
{
	(void)state;
	fill_disk();
	assert_int_equal(rename(path, moved), 0);
	limit_files(10);
	audit_sink_reopen(sink);
	limit_files(RLIM_INFINITY);
	assert_true(audit_sink_flush(sink));
	assert_string_equal(read_file(moved), "12345678\na");
	assert_string_equal(read_file(path), "abcdefgh\nthird\n");
}

/* The new file cannot be opened: the old one stays in use. */
static void test_failed_rotation(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, path, 64);
	add("first\n");
	turn();
	char *elsewhere = xasprintf("%s-moved", directory);
	assert_int_equal(rename(directory, elsewhere), 0);
	audit_sink_reopen(sink);
	add("second\n");
	turn();
	assert_int_equal(rename(elsewhere, directory), 0);
	free(elsewhere);
	assert_string_equal(read_file(path), "first\nsecond\n");
}

static void test_losses_are_told(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_sink(AUDIT_TO_FILE, path, 8);
	limit_files(0);
	add("1234\n");
	turn();
	add("lost\n");
	limit_files(RLIM_INFINITY);
	assert_true(audit_sink_flush(sink));
	const char *text = read_file(path);
	assert_memory_equal(text, "1234\n", 5);
	assert_non_null(strstr(text, "1 events were lost"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	add("next\n");
	turn();
	assert_non_null(strstr(read_file(path), "\nnext\n"));
}

/* What does not wait for a disk needs no room to wait in. */
static void test_one_turn_tells_much(void **state)
{
	(void)state;
	open_sink(AUDIT_TO_FILE, path, 8);
	add("1234\n");
	add("5678\n");
	add("longer than the buffer\n");
	add("last\n");
	turn();
	assert_string_equal(read_file(path), "1234\n5678\nlonger than the buffer\nlast\n");
}

static int listen_as_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

#define ENTRY "SYSLOG_IDENTIFIER=kubeproxyd-audit\nPRIORITY=5\nMESSAGE="

static void expect_entry(int fd, const char *line)
{
	char datagram[256] = "", *wanted = xasprintf(ENTRY "%s", line);
	assert_int_equal(recv(fd, datagram, sizeof datagram - 1, 0), strlen(wanted));
	assert_string_equal(datagram, wanted);
	free(wanted);
}

static void test_journal(void **state)
{
	(void)state;
	int fd = listen_as_journal();
	open_sink(AUDIT_TO_JOURNAL, path, 1u << 20);
	add("{\"a\":1}\n");
	add("{\"b\":2}\n");
	turn();
	expect_entry(fd, "{\"a\":1}\n");
	expect_entry(fd, "{\"b\":2}\n");
	close(fd);
	add("nobody listens\n");
	turn();
	assert_true(audit_sink_is_failing(sink));
	/* Another socket under the same path: the one that was connected never comes back. */
	unlink(path);
	fd = listen_as_journal();
	assert_true(audit_sink_flush(sink));
	assert_false(audit_sink_is_failing(sink));
	expect_entry(fd, "nobody listens\n");
	close(fd);
}

/* The descriptor in a message that has nothing else. */
static int receive_file(int fd)
{
	char room[CMSG_SPACE(sizeof(int))], none;
	struct iovec part = {&none, sizeof none};
	struct msghdr message = {
	    .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	assert_int_equal(recvmsg(fd, &message, 0), 0);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	assert_non_null(head);
	int file;
	memcpy(&file, CMSG_DATA(head), sizeof file);
	return file;
}

/* An event that no datagram can hold must not stop all that follow. */
static void test_a_large_event_in_the_journal(void **state)
{
	(void)state;
	enum { LARGE = 600000 };
	int fd = listen_as_journal();
	char *line = xcalloc(LARGE + 1, 1), *got = xcalloc(LARGE + 1, 1);
	memset(line, 'x', LARGE - 1);
	line[LARGE - 1] = '\n';
	open_sink(AUDIT_TO_JOURNAL, path, 1u << 20);
	add(line);
	add("next\n");
	turn();
	assert_false(audit_sink_is_failing(sink));
	int file = receive_file(fd);
	assert_int_equal(fcntl(file, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	assert_int_equal(lseek(file, 0, SEEK_END), strlen(ENTRY) + LARGE);
	assert_int_equal(pread(file, got, LARGE, strlen(ENTRY)), LARGE);
	assert_string_equal(got, line);
	expect_entry(fd, "next\n");
	close(file);
	close(fd);
	free(line);
	free(got);
}

static void test_no_place(void **state)
{
	(void)state;
	char *error = NULL;
	struct audit_sink_options options = {.loop = loop,
	    .metrics = metrics,
	    .destination = AUDIT_TO_FILE,
	    .path = "/nonexistent/main.jsonl",
	    .buffer_max = 64};
	assert_null(audit_sink_new(&options, &error));
	assert_string_equal(error, "cannot write audit events to /nonexistent/main.jsonl: No such "
				   "file or directory (eksgate.proxy.audit)");
	free(error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lines_leave_with_the_turn),
	    TEST(test_lines_that_can_wait),
	    TEST(test_many_lines_that_can_wait),
	    TEST(test_rotation),
	    TEST(test_full_disk),
	    TEST(test_a_cut_line_is_completed),
	    TEST(test_a_cut_line_after_rotation),
	    TEST(test_failed_rotation),
	    TEST(test_losses_are_told),
	    TEST(test_one_turn_tells_much),
	    TEST(test_journal),
	    TEST(test_a_large_event_in_the_journal),
	    TEST(test_no_place),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	is_in_place = true;
	return failed + cmocka_run_group_tests_name("in place", tests, NULL, NULL);
}
