/* Sockets on the loop: nothing is lost, nobody blocks, strangers stay out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "common/zsock.h"
#include "tests/unit/bus_fixture.h"

/* Both ends of a connection. */
struct pair {
	struct bus_world world;
	struct zsock_context *server_context, *client_context;
	struct zsock *server, *client;
	uint8_t id[255];
	size_t id_len;
	unsigned taken, wanted, connected, disconnected, refused, client_taken;
	size_t last_count, last_len;
	bool is_cut, is_open_to_all;
	struct zsock_peer peer, asked;
	bool ends_at_first;
};

static bool on_allow(void *arg, const struct zsock_peer *peer)
{
	struct pair *pair = arg;
	pair->asked = *peer;
	return pair->is_open_to_all;
}

static void on_server_message(void *arg, const struct zsock_message *message)
{
	struct pair *pair = arg;
	pair->id_len = message->frames[0].len;
	memcpy(pair->id, message->frames[0].data, pair->id_len);
	pair->last_count = message->count;
	pair->last_len = message->frames[message->count - 1].len;
	pair->is_cut = message->is_cut;
	pair->peer = message->peer;
	/* In order, none missing. */
	if (message->frames[1].len == sizeof pair->taken)
		assert_memory_equal(message->frames[1].data, &pair->taken, sizeof pair->taken);
	pair->taken++;
	if (pair->ends_at_first)
		zsock_free(&pair->server);
}

static void on_client_message(void *arg, const struct zsock_message *message)
{
	struct pair *pair = arg;
	(void)message;
	pair->client_taken++;
}

static void on_client_event(void *arg, enum zsock_event event)
{
	struct pair *pair = arg;
	pair->connected += event == ZSOCK_CONNECTED;
	pair->disconnected += event == ZSOCK_DISCONNECTED;
	pair->refused += event == ZSOCK_REFUSED;
}

static void bind_server(struct pair *pair)
{
	char *error = NULL;
	const struct zsock_options options = {.message_max = 1024,
	    .send_queue = 64,
	    .receive_queue = 16,
	    .on_message = on_server_message,
	    .arg = pair};
	pair->server = zsock_bind(pair->server_context, pair->world.socket, &options, &error);
	if (pair->server == NULL)
		fail_msg("%s", error);
}

static void connect_client(struct pair *pair)
{
	char *error = NULL;
	const struct zsock_options options = {.message_max = 1024,
	    .send_queue = 64,
	    .receive_queue = 64,
	    .on_message = on_client_message,
	    .on_event = on_client_event,
	    .arg = pair};
	pair->client = zsock_connect(pair->client_context, pair->world.socket, &options, &error);
	if (pair->client == NULL)
		fail_msg("%s", error);
}

static void open_pair(struct pair *pair, bool is_allowed)
{
	char *error = NULL;
	memset(pair, 0, sizeof *pair);
	bus_world_open(&pair->world);
	pair->is_open_to_all = is_allowed;
	pair->server_context = zsock_context_new(pair->world.loop, on_allow, pair, &error);
	pair->client_context = zsock_context_new(pair->world.loop, NULL, NULL, &error);
	assert_non_null(pair->server_context);
	assert_non_null(pair->client_context);
	bind_server(pair);
	connect_client(pair);
}

static void close_pair(struct pair *pair)
{
	zsock_free(&pair->client);
	zsock_free(&pair->server);
	zsock_context_free(&pair->client_context);
	zsock_context_free(&pair->server_context);
	bus_world_close(&pair->world);
}

static bool is_connected(void *arg)
{
	return ((struct pair *)arg)->connected > 0;
}

static bool has_taken_all(void *arg)
{
	const struct pair *pair = arg;
	return pair->taken >= pair->wanted;
}

static enum zsock_sent send_number(struct pair *pair, unsigned number)
{
	const struct zsock_frame frames[] = {{&number, sizeof number}, {"body", 4}};
	return zsock_send(pair->client, frames, 2);
}

struct flood {
	struct pair *pair;
	unsigned next;
};

/* Sends as much as fits, called again and again by the wait. */
static bool flood(void *arg)
{
	struct flood *flood = arg;
	while (flood->next < flood->pair->wanted &&
	       send_number(flood->pair, flood->next) == ZSOCK_SENT)
		flood->next++;
	return flood->pair->taken >= flood->pair->wanted;
}

