/* The admin interface over a real unix socket: the server in a child process, the client as the
 * command line uses it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/admin.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"

struct world {
	char directory[64];
	char *socket;
	pid_t server;
	struct loop *loop;
};

static bool is_ready(void *arg, const char **why)
{
	(void)arg;
	*why = "still looking";
	return false;
}

static void echo(void *arg, struct admin_request *request)
{
	(void)arg;
	struct json_object *document = json_object_new_object();
	json_object_object_add(document, "tail", json_object_new_string(admin_tail(request)));
	const char *query = admin_query(request, "q");
	json_object_object_add(document, "q", query != NULL ? json_object_new_string(query) : NULL);
	json_object_object_add(
	    document, "uid", json_object_new_int64((int64_t)admin_peer_uid(request)));
	admin_reply(request, 200, document);
}

static void refuse(void *arg, struct admin_request *request)
{
	(void)arg;
	admin_reply_error(request, 409, "not %s", "now");
}

static void on_term(void *arg)
{
	loop_stop(arg);
}

static void serve(const char *socket)
{
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct admin *admin = admin_new(loop, metrics, is_ready, NULL);
	char *error = NULL;
	admin_route(admin, "GET", "/v1/echo/", ADMIN_READ, echo, NULL);
	admin_route(admin, "POST", "/v1/refuse", ADMIN_CHANGE, refuse, NULL);
	loop_on_signal(loop, SIGTERM, on_term, loop);
	if (!admin_listen_unix(admin, socket, &error)) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	loop_run(loop);
	admin_free(&admin);
	metrics_free(&metrics);
	loop_free(&loop);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	strcpy(world->directory, "/tmp/eksgate-admin-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	world->socket = xasprintf("%s/own/admin.sock", world->directory);
	world->server = fork();
	if (world->server == 0) {
		serve(world->socket);
		_exit(0);
	}
	for (int i = 0; i < 1000 && access(world->socket, F_OK) != 0; i++)
		usleep(5000);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	int status;
	kill(world->server, SIGTERM);
	assert_int_equal(waitpid(world->server, &status, 0), world->server);
	assert_int_equal(status, 0);
	assert_int_not_equal(access(world->socket, F_OK), 0);
	char *command = xasprintf("rm -rf %s", world->directory);
	assert_int_equal(system(command), 0);
	free(command);
	free(world->socket);
	free(world);
	return 0;
}

static struct json_object *call(
    const struct world *world, const char *method, const char *target, int want)
{
	struct json_object *document = NULL;
	char *error = NULL;
	int status = 0;
	if (!admin_call(world->socket, method, target, &status, &document, &error))
		fail_msg("%s", error);
	assert_int_equal(status, want);
	return document;
}

static const char *member(struct json_object *document, const char *key)
{
	return json_object_get_string(json_object_object_get(document, key));
}

static void test_routes(void **state)
{
	struct json_object *answer = call(*state, "GET", "/v1/echo/a%2Fb%20c?q=x%26y", 200);
	assert_string_equal(member(answer, "tail"), "a/b c");
	assert_string_equal(member(answer, "q"), "x&y");
	assert_int_equal(json_object_get_int64(json_object_object_get(answer, "uid")), getuid());
	json_object_put(answer);
	/* What comes in is not always UTF-8; what goes out is. */
	answer = call(*state, "GET", "/v1/echo/a%FF%C3%A9?q=%9B", 200);
	assert_string_equal(member(answer, "tail"), "a\xef\xbf\xbd\xc3\xa9");
	assert_string_equal(member(answer, "q"), "\xef\xbf\xbd");
	json_object_put(answer);
	answer = call(*state, "POST", "/v1/refuse", 409);
	assert_string_equal(member(answer, "error"), "not now");
	json_object_put(answer);
	answer = call(*state, "GET", "/v1/refuse", 404);
	json_object_put(answer);
	answer = call(*state, "GET", "/nothing", 404);
	json_object_put(answer);
}

