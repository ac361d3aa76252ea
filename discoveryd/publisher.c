/* The bus socket and what belongs to all subscribers: who may connect, the table, the list of
 * sessions, the heartbeat, and the watch over the socket file. One conversation is
 * publisher_session.c's. */
#include "discoveryd/publisher.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/publisher_session.h"
#include "discoveryd/publisher_tasks.h"

#define SESSIONS_MAX	    1024
#define SEND_QUEUE	    64
#define RECEIVE_QUEUE	    16
#define LINGER_MS	    500 /* for the BYE */
#define PATIENCE_SECONDS    30
#define UPKEEP_SECONDS	    1
#define REFRESH_MS	    INT64_C(30000) /* between two of one cluster */
#define REFRESH_BURST	    20.0
#define REFRESH_PER_SECOND  0.5
#define DESCRIPTORS_PERCENT 80

/* --- who may connect */

static size_t count_descriptors(void)
{
	size_t count = 0;
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return 0;
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

/* The library aborts the process when it cannot accept a connection, so the last fifth is not given
 * away. */
static bool has_descriptors_left(void)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	       count_descriptors() < limit.rlim_cur / 100 * DESCRIPTORS_PERCENT;
}

static bool on_connect(void *arg, const struct zsock_peer *peer)
{
	struct publisher *publisher = arg;
	bool is_known = publisher_roles_of(publisher->roles, peer->uid) != 0;
	if (is_known && has_descriptors_left())
		return true;
	metric_add(publisher->metrics.faults, 1, is_known ? "descriptors" : "uid");
	if (mono_since(publisher->refused_logged_at).ms < 1000)
		return false;
	publisher->refused_logged_at = mono_now();
	log_warn("bus", "connection-refused", LOG_I("uid", peer->uid), LOG_I("pid", peer->pid),
	    LOG_S("why", is_known ? "too many descriptors are open"
				  : "the user is not in eksgate.bus.proxy_users or tap_users"));
	return false;
}

static void add_users(
    struct publisher *publisher, const char *const *users, size_t count, unsigned role)
{
	for (size_t i = 0; i < count; i++) {
		if (!publisher_roles_add(publisher->roles, users[i], role))
			log_info("bus", "no-such-user", LOG_S("user", users[i]),
			    LOG_S("role", role == BUS_ROLE_PROXY ? "proxy" : "tap"));
	}
}

/* --- messages */

static struct session *find_session(struct publisher *publisher, const struct zsock_frame *id)
{
	struct session *session;
	TAILQ_FOREACH(session, &publisher->sessions, entry)
	{
		if (session->id_len == id->len && memcmp(session->id, id->data, id->len) == 0)
			return session;
	}
	return NULL;
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct publisher *publisher = arg;
	const struct zsock_frame *id = &message->frames[0];
	struct session *session = find_session(publisher, id);
	if (session == NULL &&
	    (publisher->session_count >= SESSIONS_MAX || id->len > SESSION_ID_MAX)) {
		metric_add(publisher->metrics.faults, 1, "full");
		return;
	}
	if (session == NULL)
		session = session_new(publisher, id, &message->peer);
	if (message->count == 3 && !message->is_cut)
		session_receive(session, &message->frames[1], &message->frames[2]);
	else
		session_fault(session, "message", "a message has exactly two frames");
}

void publisher_take_refresh(struct publisher *publisher, const char *name, const char *reason)
{
	struct mono *last = publisher_table_refreshed_at(publisher->table, name);
	struct duration since = mono_since(publisher->refresh_filled_at);
	double tokens = publisher->refresh_tokens + (double)since.ms / 1000 * REFRESH_PER_SECOND;
	publisher->refresh_tokens = tokens < REFRESH_BURST ? tokens : REFRESH_BURST;
	publisher->refresh_filled_at = mono_now();
	const char *outcome = "taken";
	if (last == NULL)
		outcome = "unknown";
	else if (last->ns != 0 && mono_since(*last).ms < REFRESH_MS)
		outcome = "recent";
	else if (publisher->refresh_tokens < 1)
		outcome = "limited";
	metric_add(publisher->metrics.refreshes, 1, outcome);
	if (strcmp(outcome, "taken") != 0)
		return;
	*last = mono_now();
	publisher->refresh_tokens -= 1;
	if (publisher->on_refresh != NULL)
		publisher->on_refresh(publisher->arg, name, reason);
}

/* --- the socket and its file */

static bool open_socket(struct publisher *publisher, char **error)
{
	const struct zsock_options options = {.message_max = MESSAGE_HELLO_MAX,
	    .send_queue = SEND_QUEUE,
	    .receive_queue = RECEIVE_QUEUE,
	    .linger = duration_ms(LINGER_MS),
	    .on_message = on_message,
	    .arg = publisher};
	publisher->zsock = zsock_bind(publisher->context, publisher->path, &options, error);
	return publisher->zsock != NULL;
}