/* The edge-triggered descriptor: a reader that forgets to look again hangs within the first
 * hundred. */
static void test_many_messages(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, true);
	pair.wanted = 5000;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	struct flood work = {&pair, 0};
	assert_true(bus_wait(&pair.world, flood, &work, 20000));
	assert_int_equal(pair.taken, 5000);
	assert_int_equal(pair.last_count, 3);
	assert_false(pair.is_cut);
	assert_int_equal(pair.peer.uid, geteuid());
	assert_int_equal(pair.peer.pid, getpid());
	close_pair(&pair);
}

static bool has_client_taken(void *arg)
{
	return ((struct pair *)arg)->client_taken >= 3;
}

static void test_answers_and_gone(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, true);
	pair.wanted = 1;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	assert_int_equal(send_number(&pair, 0), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, has_taken_all, &pair, 5000));
	const struct zsock_frame frames[] = {{pair.id, pair.id_len}, {"a", 1}, {"b", 1}};
	for (int i = 0; i < 3; i++)
		assert_int_equal(zsock_send(pair.server, frames, 3), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, has_client_taken, &pair, 5000));
	const struct zsock_frame stranger[] = {{"nobody", 6}, {"a", 1}, {"b", 1}};
	assert_int_equal(zsock_send(pair.server, stranger, 3), ZSOCK_GONE);
	zsock_free(&pair.client);
	bus_run(&pair.world, 100);
	assert_int_equal(zsock_send(pair.server, frames, 3), ZSOCK_GONE);
	close_pair(&pair);
}

static void test_a_full_queue_does_not_block(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, true);
	pair.wanted = 1;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	assert_int_equal(send_number(&pair, 0), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, has_taken_all, &pair, 5000));
	/* The client's loop does not run meanwhile. */
	const struct zsock_frame frames[] = {{pair.id, pair.id_len}, {"a", 1}, {"b", 1}};
	unsigned sent = 0;
	while (sent < 100000 && zsock_send(pair.server, frames, 3) == ZSOCK_SENT)
		sent++;
	assert_true(sent >= 64);
	assert_true(sent < 100000);
	close_pair(&pair);
}

static void test_strangers_stay_out(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, false);
	assert_false(bus_wait(&pair.world, is_connected, &pair, 400));
	assert_true(pair.refused >= 1);
	assert_int_equal(pair.asked.uid, geteuid());
	assert_int_equal(pair.asked.gid, getegid());
	assert_int_equal(send_number(&pair, 0), ZSOCK_FULL);
	bus_run(&pair.world, 50);
	assert_int_equal(pair.taken, 0);
	pair.is_open_to_all = true;
	zsock_free(&pair.client);
	connect_client(&pair);
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	close_pair(&pair);
}

static void test_large_and_many_frames(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, true);
	pair.wanted = 1;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	struct zsock_frame frames[30];
	for (size_t i = 0; i < 30; i++)
		frames[i] = (struct zsock_frame){"xy", 2};
	assert_int_equal(zsock_send(pair.client, frames, 30), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, has_taken_all, &pair, 5000));
	assert_true(pair.is_cut);
	assert_int_equal(pair.last_count, ZSOCK_FRAMES_MAX);
	/* One frame over the limit ends the connection, and the next one is made by itself. */
	char large[2000] = "";
	const struct zsock_frame frame = {large, sizeof large};
	pair.connected = 0;
	assert_int_equal(zsock_send(pair.client, &frame, 1), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	assert_true(pair.disconnected > 0);
	assert_int_equal(pair.taken, 1);
	close_pair(&pair);
}

static bool is_server_gone(void *arg)
{
	return ((struct pair *)arg)->server == NULL;
}

static void test_freed_in_its_callback(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, true);
	pair.ends_at_first = true;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	assert_int_equal(send_number(&pair, 0), ZSOCK_SENT);
	assert_int_equal(send_number(&pair, 1), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, is_server_gone, &pair, 5000));
	bus_run(&pair.world, 50);
	assert_int_equal(pair.taken, 1);
	assert_int_equal(pair.disconnected, 1);
	/* It took its file along; bound anew, the client finds it. */
	assert_int_not_equal(access(pair.world.socket, F_OK), 0);
	pair.connected = 0;
	pair.ends_at_first = false;
	bind_server(&pair);
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	close_pair(&pair);
}