static void test_the_directory_is_ours_alone(void **state)
{
	const struct world *world = *state;
	struct stat st;
	assert_int_equal(stat(world->socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700 & ~0077);
	char *directory = xasprintf("%s/own", world->directory);
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	free(directory);
}

/* Who finds the name finds somebody who answers: it is never that of a socket which does not listen
 * yet. */
static void test_the_socket_has_its_name_once_it_listens(void **state)
{
	const struct world *world = *state;
	char *socket = xasprintf("%s/admin.sock", world->directory), *error = NULL;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), named = 0;
	assert_true(inotify_add_watch(fd, world->directory, IN_CREATE | IN_MOVED_TO) >= 0);
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct admin *admin = admin_new(loop, metrics, is_ready, NULL);
	assert_true(admin_listen_unix(admin, socket, &error));
	ssize_t len = read(fd, events, sizeof events);
	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const struct inotify_event *)(events + at);
		if (strcmp(event->name, "admin.sock") == 0) {
			assert_int_equal(event->mask, IN_MOVED_TO);
			named++;
		}
		at += (ssize_t)(sizeof *event + event->len);
	}
	assert_int_equal(named, 1);
	close(fd);
	admin_free(&admin);
	metrics_free(&metrics);
	loop_free(&loop);
	assert_int_equal(access(socket, F_OK), -1);
	free(socket);
}

/* Its owner could replace the socket, and what the lock protects. */
static void test_a_directory_of_somebody_else_is_refused(void **state)
{
	const struct world *world = *state;
	if (geteuid() != 0)
		skip();
	char *directory = xasprintf("%s/foreign", world->directory);
	char *socket = xasprintf("%s/admin.sock", directory), *error = NULL;
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(chown(directory, 65534, 65534), 0);
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct admin *admin = admin_new(loop, metrics, is_ready, NULL);
	assert_false(admin_listen_unix(admin, socket, &error));
	assert_non_null(strstr(error, "of this user"));
	assert_int_equal(rmdir(directory), 0);
	free(error);
	free(socket);
	free(directory);
	admin_free(&admin);
	metrics_free(&metrics);
	loop_free(&loop);
}

static void test_a_second_server_is_told_who_holds_it(void **state)
{
	const struct world *world = *state;
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct admin *admin = admin_new(loop, metrics, is_ready, NULL);
	char *error = NULL, *pid = xasprintf("held by pid %ld", (long)world->server);
	assert_false(admin_listen_unix(admin, world->socket, &error));
	assert_non_null(strstr(error, pid));
	free(error);
	free(pid);
	admin_free(&admin);
	metrics_free(&metrics);
	loop_free(&loop);
	json_object_put(call(world, "GET", "/v1/echo/", 200));
}

static void test_failures_are_told(void **state)
{
	(void)state;
	struct json_object *document = NULL;
	char *error = NULL;
	int status;
	assert_false(
	    admin_call("/tmp/eksgate-no-such.sock", "GET", "/", &status, &document, &error));
	assert_non_null(strstr(error, "no daemon is running here"));
	free(error);
}

static void test_metrics_stay_on_loopback(void **state)
{
	(void)state;
	static const char *const bad[] = {"0.0.0.0:9100", "192.0.2.1:9100", "[::]:9100", "x", ""};
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct admin *admin = admin_new(loop, metrics, is_ready, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *error = NULL;
		assert_false(admin_listen_tcp(admin, bad[i], &error));
		assert_non_null(strstr(error, "loopback"));
		free(error);
	}
	char *error = NULL;
	assert_true(admin_listen_tcp(admin, "127.0.0.1:0", &error));
	admin_free(&admin);
	metrics_free(&metrics);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_routes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_directory_is_ours_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_the_socket_has_its_name_once_it_listens, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_directory_of_somebody_else_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_second_server_is_told_who_holds_it, set_up, tear_down),
	    cmocka_unit_test(test_failures_are_told),
	    cmocka_unit_test(test_metrics_stay_on_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
