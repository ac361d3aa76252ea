/* The table of the tap and its PUB socket. The table is what the bus said last of each cluster, so
 * that who comes late can be told; a subscription starts a walk over it, in slices, so that a walk
 * does not overflow the queues of those who read. Who does not read loses messages, and nobody else
 * does. Owned by bustap.c. */
#include "proto/bustap_serve.h"

#include <bsd/sys/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "common/zsock.h"
#include "proto/bustap_show.h"

#define CLUSTER_TOPIC	 "kube_cluster/"
#define BUS_TOPIC	 "bus/"
#define QUEUE		 2000 /* messages per subscriber */
#define SUBSCRIPTION_MAX 1024 /* bytes of one message of a subscriber */
#define SLICE		 200 /* clusters told in one go */
#define SLICE_MS	 20
#define LINGER_MS	 100

/* One cluster as it is shown. */
struct shown {
	char *name;
	int64_t revision;
	char *text; /* the message, for who comes late */
	uint64_t snapshot; /* the last one that it was in */
	RB_ENTRY(shown) entry;
};
RB_HEAD(shown_tree, shown);

struct tap_server {
	struct loop *loop;
	int lock;
	struct zsock_context *context;
	struct zsock *zsock;
	struct shown_tree table;
	uint64_t snapshot; /* counts them */
	struct timer *walk;
	char *walked; /* the last name that the walk told; NULL: from the start */
	bool is_wanted_again; /* somebody subscribed while a walk was under way */
};

static int compare_shown(const struct shown *a, const struct shown *b)
{
	return strcmp(a->name, b->name);
}

RB_PROTOTYPE(shown_tree, shown, entry, compare_shown);
RB_GENERATE(shown_tree, shown, entry, compare_shown);

/* --- telling */

/* Who is not there, or does not read, does not get it. */
static void publish(
    struct tap_server *server, const char *prefix, const char *name, const char *text)
{
	char *topic = xasprintf("%s%s", prefix, name);
	const struct zsock_frame frames[] = {{topic, strlen(topic)}, {text, strlen(text)}};
	(void)!zsock_send(server->zsock, frames, 2);
	free(topic);
}

static void publish_line(
    struct tap_server *server, const struct message_header *header, const char *line)
{
	char number[16];
	const char *name = message_type_name(header->type);
	snprintf(number, sizeof number, "%u", header->type);
	publish(server, BUS_TOPIC, name != NULL ? name : number, line);
}

/* --- the table */

static struct shown *find(const struct tap_server *server, const char *name)
{
	const struct shown key = {.name = (char *)(uintptr_t)name};
	struct shown *shown = RB_ROOT(&server->table);
	while (shown != NULL) {
		int order = compare_shown(&key, shown);
		if (order == 0)
			return shown;
		shown = order < 0 ? RB_LEFT(shown, entry) : RB_RIGHT(shown, entry);
	}
	return NULL;
}

static void drop(struct tap_server *server, struct shown *shown)
{
	RB_REMOVE(shown_tree, &server->table, shown);
	free(shown->name);
	free(shown->text);
	free(shown);
}

/* {event, name, revision, …} (json_object_put). */
static struct json_object *new_message(const char *event, const char *name, int64_t revision)
{
	struct json_object *message = json_object_new_object();
	json_object_object_add(message, "event", json_object_new_string(event));
	json_object_object_add(message, "name", json_object_new_string(name));
	json_object_object_add(message, "revision", json_object_new_int64(revision));
	return message;
}

/* Takes `message`. */
static char *message_text(struct json_object *message)
{
	char *text = show_document(message);
	json_object_put(message);
	return text;
}

static void tell_removed(
    struct tap_server *server, const char *name, int64_t revision, const char *renamed_to)
{
	struct json_object *message = new_message("removed", name, revision);
	if (renamed_to != NULL)
		json_object_object_add(message, "renamed_to", json_object_new_string(renamed_to));
	char *text = message_text(message);
	publish(server, CLUSTER_TOPIC, name, text);
	free(text);
}

static void put(struct tap_server *server, const struct message_item *item)
{
	struct shown *shown = find(server, item->name);
	if (shown != NULL)
		shown->snapshot = server->snapshot;
	if (shown != NULL && shown->revision == item->revision)
		return;
	if (shown == NULL) {
		shown = xcalloc(1, sizeof *shown);
		shown->name = xstrdup(item->name);
		shown->snapshot = server->snapshot;
		RB_INSERT(shown_tree, &server->table, shown);
	}
	struct json_object *message = new_message("put", item->name, item->revision);
	json_object_object_add(
	    message, "resource", show_resource(item->resource, item->resource_len));
	free(shown->text);
	shown->text = message_text(message);
	shown->revision = item->revision;
	publish(server, CLUSTER_TOPIC, shown->name, shown->text);
}

