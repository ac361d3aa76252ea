/* A registry of Prometheus metrics (text exposition format 0.0.4). Series are made at first use,
 * bounded per family. */
#ifndef EKSGATE_METRICS_H
#define EKSGATE_METRICS_H

#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct metrics;
struct metric; /* one family */

struct metrics *metrics_new(void) MUST_USE;
void metrics_free(struct metrics **metrics);

/* Names start with "eksgate_"; `label_names` is a space-separated list or "". Families live as long
 * as the registry. More than 20,000 series in a family: further label sets are counted in the label
 * value "other". */
struct metric *metrics_counter(
    struct metrics *metrics, const char *name, const char *help, const char *label_names);
struct metric *metrics_gauge(
    struct metrics *metrics, const char *name, const char *help, const char *label_names);
/* Buckets in seconds, ascending, ended by 0. */
struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
    const char *label_names, const double *buckets);

/* The label values (const char *) follow in the order of the label names, as many as there are
 * names. */
void metric_add(struct metric *metric, double amount, ...);
void metric_set(struct metric *metric, double value, ...);
void metric_observe(struct metric *metric, double value, ...);
/* Drops all series of a gauge before it is filled anew. */
void metric_clear(struct metric *metric);

/* Called before each exposition, to set gauges that mirror state. */
void metrics_on_collect(struct metrics *metrics, void (*fn)(void *arg), void *arg);
void metrics_write(struct metrics *metrics, struct buf *out);

#endif
