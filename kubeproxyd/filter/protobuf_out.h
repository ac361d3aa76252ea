/* What leaves a protobuf filter: gathered into pieces worth sending, and within a list whose new
 * length is not known yet held back (protobuf_filter.h says how). Pure. */
#ifndef EKSGATE_PROTOBUF_OUT_H
#define EKSGATE_PROTOBUF_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

/* {.events, .arg, .held_max} initialises. */
struct protobuf_out {
	const struct filter_events *events;
	void *arg;
	size_t held_max;
	struct buf pending;
	struct buf held; /* of the list, while its length is not announced */
	bool is_in_list, is_announced;
	uint32_t number; /* the list's field */
	uint64_t still_to_come; /* of the list as it came, not added and not dropped */
	uint64_t owed; /* announced, and dropped since */
};

void protobuf_out_add(struct protobuf_out *out, const void *data, size_t len);
/* Of the list: it does not leave. Whole fields, in parts if need be. */
void protobuf_out_drop(struct protobuf_out *out, uint64_t len);
/* From here to the end of the list all that is added or dropped are the `len` bytes of field
 * `number`. */
void protobuf_out_begin_list(struct protobuf_out *out, uint32_t number, uint64_t len);
void protobuf_out_end_list(struct protobuf_out *out);
/* Lets go of what need not be held. */
void protobuf_out_flush(struct protobuf_out *out);
void protobuf_out_free(struct protobuf_out *out);

#endif
