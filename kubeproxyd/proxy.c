/* The running proxy. Rooms are made from the ground up and freed the other way round; this file
 * only wires: what belongs together, what is exchanged at a reload, and in which order it ends.
 * Called by main. */
#include "kubeproxyd/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/admin.h"
#include "common/aws_call.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/notify.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/accepting.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/drain.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/front/session.h"
#include "kubeproxyd/gate/identity_resolve.h"
#include "kubeproxyd/gate/lock_watch.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/listeners.h"
#include "kubeproxyd/net/stream.h"
#include "kubeproxyd/net/tls.h"
#include "kubeproxyd/net/tls_memory.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/probe/prober.h"
#include "kubeproxyd/proxy_admin.h"
#include "kubeproxyd/proxy_files.h"
#include "kubeproxyd/proxy_memory.h"
#include "kubeproxyd/record/audit.h"
#include "kubeproxyd/record/recordings.h"
#include "kubeproxyd/ticket_keys.h"

#define POLL_MS 50
/* Lines of the log wait so long for others: a write for each turn would cost more than the lines.
 */
#define LOG_WAIT_MS 10
/* How long clients wait at most for the first snapshot. */
#define FIRST_SNAPSHOT_MS 2000

struct proxy {
	const char *config;
	const char *instance;
	struct settings *settings;
	struct proxy_files files;
	struct ticket_keys *ticket_keys;
	struct loop *loop;
	struct metrics *metrics;
	struct proxy_memory *memory;
	struct notify *notify;
	struct admin *admin;
	struct proxy_admin *routes;
	struct fetcher *fetcher;
	struct aws_context *aws;
	struct audit *audit; /* NULL: off */
	struct recordings *recordings;
	struct directory *directory;
	struct subscriber *subscriber;
	struct clusters *clusters;
	struct upstreams *upstreams;
	struct identity_providers *providers;
	struct lock_watch *locks;
	struct prober *prober;
	struct exchanges *exchanges;
	struct sessions *sessions;
	struct holdings holdings;
	struct accepting *accepting;
	struct listeners *listeners;
	struct mono started;
	struct timer *readiness;
	struct drain *drain; /* NULL before SIGTERM */
	struct timer *log_timer; /* what was logged meanwhile leaves in one write */
};

static void log_lines(enum log_level level, const char *event, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		char *line = xstrndup(text, len);
		log_write(level, LOG_FIELDS("main", event, LOG_S("finding", line)));
		free(line);
		text += len + (text[len] == '\n');
	}
}

static void tell_settings(const struct settings *settings)
{
	log_set_level(settings->log_level);
	for (size_t i = 0; i < settings->note_count; i++)
		log_info("settings", "note", LOG_S("text", settings->notes[i]));
	for (size_t i = 0; i < settings->warning_count; i++)
		log_warn("settings", "warning", LOG_S("text", settings->warnings[i]));
}

/* --- news from the rooms ------------------------------------------------------------------- */

static void on_cluster(void *arg, enum cluster_event event, struct cluster *cluster)
{
	struct proxy *proxy = arg;
	if (event == CLUSTER_CHANGED) {
		if (proxy->exchanges != NULL)
			exchanges_recheck_cluster(proxy->exchanges, cluster);
		return;
	}
	if (event == CLUSTER_GONE && proxy->exchanges != NULL)
		exchanges_cut_cluster(
		    proxy->exchanges, cluster, "the cluster was removed, or made anew");
	if (event == CLUSTER_GONE && proxy->routes != NULL)
		proxy_admin_forget(proxy->routes, cluster);
	if (event == CLUSTER_GONE && proxy->prober != NULL)
		prober_forget(proxy->prober, cluster);
	if (event == CLUSTER_MOVED && proxy->prober != NULL)
		prober_moved(proxy->prober, cluster);
	upstream_retire(&cluster->upstream);
}

static void on_locks(void *arg)
{
	struct proxy *proxy = arg;
	exchanges_recheck_locks(proxy->exchanges);
}

static void on_room(void *arg, bool has_room)
{
	struct proxy *proxy = arg;
	accepting_hold(proxy->accepting, ACCEPTING_FULL, !has_room);
}

static bool is_ready(void *arg, const char **why)
{
	const struct proxy *proxy = arg;
	*why = NULL;
	if (proxy->listeners == NULL)
		*why = proxy->drain != NULL ? "stopping" : "not listening yet";
	else if (!directory_status(proxy->directory).is_known)
		*why =
		    "no clusters known yet: nothing heard from discoveryd, and there is no cache";
	else
		*why = accepting_trouble(proxy->accepting);
	return *why == NULL;
}

