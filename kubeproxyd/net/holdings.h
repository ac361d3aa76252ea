/* What is held of answers because their readers are slow: a sum over all connections, and a limit
 * on it. Each place that holds bytes keeps its own count in step. */
#ifndef EKSGATE_HOLDINGS_H
#define EKSGATE_HOLDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* A plain value; {0} counts and limits nothing. Every function takes NULL for that. */
struct holdings {
	size_t held, limit; /* bytes of memory; 0: no limit */
	/* Gives up readers, the slowest first, until `more` fit or nobody is left to give up. It
	 * may end the one for whom there was to be room. */
	void (*make_room)(void *arg, size_t more);
	void *arg;
};

/* What one place holds is `now`; `counted` is its own count, 0 before the first call. */
void holdings_count(struct holdings *holdings, size_t *counted, size_t now);
/* Half of it is taken: whoever holds something makes do with little. */
bool holdings_are_tight(const struct holdings *holdings) MUST_USE;
bool holdings_have_room(const struct holdings *holdings, size_t more) MUST_USE;
/* Before `more` is taken; whether there is room then is for holdings_have_room() to say. */
void holdings_make_room(struct holdings *holdings, size_t more);

#endif