/* Somebody removed or replaced the file, and new subscribers would not find this bus. The path is
 * locked by us, so it is bound anew; those that are connected come back by themselves. */
static void rebind(struct publisher *publisher)
{
	struct session *session, *next;
	char *error = NULL;
	log_error("bus", "socket-replaced", LOG_S("path", publisher->path),
	    LOG_S("remedy", "nobody but discoveryd may touch this file; it is bound anew"));
	metric_add(publisher->metrics.rebinds, 1);
	TAILQ_FOREACH_SAFE(session, &publisher->sessions, entry, next)
	session_drop(session, "the socket was replaced");
	zsock_free(&publisher->zsock);
	if (open_socket(publisher, &error))
		return;
	log_error("bus", "cannot-bind", LOG_S("error", error));
	free(error);
}

static void on_upkeep(void *arg)
{
	struct publisher *publisher = arg;
	if (publisher->zsock == NULL || !zsock_is_in_place(publisher->zsock))
		rebind(publisher);
	timer_set(publisher->upkeep, duration_seconds(UPKEEP_SECONDS));
}

static void on_beat(void *arg)
{
	struct publisher *publisher = arg;
	struct session *session, *next;
	timer_set(publisher->beat, publisher->heartbeat);
	TAILQ_FOREACH_SAFE(session, &publisher->sessions, entry, next)
	session_beat(session);
}

static void on_pump(void *arg)
{
	struct publisher *publisher = arg;
	struct session *session, *next;
	TAILQ_FOREACH_SAFE(session, &publisher->sessions, entry, next)
	session_pump(session);
}

/* Who may write to the directory could put another socket in our place. */
static bool check_directory(const char *path, char **error)
{
	struct stat status;
	const char *slash = strrchr(path, '/');
	char *directory = xstrndup(path, slash > path ? (size_t)(slash - path) : 1);
	bool is_good = false;
	if (stat(directory, &status) != 0)
		*error = xasprintf(
		    "the directory of the bus socket, %s: %s", directory, strerror(errno));
	else if ((status.st_mode & S_IWOTH) != 0)
		*error = xasprintf("the directory of the bus socket, %s, is writable by everybody: "
				   "choose another or take that right away",
		    directory);
	else
		is_good = true;
	free(directory);
	return is_good;
}

static bool lock_path(struct publisher *publisher, char **error)
{
	char *lock = xasprintf("%s.lock", publisher->path);
	publisher->lock = lock_file_take(lock, error);
	free(lock);
	return publisher->lock >= 0;
}

static bool open_bus(struct publisher *publisher, char **error)
{
	if (publisher->path[0] != '/') {
		*error =
		    xasprintf("bus socket \"%s\": an absolute path is needed", publisher->path);
		return false;
	}
	if (!check_directory(publisher->path, error) || !lock_path(publisher, error))
		return false;
	publisher->context = zsock_context_new(publisher->loop, on_connect, publisher, error);
	return publisher->context != NULL && open_socket(publisher, error);
}

/* --- metrics */

static void on_collect(void *arg)
{
	struct publisher *publisher = arg;
	const struct session *session;
	const struct publisher_table *table = publisher->table;
	int64_t sequence = publisher_table_sequence(table), lag = 0;
	metric_clear(publisher->metrics.subscribers);
	TAILQ_FOREACH(session, &publisher->sessions, entry)
	{
		if (session->state <= SESSION_REFUSED)
			continue;
		metric_add(publisher->metrics.subscribers, 1, session->role_name,
		    session_state_text(session->state));
		lag = sequence - session->applied > lag ? sequence - session->applied : lag;
	}
	metric_set(publisher->metrics.lag, (double)lag);
	metric_set(publisher->metrics.items, (double)publisher_table_count(table));
	metric_set(publisher->metrics.sequence, (double)sequence);
}

static void add_metrics(struct publisher *publisher, struct metrics *metrics)
{
	publisher->metrics.subscribers =
	    metrics_gauge(metrics, "eksgate_bus_subscribers", "Subscribers.", "role state");
	publisher->metrics.lag = metrics_gauge(
	    metrics, "eksgate_bus_lag", "Changes that the slowest subscriber has not applied.", "");
	publisher->metrics.items =
	    metrics_gauge(metrics, "eksgate_bus_items", "Items in the table.", "");
	publisher->metrics.sequence =
	    metrics_gauge(metrics, "eksgate_bus_sequence", "Sequence of the table.", "");
	publisher->metrics.messages = metrics_counter(
	    metrics, "eksgate_bus_messages_total", "Bus messages.", "direction type");
	publisher->metrics.faults = metrics_counter(
	    metrics, "eksgate_bus_refused_total", "Connections and messages refused.", "code");
	publisher->metrics.snapshots =
	    metrics_counter(metrics, "eksgate_bus_snapshots_total", "Snapshots sent.", "");
	publisher->metrics.refreshes = metrics_counter(metrics, "eksgate_bus_refreshes_total",
	    "Refreshes that subscribers asked for.", "outcome");
	publisher->metrics.rebinds = metrics_counter(
	    metrics, "eksgate_bus_rebinds_total", "Times the socket file was replaced.", "");
	publisher_tasks_metrics(publisher->tasks, metrics);
	metrics_on_collect(metrics, on_collect, publisher);
}

