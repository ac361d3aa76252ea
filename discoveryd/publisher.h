/* The bus side of discoveryd: epoch, sessions, snapshots, deltas, heartbeats (design.md 4.3,
 * proto/PROTOCOL.md). It observes commits of the registry and never changes anything; what
 * subscribers send goes up by callback to main. */
#ifndef EKSGATE_PUBLISHER_H
#define EKSGATE_PUBLISHER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

struct loop;
struct message_report;
struct metrics;
struct publisher;

/* One committed change. `resource` is canonical JSON, NULL for a removal. Borrowed during the call.
 */
struct publisher_change {
	const char *name;
	int64_t revision; /* the bus sequence */
	const char *resource;
	size_t resource_len;
	const char *renamed_to; /* of a removal: the name under which it lives on; else NULL */
};

struct publisher_options {
	const char *socket_path; /* bus.sock; its directory must exist */
	const char *group; /* discovery group */
	uint64_t epoch; /* from the registry: grows at every start, durable before this */
	const char *const *proxy_users; /* user names or decimal uids allowed with role "proxy" */
	size_t proxy_user_count;
	const char *const *tap_users;
	size_t tap_user_count;
	struct duration heartbeat;
	struct duration patience; /* how long a subscriber may leave data unacknowledged; 0: 30 s */
	const struct aws_context *aws; /* for the clock offset in heartbeats; NULL: 0 */
};

/* REFRESH from a subscriber: describe this cluster now. */
typedef void publisher_refresh_fn(void *arg, const char *name, const char *reason);

/* What proxies tell beside the table. `proxy` tells them apart; a number is not used again. */
struct publisher_listener {
	void (*on_report)(
	    void *arg, uint64_t proxy, const char *instance, const struct message_report *report);
	/* What it reported is void. */
	void (*on_gone)(void *arg, uint64_t proxy);
	/* Once per task that was given and not dropped. Codes: proto/task.h, and
	 * PUBLISHER_TASK_LOST. */
	void (*on_result)(void *arg, uint64_t task, bool is_ok, const char *code, const char *text);
	void *arg;
};
#define PUBLISHER_TASK_LOST "lost" /* its proxy has gone */

/* Locks SOCKET.lock, then binds. False: *error (free()), "…/bus.sock is held by discoveryd pid
 * 4711". `initial` is the whole committed set at sequence `sequence`. */
struct publisher *publisher_new(struct loop *loop, struct metrics *metrics,
    const struct publisher_options *options, const struct publisher_change *initial,
    size_t initial_count, int64_t sequence, publisher_refresh_fn *on_refresh, void *arg,
    char **error) MUST_USE;
/* Says BYE to everybody. */
void publisher_free(struct publisher **publisher);
/* While the set is being built anew, subscribers that have a table keep it: they are asked to come
 * back later instead of being given less than they have. Newcomers are welcome. */
void publisher_hold(struct publisher *publisher, bool is_held);
/* Tells what was committed, in order of revision, without gaps after what was told before. */
void publisher_publish(
    struct publisher *publisher, const struct publisher_change *changes, size_t count);
/* All zeros: nobody listens any more. */
void publisher_listen(struct publisher *publisher, const struct publisher_listener *listener);
/* Gives a proxy a task (proto/task.h); `body` is borrowed. Returns its number, or 0: the proxy has
 * gone, has too many tasks, or its queue is full. on_result is never called from here. */
uint64_t publisher_give_task(struct publisher *publisher, uint64_t proxy, const char *kind,
    const char *cluster, char *body, struct duration timeout) MUST_USE;
/* Its result is of no interest any more. */
void publisher_drop_task(struct publisher *publisher, uint64_t task);
/* Connected subscribers: [{instance, role, uid, pid, version, applied, lag, state, since}]
 * (json_object_put). */
struct json_object *publisher_inventory(struct publisher *publisher) MUST_USE;

#endif
