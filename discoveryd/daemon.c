/* Wires the running daemon: opens the registry, binds the bus, starts discovery, answers signals.
 * The order of making is the order of need; the order of ending is its reverse. */
#include "discoveryd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/admin.h"
#include "common/aws_call.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/notify.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access.h"
#include "discoveryd/admin_routes.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/enrollment.h"
#include "discoveryd/guard.h"
#include "discoveryd/publisher.h"
#include "discoveryd/registry.h"
#include "discoveryd/separation.h"

#define STATUS_SECONDS 5
#define LEAVE_SECONDS  10
#define LEAVE_LOOK_MS  50
/* How often a set that is built anew is looked at, and how long proxies wait for it at most. */
#define HOLD_CHECK_MS	250
#define HOLD_LONGEST_MS INT64_C(60000)

/* --- configuration ---------------------------------------------------------------------------- */

/* One log line per finding; findings are separated by newlines. */
static void log_findings(const char *event, const char *findings)
{
	while (*findings != '\0') {
		size_t len = strcspn(findings, "\n");
		char *line = xstrndup(findings, len);
		if (len > 0)
			log_error("settings", event, LOG_S("finding", line));
		free(line);
		findings += len + (findings[len] == '\n');
	}
}

static void log_notes(const struct settings *settings)
{
	for (size_t i = 0; i < settings->note_count; i++)
		log_info("settings", "note", LOG_S("text", settings->notes[i]));
	for (size_t i = 0; i < settings->warning_count; i++)
		log_warn("settings", "warning", LOG_S("text", settings->warnings[i]));
}

/* NULL with *error, one finding a line (free()). */
static struct settings *load_settings(const char *config, char **error)
{
	struct settings *settings = settings_load(config, error);
	if (settings == NULL ||
	    (settings->discovery.enabled && settings->discovery.matcher_count > 0))
		return settings;
	*error = xasprintf("%s: discovery_service has nothing to look for: set enabled: true and "
			   "give it an aws: list with "
			   "types: [eks], regions and tags",
	    config);
	settings_free(&settings);
	return NULL;
}

/* What only a restart changes. */
static void warn_of_restart(const struct settings *old, const struct settings *new)
{
	static const char *const own[] = {"discovery_service.", "eksgate.state_dir",
	    "eksgate.metrics_listen", "eksgate.bus.", "eksgate.discovery.", NULL};
	char *keys = settings_frozen_changes(old, new, own);
	if (keys != NULL)
		log_warn("settings", "needs-restart", LOG_S("keys", keys));
	free(keys);
}

/* --- news from below -------------------------------------------------------------------------- */

static bool on_swept(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error)
{
	struct daemon *daemon = arg;
	return enrollment_take(daemon->enrollment, scope, result, error);
}

static const struct look *on_recall(void *arg, const struct scope *scope, const char *name)
{
	const struct daemon *daemon = arg;
	return enrollment_recall(daemon->enrollment, scope, name);
}

static void on_scopes(void *arg)
{
	struct daemon *daemon = arg;
	enrollment_scopes_changed(daemon->enrollment);
	if (daemon->access != NULL)
		access_scopes_changed(daemon->access);
}

static struct publisher_change *changes_of(const struct registry_event *events, size_t count)
{
	struct publisher_change *changes = xcalloc(count + 1, sizeof *changes);
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct publisher_change){.name = events[i].name,
		    .revision = events[i].revision,
		    .resource = events[i].resource,
		    .resource_len = events[i].resource_len};
	return changes;
}

