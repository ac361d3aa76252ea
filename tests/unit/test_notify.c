/* What systemd hears: readiness, reloads, the end, and the watchdog fed from the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/notify.h"
#include "common/xmem.h"

struct manager {
	char directory[40];
	char *path;
	int fd;
};

static int set_up(void **state)
{
	struct manager *manager = xcalloc(1, sizeof *manager);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(
	    manager->directory, "/tmp/eksgate-notify-XXXXXX", sizeof "/tmp/eksgate-notify-XXXXXX");
	assert_non_null(mkdtemp(manager->directory));
	manager->path = xasprintf("%s/notify", manager->directory);
	memcpy(address.sun_path, manager->path, strlen(manager->path) + 1);
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", manager->path, 1);
	*state = manager;
	return 0;
}

static int tear_down(void **state)
{
	struct manager *manager = *state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	close(manager->fd);
	unlink(manager->path);
	rmdir(manager->directory);
	free(manager->path);
	free(manager);
	return 0;
}

static const char *receive(const struct manager *manager)
{
	static char text[256];
	ssize_t len = recv(manager->fd, text, sizeof text - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void test_states(void **state)
{
	struct manager *manager = *state;
	struct loop *loop = loop_new();
	struct notify *notify = notify_new(loop);
	notify_ready(notify, "12 clusters");
	assert_string_equal(receive(manager), "READY=1\nSTATUS=12 clusters");
	notify_reloading(notify);
	assert_memory_equal(receive(manager), "RELOADING=1\nMONOTONIC_USEC=", 27);
	notify_stopping(notify, "draining");
	assert_string_equal(receive(manager), "STOPPING=1\nSTATUS=draining");
	assert_string_equal(receive(manager), "");
	notify_free(&notify);
	loop_free(&loop);
}

static void on_time(void *arg)
{
	loop_stop(arg);
}

static unsigned count_watchdog(const struct manager *manager)
{
	unsigned count = 0;
	struct loop *loop = loop_new();
	struct notify *notify = notify_new(loop);
	struct timer *timer = timer_new(loop, on_time, loop);
	timer_set(timer, duration_ms(110));
	loop_run(loop);
	while (strcmp(receive(manager), "WATCHDOG=1") == 0)
		count++;
	timer_free(&timer);
	notify_free(&notify);
	loop_free(&loop);
	return count;
}

static void test_watchdog_is_fed_at_half_its_interval(void **state)
{
	struct manager *manager = *state;
	char pid[16];
	setenv("WATCHDOG_USEC", "40000", 1);
	unsigned count = count_watchdog(manager);
	assert_in_range(count, 2, 7);
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_true(count_watchdog(manager) > 0);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(count_watchdog(manager), 0);
}

static void test_silence_without_systemd(void **state)
{
	struct manager *manager = *state;
	static const char *const bad[] = {"", "relative", NULL};
	struct loop *loop = loop_new();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (bad[i] != NULL)
			setenv("NOTIFY_SOCKET", bad[i], 1);
		else
			unsetenv("NOTIFY_SOCKET");
		struct notify *notify = notify_new(loop);
		notify_ready(notify, "x");
		notify_free(&notify);
	}
	assert_string_equal(receive(manager), "");
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_states, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_watchdog_is_fed_at_half_its_interval, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_silence_without_systemd, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
