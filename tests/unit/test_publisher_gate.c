/* Where the bus may be bound, and who may come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "discoveryd/publisher_roles.h"
#include "tests/unit/bus_stage.h"

static void test_second_publisher_is_refused(void **state)
{
	(void)state;
	struct stage stage = {0};
	char *error = NULL, *pid = xasprintf("bus.sock.lock is held by pid %ld", (long)getpid());
	open_stage(&stage, 5, 10);
	assert_null(make_publisher(&stage, NULL, 0, 0, &error));
	if (strstr(error, pid) == NULL)
		fail_msg("%s", error);
	free(error);
	free(pid);
	/* The first one is as it was. */
	struct peer *peer = add_peer(&stage, 0);
	say_hello(peer, "proxy", GROUP, 8);
	assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	close_stage(&stage);
}

static void test_stolen_socket_is_bound_anew(void **state)
{
	(void)state;
	struct stage stage = {0};
	open_stage(&stage, 5, 10);
	struct peer *peer = add_peer(&stage, 0);
	for (int i = 0; i < 2; i++) {
		FILE *other =
		    i == 1 ? (unlink(stage.world.socket), fopen(stage.world.socket, "w")) : NULL;
		if (i == 0)
			unlink(stage.world.socket);
		else
			fclose(other);
		peer->is_connected = false;
		assert_true(bus_wait(&stage.world, is_connected, peer, WAIT_MS));
		say_hello(peer, "proxy", GROUP, 8);
		assert_true(expect(&stage, peer, MESSAGE_SNAPSHOT_END, 1));
	}
	close_stage(&stage);
}

static void test_bad_places(void **state)
{
	(void)state;
	struct stage stage = {0};
	bus_world_open(&stage.world);
	stage.metrics = metrics_new();
	char *good = stage.world.socket, *error = NULL;
	assert_int_equal(chmod(stage.world.dir, 0777), 0);
	assert_null(make_publisher(&stage, NULL, 0, 0, &error));
	assert_non_null(strstr(error, "is writable by everybody"));
	xfree(&error);
	assert_int_equal(chmod(stage.world.dir, 0700), 0);
	stage.world.socket = (char[]){"relative.sock"};
	assert_null(make_publisher(&stage, NULL, 0, 0, &error));
	assert_non_null(strstr(error, "an absolute path is needed"));
	xfree(&error);
	stage.world.socket = (char[]){"/nowhere/bus.sock"};
	assert_null(make_publisher(&stage, NULL, 0, 0, &error));
	assert_non_null(strstr(error, "/nowhere: No such file"));
	xfree(&error);
	stage.world.socket = good;
	close_stage(&stage);
}

static void test_roles(void **state)
{
	(void)state;
	struct publisher_roles *roles = publisher_roles_new(1234);
	assert_true(publisher_roles_add(roles, "1000", BUS_ROLE_PROXY));
	assert_true(publisher_roles_add(roles, "1000", BUS_ROLE_TAP));
	assert_true(publisher_roles_add(roles, "1001", BUS_ROLE_TAP));
	assert_true(publisher_roles_add(roles, "daemon", BUS_ROLE_TAP));
	static const char *const bad[] = {"", "no-such-user-anywhere", "-1", "4294967295",
	    "4294967296", "99999999999999999999999", "1000x", " 1000"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(publisher_roles_add(roles, bad[i], BUS_ROLE_PROXY));
	assert_int_equal(publisher_roles_of(roles, 1234), BUS_ROLE_PROXY | BUS_ROLE_TAP);
	assert_int_equal(publisher_roles_of(roles, 1000), BUS_ROLE_PROXY | BUS_ROLE_TAP);
	assert_int_equal(publisher_roles_of(roles, 1001), BUS_ROLE_TAP);
	assert_int_equal(publisher_roles_of(roles, 1), BUS_ROLE_TAP);
	/* root is a user like any other. */
	assert_int_equal(publisher_roles_of(roles, 0), 0);
	assert_int_equal(publisher_roles_of(roles, (uid_t)-1), 0);
	assert_int_equal(publisher_role_parse("proxy"), BUS_ROLE_PROXY);
	assert_int_equal(publisher_role_parse("tap"), BUS_ROLE_TAP);
	assert_int_equal(publisher_role_parse("Proxy"), 0);
	publisher_roles_free(&roles);
}

/* --- another user */

static void on_stranger_event(void *arg, enum zsock_event event)
{
	/* A refusal is followed by the end of the connection. */
	if (event != ZSOCK_DISCONNECTED)
		*(enum zsock_event *)arg = event;
}

static void on_stranger_message(void *arg, const struct zsock_message *message)
{
	(void)arg;
	(void)message;
}

static bool is_decided(void *arg)
{
	return *(enum zsock_event *)arg != ZSOCK_DISCONNECTED;
}

/* In a process of its own: connects as `uid`; the exit status says what came of it. */
static _Noreturn void be_stranger(const char *socket, uid_t uid, int start)
{
	struct bus_world world = {.loop = loop_new()};
	enum zsock_event event = ZSOCK_DISCONNECTED;
	char *error = NULL, byte;
	const struct zsock_options options = {.message_max = 100,
	    .send_queue = 4,
	    .receive_queue = 4,
	    .on_message = on_stranger_message,
	    .on_event = on_stranger_event,
	    .arg = &event};
	if (read(start, &byte, 1) != 1 || setgid(uid) != 0 || setuid(uid) != 0)
		_exit(100);
	struct zsock_context *context = zsock_context_new(world.loop, NULL, NULL, &error);
	if (context == NULL || zsock_connect(context, socket, &options, &error) == NULL)
		_exit(101);
	(void)bus_wait(&world, is_decided, &event, WAIT_MS);
	_exit((int)event);
}

struct child {
	pid_t pid;
	int status;
};

static bool has_ended(void *arg)
{
	struct child *child = arg;
	return waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

static int outcome_as(uid_t uid)
{
	struct stage stage = {0};
	int start[2];
	assert_int_equal(pipe(start), 0);
	/* The child is made before any thread of the library is; the path is known when it may
	 * start. */
	bus_world_open(&stage.world);
	struct child child = {.pid = fork()};
	if (child.pid == 0)
		be_stranger(stage.world.socket, uid, start[0]);
	stage.metrics = metrics_new();
	char *error = NULL;
	stage.publisher = make_publisher(&stage, NULL, 0, 0, &error);
	assert_non_null(stage.publisher);
	/* Wider than it ever is, so that the second gate alone decides. */
	assert_int_equal(chmod(stage.world.dir, 0755), 0);
	assert_int_equal(chmod(stage.world.socket, 0666), 0);
	assert_int_equal(write(start[1], "x", 1), 1);
	assert_true(bus_wait(&stage.world, has_ended, &child, WAIT_MS));
	close(start[0]);
	close(start[1]);
	close_stage(&stage);
	assert_true(WIFEXITED(child.status));
	return WEXITSTATUS(child.status);
}

static void test_users_at_the_gate(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(outcome_as(65534), ZSOCK_REFUSED);
	assert_int_equal(outcome_as(65533), ZSOCK_CONNECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_users_at_the_gate),
	    cmocka_unit_test(test_second_publisher_is_refused),
	    cmocka_unit_test(test_stolen_socket_is_bound_anew),
	    cmocka_unit_test(test_bad_places),
	    cmocka_unit_test(test_roles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
