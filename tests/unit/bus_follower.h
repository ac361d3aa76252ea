/* A real subscriber and directory, and a publisher by hand that does whatever a test of them wants.
 */
#ifndef EKSGATE_TESTS_BUS_FOLLOWER_H
#define EKSGATE_TESTS_BUS_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/zsock.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/directory/subscriber.h"
#include "proto/message.h"
#include "tests/unit/bus_fixture.h"

#define FAKE_ITEMS 32

enum fake_snapshot {
	SNAPSHOT_GOOD,
	SNAPSHOT_WITHOUT_BEGIN,
	SNAPSHOT_WITHOUT_CHUNK,
	SNAPSHOT_CHUNK_TWICE,
	SNAPSHOT_WRONG_DIGEST,
	SNAPSHOT_WRONG_COUNT,
	SNAPSHOT_WITH_DELTA, /* in the middle */
};

struct fake_item {
	char name[32];
	int64_t revision;
	char *resource; /* NULL: removed */
	char renamed_to[32];
};

/* The publisher. It answers a HELLO with WELCOME and the snapshot, and beats. */
struct fake {
	struct loop *loop;
	struct zsock_context *context;
	struct zsock *zsock;
	struct timer *beat;
	uint8_t id[255];
	size_t id_len;
	uint64_t group, epoch, instance, sequence, sent;
	int64_t session;
	struct message_digest digest;
	struct fake_item items[FAKE_ITEMS]; /* sorted by name; removed ones too */
	size_t item_count, count;
	enum fake_snapshot snapshot;
	bool is_silent, flips;
	uint32_t count_lie;
	/* What came. */
	unsigned hellos, refreshes, task_results, rejected;
	char rejected_name[64], rejected_text[200];
};

/* Puts and removals are sent by the next fake_send_delta(), all in one. */
void fake_put(struct fake *fake, const char *name, int64_t variant);
void fake_put_as(struct fake *fake, const char *name, const char *arn_name);
void fake_put_text(struct fake *fake, const char *name, const char *resource);
void fake_remove(struct fake *fake, const char *name, const char *renamed_to);
void fake_send_delta(struct fake *fake);
void fake_beat(struct fake *fake);
void fake_send_reason(
    struct fake *fake, enum message_type type, const char *code, const char *text);
void fake_send(struct fake *fake, unsigned type, uint64_t base, uint64_t sequence, uint32_t count,
    const char *text);

struct follower {
	struct bus_world world;
	struct fake fake;
	struct settings *settings;
	struct metrics *metrics;
	struct directory *directory;
	struct subscriber *subscriber; /* NULL: without discoveryd */
	char *cache;
	char events[512]; /* "+added ~changed -removed " */
};

/* Items c0, c1, ... with variant 0. */
void open_follower(struct follower *follower, size_t items);
void close_follower(struct follower *follower);
void stop_follower(struct follower *follower);
void start_follower(struct follower *follower, bool has_subscriber);
void restart_follower(struct follower *follower, bool has_subscriber);
/* Waits until the directory has what the fake has, byte for byte, and is fresh. */
void assert_follows(struct follower *follower);
/* Waits until the fake has got so many HELLOs. */
bool wait_hello(struct follower *follower, unsigned count);

#endif
