/* A real publisher, and subscribers by hand that do and say whatever a test of it wants. */
#ifndef EKSGATE_TESTS_BUS_STAGE_H
#define EKSGATE_TESTS_BUS_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/zsock.h"
#include "discoveryd/publisher.h"
#include "proto/message.h"
#include "tests/unit/bus_fixture.h"

#define WAIT_MS	  8000
#define GROUP	  "test"
#define PEERS_MAX 6

/* A subscriber by hand: remembers what came, answers nothing by itself. */
struct peer {
	struct zsock_context *context;
	struct zsock *zsock;
	bool is_connected;
	unsigned counts[16]; /* by type */
	unsigned data;
	int64_t acked;
	bool acks; /* everything, at once */
	struct message_header last[16];
	char code[33], text[513];
	char nonce[65], task[513]; /* of the latest TASK, and its body */
	size_t items, bytes;
	uint64_t sequence; /* continuing, from SNAPSHOT_END and DELTA */
	struct message_digest digest;
};

struct stage {
	struct bus_world world;
	struct metrics *metrics;
	struct publisher *publisher;
	struct peer peers[PEERS_MAX];
	int64_t sequence;
	unsigned refreshes;
	char refreshed[64];
	struct duration patience;
};

/* `count` items named c0000..., each of about `size` bytes, at sequence 100000. */
void open_stage(struct stage *stage, size_t count, size_t size);
void close_stage(struct stage *stage);
/* NULL with *error (free()). Also for a stage whose world alone is open. */
struct publisher *make_publisher(struct stage *stage, const struct publisher_change *initial,
    size_t count, int64_t sequence, char **error);
void publish(struct stage *stage, const char *name, const char *resource);

/* Peer `i`, connected. */
struct peer *add_peer(struct stage *stage, size_t i);
bool is_connected(void *peer);
bool say(struct peer *peer, enum message_type type, uint64_t sequence,
    const union message_body *body, const char *group);
/* As session 7; what was counted begins anew. */
void say_hello(struct peer *peer, const char *role, const char *group, int64_t credit);
void say_ack(struct peer *peer, int64_t received, uint64_t applied);
/* Waits until `count` messages of the type have come. */
bool expect(struct stage *stage, struct peer *peer, enum message_type type, unsigned count);

#endif
