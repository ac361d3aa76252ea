/* Whether a client sends its body fast enough. */
#ifndef EKSGATE_PACE_H
#define EKSGATE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"

/* {0} initialises. */
struct pace {
	uint64_t seen; /* bytes of the body at the last look */
	int64_t behind; /* thousandths of a byte that the client owes; never negative */
};

/* One look, `elapsed` after the one before. `bytes`: of the body so far; `was_awaited`: whether all
 * that time the client alone held things up. A client that owes more than `grace` at `rate` bytes a
 * second brings is too slow: false. A rate of 0 asks for nothing. */
bool pace_keeps(struct pace *pace, size_t rate, struct duration grace, uint64_t bytes,
    bool was_awaited, struct duration elapsed) MUST_USE;

#endif
