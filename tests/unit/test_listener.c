/* The listener: addresses, limits, rests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/address.h"
#include "kubeproxyd/net/listeners.h"

#define CLIENTS 100

struct world {
	struct loop *loop;
	struct timer *stop;
	struct listener *listener;
	unsigned accepted;
	unsigned pauses_at, frees_at; /* counts of accepted connections; 0: never */
};

static void on_stop(void *arg)
{
	loop_stop(arg);
}

static void on_connection(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct world *world = arg;
	char text[ADDRESS_TEXT_MAX];
	assert_true(len > 0);
	address_text(peer, text);
	assert_true(strncmp(text, "127.0.0.1:", 10) == 0 || strncmp(text, "[::1]:", 6) == 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	world->accepted++;
	if (world->accepted == world->pauses_at)
		listener_pause(world->listener);
	if (world->accepted == world->frees_at)
		listener_free(&world->listener);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	world->loop = loop_new();
	world->stop = timer_new(world->loop, on_stop, world->loop);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	listener_free(&world->listener);
	timer_free(&world->stop);
	loop_free(&world->loop);
	free(world);
	return 0;
}

static void listen_on(struct world *world, const char *address)
{
	char *error = NULL;
	world->listener = listener_new(world->loop, address, on_connection, world, &error);
	if (world->listener == NULL)
		fail_msg("%s", error);
}

static void run(struct world *world, int64_t ms)
{
	timer_set(world->stop, duration_ms(ms));
	loop_run(world->loop);
}

static void connect_many(struct world *world, int *fds, unsigned count)
{
	struct sockaddr_storage address;
	socklen_t len;
	const char *bound = listener_address(world->listener), *colon = strrchr(bound, ':');
	char *host = xstrndup(bound, (size_t)(colon - bound));
	assert_true(address_parse(host, (uint16_t)atoi(colon + 1), &address, &len));
	free(host);
	for (unsigned i = 0; i < count; i++) {
		fds[i] = socket(address.ss_family, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&address, len), 0);
	}
}

static void close_many(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

static void accepts_them_all(void **state)
{
	static const char *const rows[] = {"127.0.0.1:0", "localhost:0", "[::1]:0"};
	struct world *world = *state;
	int fds[CLIENTS];
	for (size_t i = 0; i < 3; i++) {
		int probe = socket(i == 2 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
		if (probe < 0)
			continue;
		close(probe);
		world->accepted = 0;
		listen_on(world, rows[i]);
		assert_null(strstr(listener_address(world->listener), ":0"));
		connect_many(world, fds, CLIENTS);
		run(world, 50);
		assert_int_equal(world->accepted, CLIENTS);
		close_many(fds, CLIENTS);
		listener_free(&world->listener);
	}
}

static void pauses_and_resumes(void **state)
{
	struct world *world = *state;
	int fds[20];
	world->pauses_at = 7;
	listen_on(world, "127.0.0.1:0");
	connect_many(world, fds, 20);
	run(world, 30);
	assert_int_equal(world->accepted, 7);
	listener_resume(world->listener);
	run(world, 30);
	assert_int_equal(world->accepted, 20);
	close_many(fds, 20);
}

static void may_be_freed_by_its_callback(void **state)
{
	struct world *world = *state;
	int fds[5];
	world->frees_at = 2;
	listen_on(world, "127.0.0.1:0");
	connect_many(world, fds, 5);
	run(world, 30);
	assert_int_equal(world->accepted, 2);
	assert_null(world->listener);
	close_many(fds, 5);
}

static void rests_when_descriptors_run_out(void **state)
{
	struct world *world = *state;
	struct rlimit before, tight;
	int fds[3];
	listen_on(world, "127.0.0.1:0");
	connect_many(world, fds, 3);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)fds[2] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	run(world, 150);
	assert_int_equal(world->accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	run(world, 150);
	assert_int_equal(world->accepted, 3);
	close_many(fds, 3);
}

/* Instances share a port; one that does not say so is an error. */
static void shares_its_port(void **state)
{
	struct world *world = *state;
	char *error = NULL;
	listen_on(world, "127.0.0.1:0");
	const char *address = listener_address(world->listener);
	struct listener *second = listener_new(world->loop, address, on_connection, world, &error);
	assert_non_null(second);
	assert_string_equal(listener_address(second), address);
	listener_free(&second);

	struct sockaddr_in alone = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof alone;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&alone, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&alone, &len), 0);
	char taken[32];
	snprintf(taken, sizeof taken, "127.0.0.1:%u", ntohs(alone.sin_port));
	assert_null(listener_new(world->loop, taken, on_connection, world, &error));
	assert_non_null(strstr(error, "Address already in use"));
	free(error);
	close(fd);
}