static void take_items(struct tap_server *server, const struct message_items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct message_item *item = &items->items[i];
		if (item->resource != NULL) {
			put(server, item);
			continue;
		}
		struct shown *shown = find(server, item->name);
		tell_removed(server, item->name, item->revision, item->renamed_to);
		if (shown != NULL)
			drop(server, shown);
	}
}

/* What was not in the snapshot that ended is no more. */
static void end_snapshot(struct tap_server *server, int64_t sequence)
{
	struct shown *shown, *next;
	RB_FOREACH_SAFE(shown, shown_tree, &server->table, next)
	{
		if (shown->snapshot == server->snapshot)
			continue;
		tell_removed(server, shown->name, sequence, NULL);
		drop(server, shown);
	}
}

/* --- who comes late */

/* The first whose name is greater. */
static const struct shown *next_to_tell(const struct tap_server *server)
{
	const struct shown *next = NULL, *at = RB_ROOT(&server->table);
	while (at != NULL) {
		bool is_greater = server->walked == NULL || strcmp(server->walked, at->name) < 0;
		if (is_greater)
			next = at;
		at = is_greater ? RB_LEFT(at, entry) : RB_RIGHT(at, entry);
	}
	return next;
}

static void on_walk(void *arg)
{
	struct tap_server *server = arg;
	const struct shown *shown = next_to_tell(server);
	for (size_t told = 0; shown != NULL && told < SLICE; told++) {
		publish(server, CLUSTER_TOPIC, shown->name, shown->text);
		free(server->walked);
		server->walked = xstrdup(shown->name);
		shown = next_to_tell(server);
	}
	if (shown == NULL) {
		xfree(&server->walked);
		if (!server->is_wanted_again)
			return;
		server->is_wanted_again = false;
	}
	timer_set(server->walk, duration_ms(SLICE_MS));
}

/* A subscription is a byte 1 and the topic's beginning; what a client publishes is nothing to us.
 */
static void on_subscription(void *arg, const struct zsock_message *message)
{
	struct tap_server *server = arg;
	const unsigned char *data = message->frames[0].data;
	size_t len = message->frames[0].len, topic = sizeof CLUSTER_TOPIC - 1;
	if (len == 0 || data[0] != 1 ||
	    memcmp(data + 1, CLUSTER_TOPIC, len - 1 < topic ? len - 1 : topic) != 0)
		return;
	if (timer_is_set(server->walk))
		server->is_wanted_again = true;
	else
		timer_set(server->walk, duration_ms(0));
}

/* --- public */

void tap_server_take(struct tap_server *server, const struct message_header *header,
    const union message_body *body, const char *line)
{
	publish_line(server, header, line);
	switch (body != NULL ? header->type & ~MESSAGE_TYPE_OPTIONAL : 0) {
	case MESSAGE_SNAPSHOT_BEGIN:
		server->snapshot++;
		break;
	case MESSAGE_SNAPSHOT_CHUNK:
	case MESSAGE_DELTA:
		take_items(server, &body->items);
		break;
	case MESSAGE_SNAPSHOT_END:
		end_snapshot(server, (int64_t)header->sequence);
		break;
	default:
		break;
	}
}

static bool bind_socket(struct tap_server *server, const char *path, char **error)
{
	const struct zsock_options options = {.message_max = SUBSCRIPTION_MAX,
	    .send_queue = QUEUE,
	    .receive_queue = QUEUE,
	    .linger = duration_ms(LINGER_MS),
	    .on_message = on_subscription,
	    .arg = server};
	char *lock = xasprintf("%s.lock", path);
	server->lock = lock_file_take(lock, error);
	free(lock);
	if (server->lock < 0)
		return false;
	server->context = zsock_context_new(server->loop, NULL, NULL, error);
	if (server->context == NULL)
		return false;
	server->zsock = zsock_publish(server->context, path, &options, error);
	return server->zsock != NULL;
}

struct tap_server *tap_server_new(struct loop *loop, const char *path, char **error)
{
	struct tap_server *server = xcalloc(1, sizeof *server);
	server->loop = loop;
	server->lock = -1;
	RB_INIT(&server->table);
	server->walk = timer_new(loop, on_walk, server);
	if (!bind_socket(server, path, error))
		tap_server_free(&server);
	return server;
}

void tap_server_free(struct tap_server **server)
{
	if (*server == NULL)
		return;
	zsock_free(&(*server)->zsock);
	zsock_context_free(&(*server)->context);
	timer_free(&(*server)->walk);
	while (!RB_EMPTY(&(*server)->table))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed left the tree before */
		drop(*server, RB_ROOT(&(*server)->table));
	if ((*server)->lock >= 0)
		close((*server)->lock);
	free((*server)->walked);
	xfree(server);
}
