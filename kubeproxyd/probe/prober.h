/* Looks at every served cluster with the proxy's own credentials, on start, when something changed
 * and now and then, and tells discoveryd and people what it finds. */
#ifndef EKSGATE_PROBER_H
#define EKSGATE_PROBER_H

#include <stdbool.h>

#include "common/attr.h"

struct aws_context;
struct cluster;
struct clusters;
struct finding;
struct look_options;
struct loop;
struct metrics;
struct policy;
struct prober;
struct settings;
struct subscriber;
struct upstreams;

/* Borrowed; they outlive the prober, settings and policy until others are set. */
struct prober_options {
	struct loop *loop;
	struct metrics *metrics;
	const struct settings *settings;
	const struct policy *policy;
	struct aws_context *aws;
	struct clusters *clusters;
	struct upstreams *upstreams;
	struct subscriber *subscriber;
};

/* Takes the tasks of the subscriber, too. */
struct prober *prober_new(const struct prober_options *options) MUST_USE;
void prober_free(struct prober **prober);
/* After SIGHUP: roles may need other rights. */
void prober_set(
    struct prober *prober, const struct settings *settings, const struct policy *policy);
/* Its endpoint or CA is another. */
void prober_moved(struct prober *prober, struct cluster *cluster);
/* It is gone: looks and tasks about it are broken off, discoveryd is told. */
void prober_forget(struct prober *prober, struct cluster *cluster);

/* What the latest look found; NULL before the first has begun. */
const struct finding *prober_finding(const struct cluster *cluster);
/* Whose access entry the cluster has to have; NULL: not known yet. */
const char *prober_principal(
    const struct prober *prober, const struct cluster *cluster, bool *is_exact);

/* For tasks.c. */
struct look_options prober_look_options(
    const struct prober *prober, const struct cluster *cluster) MUST_USE;
/* Takes what a look found, and reports it. */
void prober_take(struct prober *prober, struct cluster *cluster, struct finding *finding);

#endif
