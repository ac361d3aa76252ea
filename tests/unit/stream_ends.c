/* Two streams over loopback, and a loop that runs until something has come true. */
#include "tests/unit/stream_ends.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"

#define PATIENCE_MS 5000

static void close_if_wanted(struct end *end)
{
	if (end->closes)
		stream_close(&end->stream);
}

static void on_open(void *arg)
{
	struct end *end = arg;
	assert_false(end->is_open);
	end->is_open = true;
	close_if_wanted(end);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct end *end = arg;
	assert_false(end->has_ended);
	assert_true(len > 0);
	size_t used = end->use_at_most > 0 && end->use_at_most < len ? end->use_at_most : len;
	end->data_calls++;
	buf_append(&end->received, data, used);
	close_if_wanted(end);
	return used;
}

static void on_end(void *arg)
{
	struct end *end = arg;
	assert_false(end->has_ended);
	end->has_ended = true;
	close_if_wanted(end);
}

static void on_drain(void *arg)
{
	struct end *end = arg;
	end->drains++;
	close_if_wanted(end);
}

static void on_error(void *arg, const char *reason)
{
	struct end *end = arg;
	assert_null(end->error);
	end->error = xstrdup(reason);
	close_if_wanted(end);
}

const struct stream_events end_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_error = on_error,
};

/* --- the world ------------------------------------------------------------------------------- */

char *world_path(const struct world *world, const char *name)
{
	return xasprintf("%s/%s", world->directory, name);
}

static void on_tick(void *arg)
{
	struct world *world = arg;
	bool is_done = world->until != NULL && world->until(world->until_arg);
	if (is_done || world->ticks_left == 0) {
		loop_stop(world->loop);
		return;
	}
	world->ticks_left--;
	timer_set(world->tick, duration_ms(1));
}

static void listen_on_loopback(struct world *world)
{
	socklen_t len = sizeof world->address;
	world->address.sin_family = AF_INET;
	world->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->listening, (struct sockaddr *)&world->address, len), 0);
	assert_int_equal(listen(world->listening, 16), 0);
	assert_int_equal(
	    getsockname(world->listening, (struct sockaddr *)&world->address, &len), 0);
}

static void make_server(struct world *world)
{
	static const char *const protocols[] = {"h2", "http/1.1", NULL};
	static const struct leaf_options leaf = {.common_name = "server",
	    .names = "DNS:api.example,IP:127.0.0.1",
	    .usage = "serverAuth"};
	world->authority = make_authority("the authority");
	world->server = make_leaf(&world->authority, &leaf);
	char *certificate = world_path(world, "server.pem"), *key = world_path(world, "server.key"),
	     *ca = world_path(world, "ca.pem"), *error = NULL;
	write_certificate_file(certificate, world->server.certificate);
	write_key_file(key, world->server.key);
	write_certificate_file(ca, world->authority.certificate);
	world->tls = tls_server_new(certificate, key, ca, protocols, &error);
	if (world->tls == NULL)
		fail_msg("%s", error);
	free(certificate);
	free(key);
	free(ca);
}

int world_set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	signal(SIGPIPE, SIG_IGN);
	strcpy(world->directory, "/tmp/eksgate-test-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	world->loop = loop_new();
	world->tick = timer_new(world->loop, on_tick, world);
	listen_on_loopback(world);
	make_server(world);
	*state = world;
	return 0;
}

static void clear_end(struct end *end)
{
	stream_close(&end->stream);
	free(end->error);
	buf_free(&end->received);
}

int world_tear_down(void **state)
{
	struct world *world = *state;
	clear_end(&world->client);
	clear_end(&world->accepted);
	stream_close_finishing(world->loop);
	tls_server_free(&world->tls);
	timer_free(&world->tick);
	loop_free(&world->loop);
	free_identity(&world->server);
	free_identity(&world->authority);
	close(world->listening);
	char *command = xasprintf("rm -rf %s", world->directory);
	assert_int_equal(system(command), 0);
	free(command);
	free(world);
	return 0;
}

int world_accept(struct world *world)
{
	int fd = accept4(world->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

struct tls_client *world_client(struct world *world, const char *host)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	char *error = NULL, *pem = certificate_pem(world->authority.certificate);
	struct tls_store *store = tls_store_new(pem, strlen(pem), &error);
	assert_non_null(store);
	struct tls_client *client = tls_client_new(host, store, protocols);
	tls_store_unref(&store);
	free(pem);
	return client;
}

void world_connect(
    struct world *world, struct tls_client *tls, const struct stream_options *options)
{
	world->client.stream = stream_connect(world->loop, (struct sockaddr *)&world->address,
	    sizeof world->address, tls, options, &end_events, &world->client);
	world->accepted.stream = stream_accept(world->loop, world_accept(world),
	    tls != NULL ? world->tls : NULL, options, &end_events, &world->accepted);
}

void world_open(struct world *world, bool is_tls, const struct stream_options *options)
{
	struct tls_client *tls = is_tls ? world_client(world, "api.example") : NULL;
	world_connect(world, tls, options);
	world_run(world, is_open, &world->client);
	world_run(world, is_open, &world->accepted);
	tls_client_free(&tls);
}

void world_run(struct world *world, bool (*until)(void *arg), void *arg)
{
	if (until(arg))
		return;
	world->until = until;
	world->until_arg = arg;
	world->ticks_left = PATIENCE_MS;
	timer_set(world->tick, duration_ms(1));
	loop_run(world->loop);
	if (!until(arg))
		fail_msg("nothing happened (client: %s; accepted: %s)",
		    world->client.error != NULL ? world->client.error : "-",
		    world->accepted.error != NULL ? world->accepted.error : "-");
}

void world_wait(struct world *world, unsigned ms)
{
	world->until = NULL;
	world->ticks_left = ms;
	timer_set(world->tick, duration_ms(1));
	loop_run(world->loop);
}

bool is_open(void *end)
{
	return ((struct end *)end)->is_open;
}

bool has_ended(void *end)
{
	return ((struct end *)end)->has_ended;
}

bool has_error(void *end)
{
	return ((struct end *)end)->error != NULL;
}

bool has_drained(void *end)
{
	return ((struct end *)end)->drains > 0;
}
