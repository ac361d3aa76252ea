/* What leaves a protobuf filter: gathered into pieces worth sending, and within a list, whose
 * length stands before it, held until the end (protobuf_filter.h says how). Pure. */
#ifndef EKSGATE_PROTOBUF_OUT_H
#define EKSGATE_PROTOBUF_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

enum protobuf_out_place { PROTOBUF_OUTSIDE, PROTOBUF_WITHIN, PROTOBUF_BEHIND };

/* {.events, .arg, .held_max} initialises. */
struct protobuf_out {
	const struct filter_events *events;
	void *arg;
	size_t held_max; /* not 0 */
	enum protobuf_out_place place; /* of what is added, by the list */
	struct buf pending;
	uint32_t number; /* the list's field */
	uint64_t put_away; /* of the list, its begin */
	uint64_t fetched; /* of that */
	struct buf held; /* of the list, what follows */
	struct buf behind; /* what follows the list */
	bool is_refused; /* it could not be put away; sticks, and nothing leaves any more */
};

void protobuf_out_add(struct protobuf_out *out, const void *data, size_t len);
/* From here to the end of the list all that is added is the content of field `number`. */
void protobuf_out_begin_list(struct protobuf_out *out, uint32_t number);
void protobuf_out_end_list(struct protobuf_out *out);
/* Lets go of what need not be held. */
void protobuf_out_flush(struct protobuf_out *out);
/* All was added. */
void protobuf_out_finish(struct protobuf_out *out);
/* Behind that, until *len is 0: emits a piece of what was held. False: it cannot be fetched. */
bool protobuf_out_next(struct protobuf_out *out, size_t *len) MUST_USE;
void protobuf_out_free(struct protobuf_out *out);

#endif
