/* The one configuration file, read by both daemons: Teleport's agent format with
 * what is ours under `eksgate:`. Every key is a row of the table in settings_rows_*.c. Immutable
 * once loaded; a reload builds a new one. */
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
#include "common/settings_proxy.h"

#define SETTINGS_DEFAULT_PATH "/etc/eksgate/eksgate.yaml"

/* discovery_service.aws[]. Whom it acts as: discoveryd/roster.h. */
struct aws_matcher {
	char **regions; /* names, or the one entry "*" */
	size_t region_count;
	struct selector *tags;
	char *assume_role_arn; /* NULL: own identity; may have AWS_ACCOUNT_VARIABLE in it */
	char *assume_role_name; /* with an organization, in place of the ARN */
	char *external_id; /* NULL or with a role */
	char **accounts; /* what AWS_ACCOUNT_VARIABLE stands for */
	size_t account_count;
	struct {
		char *id; /* NULL: none */
		char **include; /* units, or the one entry "*" */
		size_t include_count;
		char **exclude; /* units and accounts */
		size_t exclude_count;
	} organization;
	char *setup_access_for_arn;
	struct labels labels; /* given to its clusters besides their tags */
	char *access_mode; /* NULL: eksgate.access.mode */
	bool has_name_tags; /* tags of its clusters may name them */
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
	char *state_dir; /* eksgate.state_dir */
	char *metrics_listen; /* eksgate.metrics_listen, discoveryd's; may be NULL */

	/* eksgate.bus */
	struct {
		char *socket;
		char **proxy_users; /* names or uids */
		size_t proxy_user_count;
		char **tap_users;
		size_t tap_user_count;
		struct duration heartbeat;
	} bus;

	/* discovery_service, and eksgate.discovery */
	struct {
		bool enabled;
		char *group; /* discovery_group */
		struct duration poll_interval;
		struct aws_matcher *matchers;
		size_t matcher_count;
		char *admin_socket;
		size_t describe_parallel; /* per scope */
		struct duration describe_age; /* how old a description may get */
	} discovery;

	/* eksgate.removal */
	struct {
		struct duration grace; /* how long an orphan is kept */
		unsigned guard_percent; /* more of ten or more is held back */
	} removal;

	/* eksgate.access */
	struct {
		char *mode; /* "rbac", "cluster-admin" or "manual" */
		char *group;
		char *cluster_role;
		char *bootstrap_role_arn; /* may be NULL */
		struct duration settle; /* how long EKS may take to heed a change */
	} access;

	/* kubernetes_service */
	struct {
		bool enabled;
		char *listen_addr; /* host:port */
		char *public_addr; /* host:port; NULL: listen_addr's port on the host's name */
		struct resource_selector *resources;
		size_t resource_count;
	} kubernetes;

	struct proxy_settings proxy; /* eksgate.proxy */

	/* eksgate.test: loopback only; a warning at start. Each may be NULL. */
	struct {
		char *token_sts_host;
		char *verifier_sts_host; /* is asked instead of STS, over HTTP */
		char *endpoint_suffix; /* cluster endpoints end so instead of as AWS's do */
	} test;
};

/* NULL on failure; *error has one line per finding, each "FILE:LINE:COLUMN: what, what to do"
 * (free()). */
struct settings *settings_load(const char *path, char **error) MUST_USE;
/* For those who only look for a daemon that runs, perhaps by an older file: of one with mistakes,
 * what could be read, and defaults for the rest. *findings is NULL when there are none (free()).
 * NULL: there is no such file, as *findings says. */
struct settings *settings_load_readable(const char *path, char **findings) MUST_USE;
struct settings *settings_parse(
    const char *path, const char *text, size_t len, char **error) MUST_USE;
void settings_free(struct settings **settings);

/* The keys that differ, that a reload cannot change and that start with one of `prefixes` (ends
 * with NULL), joined by ", " (free()); NULL when there are none. */
char *settings_frozen_changes(
    const struct settings *old, const struct settings *now, const char *const *prefixes) MUST_USE;

/* Every row "key, type, default, reloadable, help", tab-separated: the man page and the sample file
 * are checked against it. */
void settings_write_rows(struct buf *out);

#endif
