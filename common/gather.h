/* When a busy loop lets events gather before it looks for them again. A turn that begins as soon as
 * one descriptor is ready serves few; each costs system calls, packets and caches that have grown
 * cold. What network cards do with interrupts: while its thread works most of the time, turns keep
 * a distance, the longer the less it rests, which adds at most that to what waits anyway; a loop
 * that rests is woken at once. Used by loop.c. Pure. */
#ifndef EKSGATE_GATHER_H
#define EKSGATE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

/* From turn to turn, in ns: as a rule, and for a thread that hardly rests any more. */
#define GATHER_NS     INT64_C(100000)
#define GATHER_MAX_NS INT64_C(300000)

/* {0} to begin with. */
struct gather {
	bool expects_more; /* set it: what was just read is not all, so there is no need to wait */
	bool is_busy;
	unsigned looks; /* since it is busy; some count as several */
	int64_t distance; /* from turn to turn while it is busy, in ns */
	int64_t turned_at; /* when the last turn was ready to look for events */
	int64_t looked_at, worked; /* when the load was looked at; CPU time of the thread then */
};

/* A turn is over at `now` (CLOCK_MONOTONIC, ns). Returns how many ns to wait before events are
 * looked for; 0: none. `cpu_time` is that of the thread, in ns; it is asked twenty times a second
 * at most. */
int64_t gather_delay(struct gather *gather, int64_t now, int64_t (*cpu_time)(void)) MUST_USE;

#endif