static void tell_access(struct daemon *daemon, const struct registry_event *events, size_t count)
{
	const char **names = xcalloc(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		names[i] = events[i].name;
	if (daemon->access != NULL)
		access_clusters_changed(daemon->access, names, count);
	free(names);
}

static void on_committed(void *arg, const struct registry_event *events, size_t count)
{
	struct daemon *daemon = arg;
	struct publisher_change *changes = changes_of(events, count);
	for (size_t i = 0; i < count; i++) {
		const struct tombstone *tombstone =
		    registry_find_tombstone(daemon->registry, changes[i].name);
		if (changes[i].resource == NULL && tombstone != NULL)
			changes[i].renamed_to = tombstone->renamed_to;
	}
	publisher_publish(daemon->publisher, changes, count);
	free(changes);
	tell_access(daemon, events, count);
}

static void on_access(void *arg, const char *arn, const char *text)
{
	struct daemon *daemon = arg;
	enrollment_set_access(daemon->enrollment, arn, text);
}

/* The next look removes it. */
static void on_released(void *arg, const char *arn)
{
	struct daemon *daemon = arg;
	const struct cluster_item *item = cluster_set_find_arn(registry_set(daemon->registry), arn);
	for (size_t i = 0; item != NULL && i < item->claim_count; i++)
		discovery_refresh(
		    daemon->discovery, item->claims[i].scope, item->cluster->aws.name);
	enrollment_scopes_changed(daemon->enrollment);
}

static bool on_removal(void *arg, const struct cluster_item *item)
{
	struct daemon *daemon = arg;
	return access_hold(daemon->access, item);
}

/* A proxy saw something that does not fit what it knows: look again. */
static void on_refresh(void *arg, const char *name, const char *reason)
{
	struct daemon *daemon = arg;
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(daemon->registry), name);
	log_info("main", "refresh", LOG_S("name", name), LOG_S("reason", reason),
	    LOG_B("known", item != NULL));
	for (size_t i = 0; item != NULL && i < item->claim_count; i++)
		discovery_refresh(
		    daemon->discovery, item->claims[i].scope, item->cluster->aws.name);
}

static bool is_ready(void *arg, const char **why)
{
	const struct daemon *daemon = arg;
	if (daemon->publisher != NULL)
		return true;
	*why = "the bus is not bound yet";
	return false;
}

static void on_collect(void *arg)
{
	const struct daemon *daemon = arg;
	if (daemon->discovery == NULL)
		return;
	const struct discovery_metrics *families = daemon->families;
	metric_clear(families->clusters);
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(registry_set(daemon->registry), item)) != NULL)
		metric_add(families->clusters, 1, item->cluster->status.phase);
	metric_set(families->held, (double)guard_held_count(enrollment_guard(daemon->enrollment)));
	metric_set(families->registry_sequence, (double)registry_sequence(daemon->registry));
	metric_set(
	    families->registry_tombstones, (double)registry_tombstone_count(daemon->registry));
	metric_set(
	    families->registry_looks, (double)look_set_count(registry_looks(daemon->registry)));
	metric_clear(families->scope_clusters);
	metric_clear(families->scope_age);
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(daemon->discovery, scope)) != NULL) {
		int64_t age =
		    scope->last_success.ms == 0 ? -1000 : unix_now().ms - scope->last_success.ms;
		metric_set(families->scope_clusters, (double)scope->clusters, scope->id);
		metric_set(families->scope_age, (double)age / 1000.0, scope->id);
	}
}

/* --- signals ---------------------------------------------------------------------------------- */

static char *status_text(const struct daemon *daemon)
{
	size_t count = cluster_set_count(registry_set(daemon->registry)), scopes = 0, failing = 0;
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(daemon->discovery, scope)) != NULL) {
		scopes++;
		failing += scope->state == SCOPE_BACKOFF;
	}
	return xasprintf("%zu clusters, %zu scopes, %zu failing%s", count, scopes, failing,
	    discovery_is_complete(daemon->discovery) ? "" : ", first pass under way");
}

void daemon_compare_principals(const struct daemon *daemon)
{
	struct json_object *inventory = publisher_inventory(daemon->publisher);
	separation_look(daemon->separation, daemon->discovery, inventory);
	json_object_put(inventory);
}

static void on_status(void *arg)
{
	struct daemon *daemon = arg;
	daemon_compare_principals(daemon);
	char *text = status_text(daemon);
	notify_ready(daemon->notify, text);
	free(text);
	timer_set(daemon->status, duration_seconds(STATUS_SECONDS));
}

/* Nobody is left cluster-admin for as long as the program is not there; the journal ends what AWS
 * does not let end in this time. */
static void on_leave(void *arg)
{
	struct daemon *daemon = arg;
	if (access_stop(daemon->access) && !mono_is_past(daemon->leaves))
		timer_set(daemon->leave, duration_ms(LEAVE_LOOK_MS));
	else
		loop_stop(daemon->loop);
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;
	if (daemon->leave != NULL) { /* told twice */
		loop_stop(daemon->loop);
		return;
	}
	log_info("main", "stopping");
	notify_stopping(daemon->notify, "stopping");
	daemon->leave = timer_new(daemon->loop, on_leave, daemon);
	daemon->leaves = mono_add(mono_now(), duration_seconds(LEAVE_SECONDS));
	on_leave(daemon);
}

