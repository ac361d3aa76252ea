/* The bus side of kubeproxyd: follows discoveryd and feeds the directory; never exits, never
 * empties it. */
#ifndef EKSGATE_SUBSCRIBER_H
#define EKSGATE_SUBSCRIBER_H

#include "common/attr.h"

struct directory;
struct loop;
struct metrics;
struct settings;
struct subscriber;

struct subscriber *subscriber_new(struct loop *loop, struct metrics *metrics,
    const struct settings *settings, const char *instance, struct directory *directory) MUST_USE;
void subscriber_free(struct subscriber **subscriber);
/* Asks discoveryd to describe this cluster again (at most once in 30 s per cluster; more are
 * dropped). */
void subscriber_refresh(struct subscriber *subscriber, const char *name, const char *reason);

#endif
