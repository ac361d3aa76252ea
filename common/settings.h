/* The one configuration file, read by both daemons (design.md 4.1): Teleport's agent format with
 * what is ours under `eksgate:`. Every key is a row of the table in settings_rows.c. Immutable once
 * loaded; a reload builds a new one. */
#ifndef EKSGATE_SETTINGS_H
#define EKSGATE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/labels.h"
#include "common/log.h"
#include "common/mono.h"

#define SETTINGS_DEFAULT_PATH "/etc/eksgate/eksgate.yaml"

/* discovery_service.aws[] */
struct aws_matcher {
	char **regions; /* names, or the one entry "*" */
	size_t region_count;
	struct selector *tags;
	char *assume_role_arn; /* NULL: own identity */
	char *external_id; /* NULL or with assume_role_arn */
	char *setup_access_for_arn;
	unsigned line; /* where it stands, for explain */
};

/* kubernetes_service.resources[] */
struct resource_selector {
	struct selector *labels;
	char *assume_role_arn;
	char *external_id;
	unsigned line;
};

struct settings {
	char *path;
	char **notes; /* info lines for the log: keys that are read and have no effect here */
	size_t note_count;
	char **warnings; /* for example that `eksgate.test` is in force */
	size_t warning_count;

	enum log_level log_level; /* eksgate.log.level */
	char *state_dir; /* eksgate.state_dir, /var/lib/eksgate-discovery */
	char *metrics_listen; /* eksgate.metrics_listen, NULL */

	struct {
		char *socket; /* eksgate.bus.socket, /run/eksgate-discovery/bus.sock */
		char **proxy_users; /* eksgate.bus.proxy_users, [eksgate-proxy]: names or uids */
		size_t proxy_user_count;
		char **tap_users; /* eksgate.bus.tap_users, [eksgate-tap] */
		size_t tap_user_count;
		struct duration heartbeat; /* eksgate.bus.heartbeat, 250ms */
	} bus;

	struct {
		bool enabled;
		char *group; /* discovery_group, "default" when absent */
		struct duration poll_interval; /* 5m */
		struct aws_matcher *matchers;
		size_t matcher_count;
		char *admin_socket; /* eksgate.discovery.admin_socket,
				       /run/eksgate-discovery/admin/admin.sock */
		size_t describe_parallel; /* eksgate.discovery.describe_parallel, 5 per scope */
	} discovery;

	struct {
		struct duration grace; /* eksgate.removal.grace, 24h: how long an orphan is kept */
		unsigned
		    guard_percent; /* eksgate.removal.guard, 50: more of ten or more held back */
	} removal;

	struct {
		char *mode; /* eksgate.access.mode: "rbac" */
		char *group; /* eksgate.access.group, "eksgate:proxy" */
		char *cluster_role; /* eksgate.access.cluster_role, "eksgate" */
		char *bootstrap_role_arn; /* eksgate.access.bootstrap_role_arn, NULL */
	} access;

	struct {
		bool enabled;
		char *listen_addr; /* 0.0.0.0:3026 */
		char *public_addr; /* NULL: listen_addr's port on the host's name */
		struct resource_selector *resources;
		size_t resource_count;
	} kubernetes;

	struct {
		char *certificate; /* eksgate.proxy.tls.certificate, /etc/eksgate/tls/server.pem */
		char *key; /* eksgate.proxy.tls.key, /etc/eksgate/tls/server-key.pem */
		char *client_ca; /* eksgate.proxy.client_ca, /etc/eksgate/tls/client-ca.pem */
		char *client_ca_key; /* eksgate.proxy.client_ca_key,
					/etc/eksgate/tls/client-ca-key.pem */
		char *sni_suffix; /* eksgate.proxy.sni_suffix, NULL */
		char *roles_dir; /* eksgate.proxy.roles_dir, /etc/eksgate/roles.d */
		char *cache_dir; /* eksgate.proxy.cache_dir, /var/cache/eksgate-proxy */
		char
		    *run_dir; /* eksgate.proxy.run_dir, /run/eksgate-proxy: <instance>.sock in it */
		struct duration max_stale; /* eksgate.proxy.max_stale, 24h */
		struct duration
		    token_lifetime; /* eksgate.proxy.token_lifetime, 10m, at most that */
		struct {
			size_t connections; /* eksgate.proxy.limits.connections, 16000 */
			size_t handshakes; /* .handshakes, 512 in flight */
			size_t header_bytes; /* .header_bytes, 65536 */
			size_t header_count; /* .header_count, 100 */
			size_t
			    body_in_hand; /* .body_in_hand, 262144 bytes buffered per direction */
			struct duration header_timeout; /* .header_timeout, 10s */
			struct duration handshake_timeout; /* .handshake_timeout, 10s */
			struct duration idle_timeout; /* .idle_timeout, 90s between requests */
			struct duration
			    connect_timeout; /* .connect_timeout, 10s to an API server */
			struct duration response_timeout; /* .response_timeout, 65s to the first
							     byte of the answer */
			size_t upstream_idle; /* .upstream_idle, 32 idle connections kept per
						 cluster */
		} limits;
	} proxy;

	/* Loopback only; a warning at start. */
	struct {
		char *token_sts_host; /* eksgate.test.token_sts_host, NULL */
		char *endpoint_suffix; /* eksgate.test.endpoint_suffix: cluster endpoints end so
					  instead of as AWS's do */
	} test;
};

/* NULL on failure; *error has one line per finding, each "FILE:LINE:COLUMN: what, what to do"
 * (free()). */
struct settings *settings_load(const char *path, char **error) MUST_USE;
struct settings *settings_parse(
    const char *path, const char *text, size_t len, char **error) MUST_USE;
void settings_free(struct settings **settings);

/* The keys that differ and that a reload cannot change, joined by ", " (free()); NULL when there
 * are none. */
char *settings_frozen_changes(const struct settings *old, const struct settings *now) MUST_USE;

/* Every row "key, type, default, reloadable, help", tab-separated: the man page and the sample file
 * are checked against it. */
void settings_write_rows(struct buf *out);

#endif
