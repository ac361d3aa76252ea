/* The least pace of a request's body. Time costs the client bytes, bytes pay: one that falls silent
 * is found after the grace however fast it was before, one that keeps the rate never. Pure; called
 * by exchange.c at every look. */
#include "kubeproxyd/exchange/pace.h"

bool pace_keeps(struct pace *pace, size_t rate, struct duration grace, uint64_t bytes,
    bool was_awaited, struct duration elapsed)
{
	if (was_awaited)
		pace->behind += (int64_t)rate * elapsed.ms;
	pace->behind -= (int64_t)(bytes - pace->seen) * 1000;
	pace->seen = bytes;
	if (pace->behind < 0)
		pace->behind = 0;
	return rate == 0 || pace->behind < (int64_t)rate * grace.ms;
}
