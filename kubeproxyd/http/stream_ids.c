/* Streams are forgotten once they are closed, so a late trailer, which is to be ignored, looks like
 * a stream that is opened out of order, which ends the connection. Clients use one identifier after
 * the other, but for requests that were given up before they could be sent (Go's client): the last
 * of these are remembered here, and a head for one that is not is ignored. Pure; called by
 * h2_heads.c. */
#include "kubeproxyd/http/stream_ids.h"

static bool is_passed_over(const struct stream_ids *ids, int32_t id)
{
	for (size_t i = 0; i < STREAM_ID_GAPS_MAX; i++) {
		if (id >= ids->gaps[i].first && id <= ids->gaps[i].last)
			return true;
	}
	return false;
}

bool stream_ids_take(struct stream_ids *ids, int32_t id)
{
	if (id <= ids->highest)
		return !is_passed_over(ids, id);
	int32_t next = ids->highest == 0 ? 1 : ids->highest + 2;
	ids->highest = id;
	if (id == next)
		return true;
	size_t place = ids->gap_count++ % STREAM_ID_GAPS_MAX;
	ids->gaps[place].first = next;
	ids->gaps[place].last = id - 2;
	return true;
}
