/* Which identifiers of streams a client passed over. */
#ifndef EKSGATE_STREAM_IDS_H
#define EKSGATE_STREAM_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define STREAM_ID_GAPS_MAX 8

/* A plain value; {0} initialises. */
struct stream_ids {
	int32_t highest;
	struct {
		int32_t first, last;
	} gaps[STREAM_ID_GAPS_MAX];
	size_t gap_count; /* that there ever were */
};

/* A head came for `id`, which is odd. False: it was passed over, and with that closed (RFC 9113,
 * 5.1.1). A lower one that was used before, or was passed over long ago, is none of this module's
 * business. */
bool stream_ids_take(struct stream_ids *ids, int32_t id) MUST_USE;

#endif
