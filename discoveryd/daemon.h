/* The running discoveryd: everything it owns, in the order in which it is made. */
#ifndef EKSGATE_DAEMON_H
#define EKSGATE_DAEMON_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

struct daemon {
	const char *config; /* path of the configuration file */
	struct settings *settings;
	char *group; /* as at start: a reload does not change it */
	char *reload_error; /* of the last SIGHUP; NULL when it worked */
	struct unix_time started;
	struct loop *loop;
	struct metrics *metrics;
	struct discovery_metrics *families;
	struct fetcher *fetcher;
	struct aws_context *aws;
	struct aws_provider *provider;
	struct registry *registry;
	struct publisher *publisher;
	struct enrollment *enrollment;
	struct discovery *discovery;
	struct access *access;
	struct separation *separation;
	struct admin *admin;
	struct notify *notify;
	struct timer *status; /* renews the text that systemd shows */
	struct timer *hold; /* set while subscribers keep what they have (publisher_hold()) */
	struct mono held_at;
	struct timer *leave; /* set while the program stops, at the latest at `leaves` */
	struct mono leaves;
};

/* Compares whose credentials the proxies use with ours. */
void daemon_compare_principals(const struct daemon *daemon);

/* `discoveryd run`: returns the exit status. */
int daemon_run(const char *config) MUST_USE;

#endif
