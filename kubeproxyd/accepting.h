/* Whether new connections are taken: held back for one reason or several, each told once when it
 * comes and once when it goes. */
#ifndef EKSGATE_ACCEPTING_H
#define EKSGATE_ACCEPTING_H

#include <stdbool.h>

#include "common/attr.h"

struct accepting;
struct listeners;
struct metrics;

enum accepting_hold {
	ACCEPTING_FULL, /* as many connections as may be */
	ACCEPTING_UNRECORDED, /* nothing that they could ask for could be recorded */
	ACCEPTING_UNKNOWING, /* no cluster is known as yet, and will be in a moment */
	ACCEPTING_HOLDS
};

struct accepting *accepting_new(struct metrics *metrics) MUST_USE;
void accepting_free(struct accepting **accepting);
/* Borrowed; NULL: there are none yet, or none any more. They begin as the reasons of now say. */
void accepting_set_listeners(struct accepting *accepting, struct listeners *listeners);
void accepting_hold(struct accepting *accepting, enum accepting_hold why, bool is_held);
/* Why nothing can be served, for the readiness; NULL: nothing stands against it. Being full does
 * not, since who is in is served. */
const char *accepting_trouble(const struct accepting *accepting);

#endif
