/* Two streams that face each other over loopback, for tests of the byte layer: what each end heard
 * is written down, and the loop runs until something has come true. */
#ifndef EKSGATE_TESTS_STREAM_ENDS_H
#define EKSGATE_TESTS_STREAM_ENDS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "kubeproxyd/net/stream.h"
#include "kubeproxyd/net/tls.h"
#include "tests/unit/certificates.h"

struct end {
	struct stream *stream;
	bool is_open, has_ended;
	unsigned data_calls, drains;
	char *error;
	struct buf received;
	size_t use_at_most; /* of what on_data offers; 0: all */
	bool closes; /* closes its stream in whatever callback comes first after it was set */
};

struct world {
	struct loop *loop;
	char directory[64];
	struct identity authority, server;
	struct tls_server *tls;
	int listening;
	struct sockaddr_in address;
	struct end client, accepted;
	struct timer *tick;
	bool (*until)(void *arg);
	void *until_arg;
	unsigned ticks_left;
};

extern const struct stream_events end_events;

/* cmocka set-up and tear-down: *state is a struct world. */
int world_set_up(void **state);
int world_tear_down(void **state);
/* "DIRECTORY/NAME"; free(). */
char *world_path(const struct world *world, const char *name);

/* Accepts what a client began to connect to world->address. */
int world_accept(struct world *world);
/* Both ends, connecting; TLS between them with `tls` not NULL, plain otherwise. `options` may be
 * NULL. */
void world_connect(
    struct world *world, struct tls_client *tls, const struct stream_options *options);
/* The same, and waits until both are open. */
void world_open(struct world *world, bool is_tls, const struct stream_options *options);
struct tls_client *world_client(struct world *world, const char *host);

/* Runs the loop until until(arg) is true; fails the test after five seconds. It is asked every
 * millisecond. */
void world_run(struct world *world, bool (*until)(void *arg), void *arg);
/* For so many milliseconds, whatever happens. */
void world_wait(struct world *world, unsigned ms);

bool is_open(void *end);
bool has_ended(void *end);
bool has_error(void *end);
bool has_drained(void *end);

#endif