static void tell_systemd(struct proxy *proxy)
{
	const char *why;
	notify_ready(proxy->notify, is_ready(proxy, &why) ? "serving" : why);
}

static void on_audit_stuck(void *arg, bool is_stuck)
{
	struct proxy *proxy = arg;
	accepting_hold(proxy->accepting, ACCEPTING_UNRECORDED, is_stuck);
	if (proxy->listeners != NULL)
		tell_systemd(proxy);
}

static void on_not_kept(void *arg, const char *id, const char *problem)
{
	audit_write_not_kept(((struct proxy *)arg)->audit, id, problem);
}

/* Whoever comes in while the first snapshot is on its way would be told that there are no clusters,
 * although a sibling knows them: they wait, but not for a discoveryd that is down. */
static void wait_for_clusters(struct proxy *proxy)
{
	bool is_known = directory_status(proxy->directory).is_known;
	bool may_wait = mono_since(proxy->started).ms < FIRST_SNAPSHOT_MS;
	accepting_hold(proxy->accepting, ACCEPTING_UNKNOWING, !is_known && may_wait);
}

/* Says once that users can be served; a directory without clusters tells nobody that it is known
 * now. */
static void check_readiness(void *arg)
{
	struct proxy *proxy = arg;
	const char *why;
	if (proxy->drain != NULL)
		return;
	wait_for_clusters(proxy);
	if (!is_ready(proxy, &why)) {
		timer_set(proxy->readiness, duration_ms(POLL_MS));
		return;
	}
	struct directory_status status = directory_status(proxy->directory);
	log_info("main", "ready", LOG_S("instance", proxy->instance),
	    LOG_I("clusters", status.served), LOG_B("from_cache", status.is_from_cache),
	    LOG_B("stale", status.is_stale));
	tell_systemd(proxy);
}

/* --- SIGHUP -------------------------------------------------------------------------------- */

static void warn_of_restart(const struct settings *old, const struct settings *now)
{
	static const char *const own[] = {"discovery_service.discovery_group",
	    "kubernetes_service.", "eksgate.bus.socket", "eksgate.proxy.", NULL};
	char *keys = settings_frozen_changes(old, now, own);
	if (keys != NULL)
		log_warn("main", "needs-restart", LOG_S("keys", keys));
	free(keys);
}

/* Everything new stands before anything old goes. */
static void exchange_settings(
    struct proxy *proxy, struct settings *settings, const struct proxy_files *files)
{
	struct settings *old_settings = proxy->settings;
	struct proxy_files old_files = proxy->files;
	warn_of_restart(old_settings, settings);
	proxy->settings = settings;
	proxy->files = *files;
	tell_settings(settings);
	directory_set_settings(proxy->directory, settings);
	clusters_set_settings(proxy->clusters, settings);
	upstreams_set_settings(proxy->upstreams, settings);
	if (identity_providers_set(proxy->providers, settings))
		exchanges_cut_tokens(proxy->exchanges, "the settings of logins were changed");
	audit_set(proxy->audit, settings, files->audit_policy);
	recordings_set(proxy->recordings, settings);
	exchanges_set(proxy->exchanges, settings, files->policy);
	exchanges_set_authority(proxy->exchanges, files->authority);
	lock_watch_set(proxy->locks, settings->proxy.locks_file);
	prober_set(proxy->prober, settings, files->policy);
	sessions_set(proxy->sessions, settings, files->tls);
	proxy_files_free(&old_files);
	settings_free(&old_settings);
}

static void on_hangup(void *arg)
{
	struct proxy *proxy = arg;
	if (proxy->drain != NULL)
		return;
	char *error = NULL;
	struct proxy_files files = {0};
	notify_reloading(proxy->notify);
	audit_reopen(proxy->audit); /* whatever becomes of the configuration */
	struct settings *settings = settings_load(proxy->config, &error);
	if (settings != NULL && proxy_files_load(settings, &files, &error)) {
		tls_server_share_tickets(files.tls, ticket_keys_seal(proxy->ticket_keys));
		exchange_settings(proxy, settings, &files);
		log_info("main", "reloaded", LOG_S("config", proxy->config),
		    LOG_I("roles", policy_role_count(files.policy)),
		    LOG_I("bindings", policy_binding_count(files.policy)));
	} else {
		log_lines(LOG_LEVEL_ERROR, "reload-refused", error);
		settings_free(&settings);
		free(error);
	}
	tell_systemd(proxy);
}

/* --- SIGTERM ------------------------------------------------------------------------------- */

static void on_drained(void *arg)
{
	struct proxy *proxy = arg;
	loop_stop(proxy->loop);
}