static void refuses_bad_addresses(void **state)
{
	static const char *const rows[] = {
	    "",
	    "127.0.0.1",
	    ":3026",
	    "3026",
	    "127.0.0.1:",
	    "127.0.0.1:65536",
	    "127.0.0.1:-1",
	    "127.0.0.1: 80",
	    "127.0.0.1:80x",
	    "127.0.0.1:99999999999999999999",
	    "127.0.0:80",
	    "256.0.0.1:80",
	    "::1:80",
	    "[::1:80",
	    "[127.0.0.1]:80",
	    "[]:80",
	    "[::1]80",
	    "proxy.example.com:3026",
	    "http://127.0.0.1:80",
	    "127.0.0.1:80/",
	};
	struct world *world = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *error = NULL;
		struct listener *listener =
		    listener_new(world->loop, rows[i], on_connection, world, &error);
		if (listener != NULL)
			fail_msg("%s: accepted", rows[i]);
		assert_non_null(strstr(error, "expected IP:PORT"));
		assert_non_null(strstr(error, rows[i]));
		free(error);
	}
	/* Of a documentation network (RFC 5737): nobody has it. */
	char *error = NULL;
	assert_null(listener_new(world->loop, "192.0.2.1:80", on_connection, world, &error));
	assert_string_equal(error, "listen on 192.0.2.1:80: Cannot assign requested address");
	free(error);
}

/* Nothing else may get descriptor 3, where systemd passes its first socket. */
static void reserve_fd_3(void)
{
	int null = open("/dev/null", O_RDONLY);
	assert_int_equal(dup2(null, 3), 3);
	if (null != 3)
		close(null);
}

static int pass_as_fd_3(int fd)
{
	assert_int_equal(dup2(fd, 3), 3);
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "kube", 1);
	return fd;
}

static int listening_socket(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int connect_to(int listening)
{
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

/* The address of the settings is not bound; what waits when the daemon ends stays in the queue. */
static void takes_what_systemd_passed(void **state)
{
	struct world *world = *state;
	char *error = NULL;
	int fd = pass_as_fd_3(listening_socket());
	struct listeners *listeners =
	    listeners_open(world->loop, "192.0.2.1:80", on_connection, world, &error);
	if (listeners == NULL)
		fail_msg("%s", error);
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_PID"));
	assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
	int clients[2] = {connect_to(fd)};
	run(world, 50);
	assert_int_equal(world->accepted, 1);
	clients[1] = connect_to(fd);
	listeners_free(&listeners);
	assert_int_equal(world->accepted, 1);
	int waiting = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(waiting >= 0);
	close(waiting);
	close_many(clients, 2);
	reserve_fd_3();
	close(fd);
}

static void ignores_what_is_for_another_process(void **state)
{
	struct world *world = *state;
	char *error = NULL;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	struct listeners *listeners =
	    listeners_open(world->loop, "127.0.0.1:0", on_connection, world, &error);
	assert_non_null(listeners);
	assert_null(getenv("LISTEN_FDS"));
	listeners_free(&listeners);
}

static void refuses_what_does_not_listen(void **state)
{
	struct world *world = *state;
	char *error = NULL;
	int fd = pass_as_fd_3(socket(AF_INET, SOCK_STREAM, 0));
	assert_null(listeners_open(world->loop, "127.0.0.1:0", on_connection, world, &error));
	assert_non_null(strstr(error, "not a listening TCP socket"));
	free(error);
	reserve_fd_3();
	close(fd);
	setenv("LISTEN_FDS", "17", 1);
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	assert_null(listeners_open(world->loop, "127.0.0.1:0", on_connection, world, &error));
	assert_non_null(strstr(error, "17 sockets"));
	free(error);
}

/* Closing would reset what is queued. */
static void accepts_the_rest_before_it_closes(void **state)
{
	struct world *world = *state;
	int fds[CLIENTS];
	listen_on(world, "127.0.0.1:0");
	connect_many(world, fds, CLIENTS);
	listener_accept_rest(world->listener);
	assert_int_equal(world->accepted, CLIENTS);
	close_many(fds, CLIENTS);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	reserve_fd_3();
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(accepts_them_all),
	    WITH_WORLD(pauses_and_resumes),
	    WITH_WORLD(may_be_freed_by_its_callback),
	    WITH_WORLD(rests_when_descriptors_run_out),
	    WITH_WORLD(shares_its_port),
	    WITH_WORLD(refuses_bad_addresses),
	    WITH_WORLD(takes_what_systemd_passed),
	    WITH_WORLD(ignores_what_is_for_another_process),
	    WITH_WORLD(refuses_what_does_not_listen),
	    WITH_WORLD(accepts_the_rest_before_it_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