static void on_reload(void *arg)
{
	struct daemon *daemon = arg;
	notify_reloading(daemon->notify);
	xfree(&daemon->reload_error);
	struct settings *settings = load_settings(daemon->config, &daemon->reload_error);
	if (settings == NULL) {
		log_findings("reload-refused", daemon->reload_error);
		on_status(daemon);
		return;
	}
	struct settings *old = daemon->settings;
	warn_of_restart(old, settings);
	log_notes(settings);
	log_set_level(settings->log_level);
	daemon->settings = settings;
	enrollment_configure(daemon->enrollment, daemon->discovery, settings);
	discovery_configure(daemon->discovery, settings);
	access_configure(daemon->access, settings);
	settings_free(&old);
	log_info("settings", "reloaded", LOG_S("file", daemon->config));
	on_status(daemon);
}

/* --- a set that is built anew ----------------------------------------------------------------- */

static bool is_failing(const struct discovery *discovery)
{
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(discovery, scope)) != NULL) {
		if (scope->state == SCOPE_BACKOFF)
			return true;
	}
	return false;
}

/* Everything was seen once, or long enough was waited for it. */
static void on_hold(void *arg)
{
	struct daemon *daemon = arg;
	bool is_whole = discovery_is_complete(daemon->discovery) &&
			discovery_knows_accounts(daemon->discovery) &&
			!is_failing(daemon->discovery);
	if (!is_whole && mono_since(daemon->held_at).ms < HOLD_LONGEST_MS) {
		timer_set(daemon->hold, duration_ms(HOLD_CHECK_MS));
		return;
	}
	publisher_hold(daemon->publisher, false);
	log_info("main", "set-built", LOG_B("whole", is_whole),
	    LOG_I("clusters", cluster_set_count(registry_set(daemon->registry))));
}

/* Without its file discoveryd knows nothing, and proxies may know everything. */
static void hold_when_new(struct daemon *daemon)
{
	if (!registry_is_new(daemon->registry))
		return;
	publisher_hold(daemon->publisher, true);
	daemon->held_at = mono_now();
	timer_set(daemon->hold, duration_ms(HOLD_CHECK_MS));
}

/* --- making and ending ----------------------------------------------------------------------- */

/* The directory of the bus belongs to the bus's group: others may pass, none may list. */
static bool make_bus_directory(const char *socket, char **error)
{
	const char *slash = strrchr(socket, '/');
	char *dir = xstrndup(socket, slash != NULL ? (size_t)(slash - socket) : 0);
	bool is_there = dir[0] == '\0' || mkdir(dir, 0750) == 0 || errno == EEXIST;
	if (!is_there)
		*error = xasprintf("cannot make %s for the bus: %s", dir, strerror(errno));
	free(dir);
	return is_there;
}

static bool bind_bus(struct daemon *daemon, char **error)
{
	const struct settings *settings = daemon->settings;
	if (!make_bus_directory(settings->bus.socket, error))
		return false;
	struct publisher_options options = {.socket_path = settings->bus.socket,
	    .group = daemon->group,
	    .epoch = registry_epoch(daemon->registry),
	    .proxy_users = (const char *const *)settings->bus.proxy_users,
	    .proxy_user_count = settings->bus.proxy_user_count,
	    .tap_users = (const char *const *)settings->bus.tap_users,
	    .tap_user_count = settings->bus.tap_user_count,
	    .heartbeat = settings->bus.heartbeat,
	    .aws = daemon->aws};
	size_t count = 0;
	char **texts = NULL;
	struct registry_event *events = registry_snapshot(daemon->registry, &count, &texts);
	struct publisher_change *initial = changes_of(events, count);
	daemon->publisher = publisher_new(daemon->loop, daemon->metrics, &options, initial, count,
	    registry_sequence(daemon->registry), on_refresh, daemon, error);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
	free(initial);
	free(events);
	return daemon->publisher != NULL;
}

static bool open_admin(struct daemon *daemon, char **error)
{
	const struct settings *settings = daemon->settings;
	daemon->admin = admin_new(daemon->loop, daemon->metrics, is_ready, daemon);
	admin_routes_add(daemon->admin, daemon);
	return admin_listen_unix(daemon->admin, settings->discovery.admin_socket, error) &&
	       (settings->metrics_listen == NULL ||
		   admin_listen_tcp(daemon->admin, settings->metrics_listen, error));
}

static bool open_access(struct daemon *daemon, char **error)
{
	const struct access_options options = {.loop = daemon->loop,
	    .aws = daemon->aws,
	    .provider = daemon->provider,
	    .registry = daemon->registry,
	    .publisher = daemon->publisher,
	    .discovery = daemon->discovery,
	    .metrics = daemon->metrics,
	    .on_status = on_access,
	    .on_released = on_released,
	    .arg = daemon};
	daemon->access = access_new(&options, error);
	if (daemon->access != NULL)
		enrollment_on_removal(daemon->enrollment, on_removal, daemon);
	return daemon->access != NULL;
}

