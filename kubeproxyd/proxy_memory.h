/* How often memory is asked for, as a metric. */
#ifndef EKSGATE_PROXY_MEMORY_H
#define EKSGATE_PROXY_MEMORY_H

struct metrics;

void proxy_memory_count(struct metrics *metrics);

#endif
