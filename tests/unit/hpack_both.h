/* Our decoder of header blocks and nghttp2's beside it, for tests: whatever one makes of a block
 * the other has to make of it, and marks stay with the fields they were given to. Aborts where they
 * do not. */
#ifndef EKSGATE_HPACK_BOTH_H
#define EKSGATE_HPACK_BOTH_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/hpack_decode.h"

struct hpack_both {
	struct hpack_decoder ours;
	nghttp2_hd_inflater *theirs;
	struct buf from_ours, from_theirs;
	size_t fields; /* of the last block */
};

/* `table_max`: at least HPACK_TABLE_DEFAULT. */
void hpack_both_open(struct hpack_both *both, size_t table_max);
/* False: both refused it, or ours alone for a third size update; neither may be asked again. */
bool hpack_both_decode(struct hpack_both *both, const uint8_t *block, size_t len) MUST_USE;
void hpack_both_close(struct hpack_both *both);

#endif