static bool open_all(struct daemon *daemon, char **error)
{
	daemon->registry = registry_open(daemon->settings->state_dir, daemon->group, error);
	if (daemon->registry == NULL)
		return false;
	if (!bind_bus(daemon, error))
		return false;
	hold_when_new(daemon);
	registry_observe(daemon->registry, on_committed, daemon);
	daemon->enrollment =
	    enrollment_new(daemon->loop, daemon->registry, daemon->families, daemon->group);
	struct discovery_options options = {.loop = daemon->loop,
	    .aws = daemon->aws,
	    .home_region = aws_home_region(daemon->aws),
	    .provider = daemon->provider,
	    .metrics = daemon->families,
	    .on_swept = on_swept,
	    .recall = on_recall,
	    .on_regions = on_scopes,
	    .arg = daemon};
	daemon->discovery = discovery_new(&options);
	enrollment_configure(daemon->enrollment, daemon->discovery, daemon->settings);
	return open_access(daemon, error) && open_admin(daemon, error);
}

static void make_base(struct daemon *daemon)
{
	daemon->loop = loop_new();
	daemon->metrics = metrics_new();
	daemon->families = discovery_metrics_new(daemon->metrics);
	metrics_on_collect(daemon->metrics, on_collect, daemon);
	daemon->fetcher = fetcher_new(daemon->loop);
	daemon->aws = aws_context_new(daemon->loop, daemon->fetcher);
	daemon->provider = aws_provider_default(daemon->aws);
	daemon->separation = separation_new(daemon->aws, daemon->provider,
	    account_home_region(
		aws_home_region(daemon->aws), daemon->settings->discovery.matchers));
	daemon->notify = notify_new(daemon->loop);
	daemon->status = timer_new(daemon->loop, on_status, daemon);
	daemon->hold = timer_new(daemon->loop, on_hold, daemon);
}

static void free_all(struct daemon *daemon)
{
	admin_free(&daemon->admin);
	access_free(&daemon->access);
	separation_free(&daemon->separation);
	discovery_free(&daemon->discovery);
	enrollment_free(&daemon->enrollment);
	publisher_free(&daemon->publisher);
	registry_close(&daemon->registry);
	timer_free(&daemon->status);
	timer_free(&daemon->leave);
	timer_free(&daemon->hold);
	notify_free(&daemon->notify);
	aws_provider_unref(&daemon->provider);
	aws_context_free(&daemon->aws);
	fetcher_free(&daemon->fetcher);
	discovery_metrics_free(&daemon->families);
	metrics_free(&daemon->metrics);
	loop_free(&daemon->loop);
	settings_free(&daemon->settings);
	free(daemon->group);
	free(daemon->reload_error);
}

static void start(struct daemon *daemon)
{
	loop_on_signal(daemon->loop, SIGTERM, on_stop, daemon);
	loop_on_signal(daemon->loop, SIGINT, on_stop, daemon);
	loop_on_signal(daemon->loop, SIGHUP, on_reload, daemon);
	discovery_configure(daemon->discovery, daemon->settings);
	access_configure(daemon->access, daemon->settings);
	log_info("main", "ready", LOG_S("version", EKSGATE_VERSION), LOG_S("group", daemon->group),
	    LOG_I("clusters", cluster_set_count(registry_set(daemon->registry))),
	    LOG_I("epoch", registry_epoch(daemon->registry)),
	    LOG_I("sequence", registry_sequence(daemon->registry)),
	    LOG_S("bus", daemon->settings->bus.socket));
	on_status(daemon);
}

int daemon_run(const char *config)
{
	struct daemon daemon = {.config = config, .started = unix_now()};
	char *error = NULL;
	daemon.settings = load_settings(config, &error);
	if (daemon.settings == NULL) {
		log_findings("refused", error);
		free(error);
		return 1;
	}
	xmem_use_for_libevent();
	log_set_level(daemon.settings->log_level);
	log_notes(daemon.settings);
	daemon.group = xstrdup(daemon.settings->discovery.group);
	make_base(&daemon);
	bool is_open = open_all(&daemon, &error);
	if (is_open) {
		start(&daemon);
		loop_run(daemon.loop);
	} else {
		log_error("main", "refused", LOG_S("error", error));
	}
	free(error);
	free_all(&daemon);
	if (is_open)
		log_info("main", "stopped");
	return is_open ? 0 : 1;
}
