/* Streams are forgotten once they are closed, so a late trailer, which is to be ignored, looks like
 * a stream that is opened out of order, which ends the connection. Clients use one identifier after
 * the other: what they leave out is little, and remembered here. Pure; called by h2_heads.c. */
#include "kubeproxyd/http/stream_ids.h"

static bool is_passed_over(const struct stream_ids *ids, int32_t id)
{
	for (size_t i = 0; i < ids->gap_count; i++) {
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
	if (ids->gap_count == STREAM_ID_GAPS_MAX)
		return false;
	ids->gaps[ids->gap_count].first = next;
	ids->gaps[ids->gap_count].last = id - 2;
	ids->gap_count++;
	return true;
}
