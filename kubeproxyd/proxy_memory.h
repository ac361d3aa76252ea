/* How often memory is asked for, as a metric; and what a burst left behind, given back. */
#ifndef EKSGATE_PROXY_MEMORY_H
#define EKSGATE_PROXY_MEMORY_H

#include "common/attr.h"

struct loop;
struct metrics;
struct proxy_memory;

struct proxy_memory *proxy_memory_new(struct loop *loop, struct metrics *metrics) MUST_USE;
void proxy_memory_free(struct proxy_memory **memory);

#endif
