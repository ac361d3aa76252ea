/* Reads header blocks (RFC 7541). What the fields mean, and whether they are allowed, is the
 * receiver's. Pure. */
#ifndef EKSGATE_HPACK_DECODE_H
#define EKSGATE_HPACK_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/hpack_table.h"

/* Valid during the call it is handed to; no NUL behind name and value. */
struct hpack_field {
	const char *name, *value;
	size_t name_len, value_len;
	bool is_never_indexed;
	/* The first static entry of this name (enum hpack_static_name and what is between), when
	 * the name was sent by index, be it long ago. 0 says nothing: a peer may spell any name. */
	uint8_t static_name;
	/* Of the static or dynamic entry that holds name and value: the receiver's, to remember
	 * what it found out about them. 0 at first. NULL: no entry holds them. */
	uint32_t *mark;
	/* What was marked at the entry that the name alone was taken from. 0 says nothing. */
	uint32_t name_mark;
};
typedef void hpack_take(void *arg, const struct hpack_field *field);

struct hpack_decoder {
	struct hpack_table table;
	size_t table_max;
	struct buf scratch; /* what is decompressed */
	uint32_t static_marks[HPACK_STATIC_COUNT + 1];
};

/* `table_max`: what our SETTINGS announce. Less than HPACK_TABLE_DEFAULT is for peers that know it
 * before their first block. */
void hpack_decoder_init(struct hpack_decoder *decoder, size_t table_max);
/* Wipes what it held: it may be credentials. */
void hpack_decoder_free(struct hpack_decoder *decoder);

/* A whole header block, its frames joined. Calls `take` once a field, in order; NULL: the fields
 * are of no interest, but the table follows. False: COMPRESSION_ERROR, the connection is over (RFC
 * 9113, 4.3), and what was taken of the block is void.
 *
 * One byte of a block may stand for a field as large as the table: the sum of what a block hands
 * out is not bounded here. `take` counts name_len + value_len before it copies anything. It must
 * not call the decoder. */
bool hpack_decode(struct hpack_decoder *decoder, const uint8_t *block, size_t len, hpack_take *take,
    void *arg) MUST_USE;

#endif