static void on_terminate(void *arg)
{
	struct proxy *proxy = arg;
	if (proxy->drain != NULL) {
		loop_stop(proxy->loop);
		return;
	}
	notify_stopping(proxy->notify, "finishing requests");
	accepting_set_listeners(proxy->accepting, NULL);
	listeners_free(&proxy->listeners);
	struct drain_options options = {
	    .loop = proxy->loop,
	    .settings = proxy->settings,
	    .exchanges = proxy->exchanges,
	    .sessions = proxy->sessions,
	    .on_done = on_drained,
	    .arg = proxy,
	};
	proxy->drain = drain_start(&options);
}

/* --- from the ground up -------------------------------------------------------------------- */

/* Each connection is two descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("main", "descriptor-limit", LOG_I("limit", (int64_t)limit.rlim_cur));
}

static void make_rooms(struct proxy *proxy)
{
	const struct settings *settings = proxy->settings;
	proxy->fetcher = fetcher_new(proxy->loop);
	proxy->aws = aws_context_new(proxy->loop, proxy->fetcher);
	proxy->directory = directory_new(proxy->loop, proxy->metrics, settings, proxy->instance);
	proxy->subscriber = subscriber_new(
	    proxy->loop, proxy->metrics, settings, proxy->instance, proxy->directory);
	proxy->clusters = clusters_new(proxy->directory, proxy->aws, settings, on_cluster, proxy);
	proxy->upstreams = upstreams_new(proxy->loop, proxy->metrics, settings);
	proxy->providers =
	    identity_providers_new(proxy->loop, proxy->fetcher, proxy->metrics, settings);
	struct prober_options for_prober = {
	    .loop = proxy->loop,
	    .metrics = proxy->metrics,
	    .settings = settings,
	    .policy = proxy->files.policy,
	    .aws = proxy->aws,
	    .clusters = proxy->clusters,
	    .upstreams = proxy->upstreams,
	    .subscriber = proxy->subscriber,
	};
	proxy->prober = prober_new(&for_prober);
	proxy->locks = lock_watch_new(
	    proxy->loop, proxy->metrics, settings->proxy.locks_file, on_locks, proxy);
	struct recordings_options for_recordings = {
	    .loop = proxy->loop,
	    .metrics = proxy->metrics,
	    .settings = settings,
	    .instance = proxy->instance,
	    .on_not_kept = on_not_kept,
	    .arg = proxy,
	};
	proxy->recordings = recordings_new(&for_recordings);
	struct exchanges_options for_exchanges = {
	    .loop = proxy->loop,
	    .metrics = proxy->metrics,
	    .settings = settings,
	    .policy = proxy->files.policy,
	    .providers = proxy->providers,
	    .locks = proxy->locks,
	    .authority = proxy->files.authority,
	    .directory = proxy->directory,
	    .clusters = proxy->clusters,
	    .subscriber = proxy->subscriber,
	    .upstreams = proxy->upstreams,
	    .audit = proxy->audit,
	    .recordings = proxy->recordings,
	    .holdings = &proxy->holdings,
	};
	proxy->exchanges = exchanges_new(&for_exchanges);
	struct sessions_options for_sessions = {
	    .loop = proxy->loop,
	    .metrics = proxy->metrics,
	    .exchanges = proxy->exchanges,
	    .settings = settings,
	    .tls = proxy->files.tls,
	    .holdings = &proxy->holdings,
	    .on_room = on_room,
	    .arg = proxy,
	};
	proxy->sessions = sessions_new(&for_sessions);
	struct proxy_admin_options for_routes = {
	    .instance = proxy->instance,
	    .directory = proxy->directory,
	    .clusters = proxy->clusters,
	    .exchanges = proxy->exchanges,
	    .sessions = proxy->sessions,
	    .prober = proxy->prober,
	};
	proxy->routes = proxy_admin_new(proxy->admin, &for_routes);
}

/* The lock of the admin socket comes first: two instances of one name must not share a cache file.
 */
static bool open_admin(struct proxy *proxy, char **error)
{
	proxy->admin = admin_new(proxy->loop, proxy->metrics, is_ready, proxy);
	char *path = xasprintf("%s/%s.sock", proxy->settings->proxy.run_dir, proxy->instance);
	bool is_open = admin_listen_unix(proxy->admin, path, error);
	free(path);
	if (!is_open || proxy->settings->proxy.metrics_listen == NULL)
		return is_open;
	return admin_listen_tcp(proxy->admin, proxy->settings->proxy.metrics_listen, error);
}

static bool open_audit(struct proxy *proxy, char **error)
{
	struct audit_options options = {
	    .loop = proxy->loop,
	    .metrics = proxy->metrics,
	    .settings = proxy->settings,
	    .policy = proxy->files.audit_policy,
	    .instance = proxy->instance,
	    .on_stuck = on_audit_stuck,
	    .arg = proxy,
	};
	proxy->audit = audit_new(&options, error);
	return *error == NULL;
}

