/* EKS access, from discovered to reachable (design.md 5): per cluster a journalled state machine
 * that brings the proxy's access entry, and what its group is bound to, to the wanted state, and
 * cleans up after itself. The only writer of status.access. Its failure never hides a cluster. */
#ifndef EKSGATE_ACCESS_H
#define EKSGATE_ACCESS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct access;
struct aws_context;
struct aws_provider;
struct cluster_item;
struct discovery;
struct loop;
struct metrics;
struct publisher;
struct registry;
struct settings;

struct access_options {
	struct loop *loop;
	struct aws_context *aws;
	struct aws_provider *provider; /* the own identity */
	struct registry *registry;
	struct publisher *publisher;
	struct discovery *discovery;
	struct metrics *metrics;
	/* status.access of a cluster is to become `text`. */
	void (*on_status)(void *arg, const char *cluster_arn, const char *text);
	/* What was made for a cluster that is being removed is cleaned up. */
	void (*on_released)(void *arg, const char *cluster_arn);
	void *arg;
};

/* NULL with *error (free()): the journal cannot be read. */
struct access *access_new(const struct access_options *options, char **error) MUST_USE;
void access_free(struct access **access);
/* Before anything else, and at each reload; the settings are borrowed until the next call. */
void access_configure(struct access *access, const struct settings *settings);
/* The registry's clusters changed: those of these names, which may be gone. */
void access_clusters_changed(struct access *access, const char *const *names, size_t count);
/* Accounts or scopes changed. */
void access_scopes_changed(struct access *access);
/* The program is about to stop: temporary entries are deleted now, no others are made. Whether
 * there are some that AWS has not been told to delete; to be asked again until there are none. */
bool access_stop(struct access *access) MUST_USE;
/* Whether a cluster that is to be removed has to stay until what was made for it is cleaned up;
 * begins with that. */
bool access_hold(struct access *access, const struct cluster_item *item) MUST_USE;

/* Looks at the cluster's access again now, whatever was waited for. False: there is no such
 * cluster.
 */
bool access_retry(struct access *access, const char *name) MUST_USE;
/* {name, arn, mode, wanted, found, reports, plan, state, …}; NULL when there is no such cluster
 * (json_object_put). */
struct json_object *access_to_json(struct access *access, const char *name) MUST_USE;
/* From discovered to healthy: {stage, reached, reason, text, remedy, proxies} (json_object_put). */
struct json_object *access_state_to_json(
    struct access *access, const struct cluster_item *item) MUST_USE;
/* {clusters by state, temporary entries, …} for status (json_object_put). */
struct json_object *access_summary(struct access *access) MUST_USE;

#endif