static void test_file_mode_and_place(void **state)
{
	(void)state;
	struct pair pair;
	struct stat status;
	open_pair(&pair, true);
	assert_int_equal(stat(pair.world.socket, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0660);
	assert_true(zsock_is_in_place(pair.server));
	unlink(pair.world.socket);
	assert_false(zsock_is_in_place(pair.server));
	FILE *other = fopen(pair.world.socket, "w");
	assert_non_null(other);
	fclose(other);
	assert_false(zsock_is_in_place(pair.server));
	/* A file that is not ours stays. */
	zsock_free(&pair.server);
	bus_run(&pair.world, 20);
	assert_int_equal(access(pair.world.socket, F_OK), 0);
	close_pair(&pair);
}

static void test_garbage_is_dropped(void **state)
{
	(void)state;
	static const char *const greetings[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""};
	struct pair pair;
	open_pair(&pair, true);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", pair.world.socket);
	for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
		ssize_t written = write(fd, greetings[i], strlen(greetings[i]));
		assert_true(written >= 0);
		bus_run(&pair.world, 20);
		close(fd);
	}
	pair.wanted = 1;
	assert_true(bus_wait(&pair.world, is_connected, &pair, 5000));
	assert_int_equal(send_number(&pair, 0), ZSOCK_SENT);
	assert_true(bus_wait(&pair.world, has_taken_all, &pair, 5000));
	close_pair(&pair);
}

static void test_bad_paths(void **state)
{
	(void)state;
	static const struct {
		const char *path, *error;
	} rows[] = {{"bus.sock", "an absolute path is needed"}, {"", "an absolute path is needed"},
	    {"@abstract", "an absolute path is needed"}, {"*", "an absolute path is needed"},
	    {"/nowhere/at/all/bus.sock",
		"cannot bind the bus to /nowhere/at/all/bus.sock: No such file"},
	    {"/tmp/"
	     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
	     "567890123456789012345",
		"longer than the 107 bytes"}};
	struct bus_world world;
	char *error = NULL;
	bus_world_open(&world);
	struct zsock_context *context = zsock_context_new(world.loop, NULL, NULL, &error);
	const struct zsock_options options = {.on_message = on_client_message};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(zsock_bind(context, rows[i].path, &options, &error));
		if (strstr(error, rows[i].error) == NULL)
			fail_msg("%s: %s", rows[i].path, error);
		xfree(&error);
	}
	zsock_context_free(&context);
	bus_world_close(&world);
}

static void test_peer_addresses(void **state)
{
	(void)state;
	struct zsock_peer peer;
	assert_true(zsock_peer_parse("localhost:1000:100:4711", 23, &peer));
	assert_int_equal(peer.uid, 1000);
	assert_int_equal(peer.gid, 100);
	assert_int_equal(peer.pid, 4711);
	static const char *const bad[] = {"", "localhost", "localhost:", "localhost:1:2",
	    "localhost:1:2:", "localhost:1:2:3:4", "localhost:1:2:3 ", "localhost:-1:2:3",
	    "localhost: 1:2:3", "localhost:a:2:3", "localhost:4294967296:2:3", "127.0.0.1",
	    "localhosx:1:2:3",
	    "localhost:1:2:99999999999999999999999999999999999999999999999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(zsock_peer_parse(bad[i], strlen(bad[i]), &peer));
	assert_false(zsock_peer_parse("localhost:1:2:3\0", 16, &peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_messages),
	    cmocka_unit_test(test_answers_and_gone),
	    cmocka_unit_test(test_a_full_queue_does_not_block),
	    cmocka_unit_test(test_strangers_stay_out),
	    cmocka_unit_test(test_large_and_many_frames),
	    cmocka_unit_test(test_freed_in_its_callback),
	    cmocka_unit_test(test_file_mode_and_place),
	    cmocka_unit_test(test_garbage_is_dropped),
	    cmocka_unit_test(test_bad_paths),
	    cmocka_unit_test(test_peer_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