/* --- life */

static uint64_t random_instance(void)
{
	uint64_t instance;
	if (getrandom(&instance, sizeof instance, 0) != (ssize_t)sizeof instance)
		abort();
	return instance;
}

static struct publisher *make(struct loop *loop, const struct publisher_options *options)
{
	struct publisher *publisher = xcalloc(1, sizeof *publisher);
	publisher->loop = loop;
	publisher->path = xstrdup(options->socket_path);
	publisher->group = xstrdup(options->group);
	publisher->group_id = message_group_id(options->group);
	publisher->epoch = options->epoch;
	publisher->instance = random_instance();
	publisher->heartbeat = options->heartbeat;
	publisher->patience =
	    options->patience.ms > 0 ? options->patience : duration_seconds(PATIENCE_SECONDS);
	publisher->aws = options->aws;
	publisher->lock = -1;
	publisher->table = publisher_table_new();
	publisher->tasks = publisher_tasks_new(publisher);
	publisher->roles = publisher_roles_new(geteuid());
	add_users(publisher, options->proxy_users, options->proxy_user_count, BUS_ROLE_PROXY);
	add_users(publisher, options->tap_users, options->tap_user_count, BUS_ROLE_TAP);
	TAILQ_INIT(&publisher->sessions);
	publisher->beat = timer_new(loop, on_beat, publisher);
	publisher->upkeep = timer_new(loop, on_upkeep, publisher);
	publisher->pump = (struct deferred){.fn = on_pump, .arg = publisher};
	publisher->refresh_tokens = REFRESH_BURST;
	publisher->refresh_filled_at = mono_now();
	return publisher;
}

struct publisher *publisher_new(struct loop *loop, struct metrics *metrics,
    const struct publisher_options *options, const struct publisher_change *initial,
    size_t initial_count, int64_t sequence, publisher_refresh_fn *on_refresh, void *arg,
    char **error)
{
	struct publisher *publisher = make(loop, options);
	publisher->on_refresh = on_refresh;
	publisher->arg = arg;
	for (size_t i = 0; i < initial_count; i++)
		publisher_table_load(publisher->table, &initial[i]);
	publisher_table_start(publisher->table, sequence);
	if (!open_bus(publisher, error)) {
		publisher_free(&publisher);
		return NULL;
	}
	add_metrics(publisher, metrics);
	timer_set(publisher->beat, publisher->heartbeat);
	timer_set(publisher->upkeep, duration_seconds(UPKEEP_SECONDS));
	log_info("bus", "bound", LOG_S("path", publisher->path), LOG_S("group", publisher->group),
	    LOG_I("epoch", publisher->epoch), LOG_I("sequence", sequence),
	    LOG_I("items", initial_count));
	return publisher;
}

void publisher_free(struct publisher **publisher_at)
{
	struct publisher *publisher = *publisher_at;
	struct session *session, *next;
	if (publisher == NULL)
		return;
	TAILQ_FOREACH_SAFE(session, &publisher->sessions, entry, next)
	{
		session_say_bye(session, "stopping", "discoveryd is stopping");
		session_drop(session, "stopping");
	}
	zsock_free(&publisher->zsock);
	zsock_context_free(&publisher->context);
	loop_undefer(publisher->loop, &publisher->pump);
	timer_free(&publisher->beat);
	timer_free(&publisher->upkeep);
	publisher_table_free(&publisher->table);
	publisher_tasks_free(&publisher->tasks);
	publisher_roles_free(&publisher->roles);
	if (publisher->lock >= 0)
		close(publisher->lock);
	free(publisher->path);
	free(publisher->group);
	xfree(publisher_at);
}

void publisher_hold(struct publisher *publisher, bool is_held)
{
	publisher->is_held = is_held;
}

void publisher_publish(
    struct publisher *publisher, const struct publisher_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (changes[i].revision > publisher_table_sequence(publisher->table))
			publisher_table_apply(publisher->table, &changes[i]);
		else
			log_error("bus", "change-out-of-order", LOG_S("name", changes[i].name),
			    LOG_I("revision", changes[i].revision),
			    LOG_I("sequence", publisher_table_sequence(publisher->table)));
	}
	loop_defer(publisher->loop, &publisher->pump);
}

struct json_object *publisher_inventory(struct publisher *publisher)
{
	const struct session *session;
	struct json_object *array = json_object_new_array();
	TAILQ_FOREACH(session, &publisher->sessions, entry)
	{
		if (session->state > SESSION_REFUSED)
			json_object_array_add(array, session_json(session));
	}
	return array;
}