static bool start(struct proxy *proxy, char **error)
{
	if (!open_admin(proxy, error) || !open_audit(proxy, error))
		return false;
	proxy->ticket_keys = ticket_keys_new(proxy->loop, proxy->settings->proxy.run_dir);
	tls_server_share_tickets(proxy->files.tls, ticket_keys_seal(proxy->ticket_keys));
	make_rooms(proxy);
	proxy->listeners = listeners_open(proxy->loop, proxy->settings->kubernetes.listen_addr,
	    sessions_accept, proxy->sessions, error);
	if (proxy->listeners == NULL)
		return false;
	proxy->started = mono_now();
	wait_for_clusters(proxy);
	accepting_set_listeners(proxy->accepting, proxy->listeners);
	loop_on_signal(proxy->loop, SIGHUP, on_hangup, proxy);
	loop_on_signal(proxy->loop, SIGTERM, on_terminate, proxy);
	loop_on_signal(proxy->loop, SIGINT, on_terminate, proxy);
	proxy->readiness = timer_new(proxy->loop, check_readiness, proxy);
	log_info("main", "started", LOG_S("version", EKSGATE_VERSION),
	    LOG_S("instance", proxy->instance),
	    LOG_I("roles", policy_role_count(proxy->files.policy)),
	    LOG_I("bindings", policy_binding_count(proxy->files.policy)));
	/* systemd waits for the socket, not for discoveryd, which may be down. */
	tell_systemd(proxy);
	check_readiness(proxy);
	return true;
}

static void stop(struct proxy *proxy)
{
	timer_free(&proxy->readiness);
	drain_free(&proxy->drain);
	accepting_set_listeners(proxy->accepting, NULL);
	listeners_free(&proxy->listeners);
	sessions_free(&proxy->sessions);
	exchanges_free(&proxy->exchanges);
	recordings_free(&proxy->recordings);
	identity_providers_free(&proxy->providers);
	lock_watch_free(&proxy->locks);
	audit_free(&proxy->audit);
	accepting_free(&proxy->accepting);
	proxy_admin_free(&proxy->routes);
	admin_free(&proxy->admin);
	prober_free(&proxy->prober);
	clusters_free(&proxy->clusters);
	upstreams_free(&proxy->upstreams);
	subscriber_free(&proxy->subscriber);
	directory_free(&proxy->directory);
	aws_context_free(&proxy->aws);
	fetcher_free(&proxy->fetcher);
	proxy_memory_free(&proxy->memory);
	notify_free(&proxy->notify);
	stream_close_finishing(proxy->loop);
	ticket_keys_free(&proxy->ticket_keys);
	loop_free(&proxy->loop);
	metrics_free(&proxy->metrics);
	proxy_files_free(&proxy->files);
	settings_free(&proxy->settings);
}

static void on_log_timer(void *arg)
{
	(void)arg;
	log_flush();
}

static void on_log_waits(void *arg)
{
	struct proxy *proxy = arg;
	if (!timer_is_set(proxy->log_timer))
		timer_set(proxy->log_timer, duration_ms(LOG_WAIT_MS));
}

static void run(struct proxy *proxy)
{
	proxy->log_timer = timer_new(proxy->loop, on_log_timer, NULL);
	log_set_waiting(on_log_waits, proxy);
	loop_run(proxy->loop);
	log_set_waiting(NULL, NULL);
	timer_free(&proxy->log_timer);
}

int proxy_run(struct settings *settings, const char *config, const char *instance)
{
	struct proxy proxy = {.config = config, .instance = instance, .settings = settings};
	char *error = NULL;
	tls_memory_use_pool();
	tell_settings(settings);
	if (!proxy_files_load(settings, &proxy.files, &error)) {
		fprintf(stderr, "kubeproxyd: %s\n", error);
		free(error);
		settings_free(&proxy.settings);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of write(2), as a full disk is */
	raise_descriptor_limit();
	proxy.loop = loop_new();
	loop_gather(proxy.loop);
	proxy.metrics = metrics_new();
	proxy.accepting = accepting_new(proxy.metrics);
	proxy.memory = proxy_memory_new(proxy.loop, proxy.metrics);
	proxy.notify = notify_new(proxy.loop);
	bool is_started = start(&proxy, &error);
	if (is_started)
		run(&proxy);
	else
		fprintf(stderr, "kubeproxyd: %s\n", error);
	free(error);
	stop(&proxy);
	return is_started ? 0 : 1;
}
