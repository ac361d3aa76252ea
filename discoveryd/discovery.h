/* Who is looked at when: accounts, their regions, and the scopes made of them; the timers; the
 * queue that bounds how many passes run at a time. Knows nothing of what is stored: what a pass saw
 * goes up by callback. */
#ifndef EKSGATE_DISCOVERY_H
#define EKSGATE_DISCOVERY_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/attr.h"
#include "discoveryd/account.h"
#include "discoveryd/reconcile.h"
#include "discoveryd/scope.h"
#include "discoveryd/sweep.h"

struct aws_matcher;
struct loop;
struct settings;
struct discovery;
struct discovery_metrics;

/* A pass ended; the scope has its outcome already. A REFRESH arrives here too, as a pass without a
 * listing. False: the result could not be recorded, *error says why (free()), and the scope is
 * looked at again soon. */
typedef bool discovery_swept_fn(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error);

struct discovery_options {
	struct loop *loop;
	struct aws_context *aws;
	struct aws_provider *provider; /* the own identity */
	const char *home_region; /* aws_home_region(); borrowed */
	struct discovery_metrics *metrics;
	discovery_swept_fn *on_swept;
	/* What DescribeCluster last said of a cluster of the scope; NULL when it must be asked
	 * again. Borrowed until the end of the turn. Without this function every cluster is
	 * described at every pass. */
	const struct look *(*recall)(void *arg, const struct scope *scope, const char *name);
	void (*on_regions)(void *arg); /* accounts or scopes changed; NULL: nobody cares */
	void *arg;
};

struct discovery *discovery_new(const struct discovery_options *options) MUST_USE;
void discovery_free(struct discovery **discovery);
/* Makes accounts and scopes what `settings` says; those that stay keep their outcome. Everything is
 * due at once. The settings are borrowed until the next call. */
void discovery_configure(struct discovery *discovery, const struct settings *settings);
/* Describes one cluster of a scope now. Quietly does nothing when the scope is gone or too much is
 * under way. */
void discovery_refresh(struct discovery *discovery, const char *scope, const char *eks_name);

/* Every account and every scope has been looked at once since it was configured. */
bool discovery_is_complete(const struct discovery *discovery) MUST_USE;
/* Every organization was listed. */
bool discovery_knows_accounts(const struct discovery *discovery) MUST_USE;
/* A reconcile_coverage_fn: `arg` is the discovery. */
enum coverage discovery_coverage(void *arg, const char *scope);
/* By its id; NULL when there is none. */
const struct scope *discovery_scope(const struct discovery *discovery, const char *id);
/* In order of configuration; NULL starts, NULL ends. */
const struct scope *discovery_next_scope(
    const struct discovery *discovery, const struct scope *scope);
const struct account *discovery_next_account(
    const struct discovery *discovery, const struct account *account);
/* The identity that a matcher acts as in an AWS account; NULL when it does not act there. */
const struct account *discovery_account_for(const struct discovery *discovery,
    const struct aws_matcher *matcher, const char *account_id) MUST_USE;
/* [{identity, regions, regions_from, error…}]: accounts whose regions are "*". */
struct json_object *discovery_wildcards_to_json(const struct discovery *discovery) MUST_USE;
/* [{organization, accounts, last_success, error…}] */
struct json_object *discovery_organizations_to_json(const struct discovery *discovery) MUST_USE;

#endif
