/* The decoder of header blocks. It copies nothing but what it decompresses and what enters the
 * table: fields are handed out where they stand. Used by the two ends of HTTP/2. */
#include "kubeproxyd/http/hpack_decode.h"

#include <stdlib.h>

#include "kubeproxyd/http/huffman.h"

/* In a block: one down, one up again (4.2). */
#define SIZE_UPDATES_MAX 2
/* Of the scratch, from block to block. */
#define KEEP_MAX 1024u

/* A block that is being read. */
struct reading {
	struct hpack_decoder *decoder;
	const uint8_t *at, *end;
	size_t len; /* of the block */
	char *scratch; /* where the field's next string is decompressed to; NULL: no room yet */
	hpack_take *take;
	void *arg;
};

void hpack_decoder_init(struct hpack_decoder *decoder, size_t table_max)
{
	if (table_max > INT32_MAX)
		abort();
	*decoder = (struct hpack_decoder){
	    .table_max = table_max,
	    .table.max = table_max < HPACK_TABLE_DEFAULT ? table_max : HPACK_TABLE_DEFAULT,
	};
}

void hpack_decoder_free(struct hpack_decoder *decoder)
{
	hpack_table_free(&decoder->table);
	buf_free_secret(&decoder->scratch);
	*decoder = (struct hpack_decoder){0};
}

/* --- integers and strings --------------------------------------------------------------------- */

/* What follows a prefix that is all ones. At most 32 bits, in at most five bytes. */
static bool read_rest(struct reading *in, uint32_t prefix, uint32_t *number)
{
	uint64_t sum = prefix;
	for (unsigned shift = 0; shift < 32; shift += 7) {
		if (in->at == in->end)
			return false;
		uint8_t byte = *in->at++;
		sum += (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) != 0)
			continue;
		*number = (uint32_t)sum;
		return sum <= UINT32_MAX;
	}
	return false;
}

/* Behind a prefix of the bits in `mask` (5.1). There is a byte. */
static inline bool read_integer(struct reading *in, uint8_t mask, uint32_t *number)
{
	uint8_t first = *in->at++ & mask;
	*number = first;
	return first != mask || read_rest(in, first, number);
}

/* Once a block is enough for all its fields: name and value of each begin anew. */
static void make_scratch(struct reading *in)
{
	struct buf *scratch = &in->decoder->scratch;
	size_t room = huffman_decode_room(in->len) + huffman_decode_room(0);
	if (scratch->cap <= room) {
		buf_free_secret(scratch);
		buf_make_room(scratch, room);
	}
	in->scratch = scratch->data;
}

static bool decompress(
    struct reading *in, const uint8_t *code, uint32_t len, const char **text, size_t *text_len)
{
	if (in->scratch == NULL)
		make_scratch(in);
	*text = in->scratch;
	if (!huffman_decode(in->scratch, text_len, code, len))
		return false;
	in->scratch += *text_len;
	return true;
}

static bool read_string(struct reading *in, const char **text, size_t *text_len)
{
	uint32_t len;
	if (in->at == in->end)
		return false;
	bool is_compressed = (*in->at & 0x80) != 0;
	if (!read_integer(in, 0x7f, &len) || len > (size_t)(in->end - in->at))
		return false;
	const uint8_t *bytes = in->at;
	in->at += len;
	if (is_compressed)
		return decompress(in, bytes, len, text, text_len);
	*text = (const char *)bytes;
	*text_len = len;
	return true;
}

/* --- fields ----------------------------------------------------------------------------------- */

static inline void hand_out(const struct reading *in, const struct hpack_field *field)
{
	if (in->take != NULL)
		in->take(in->arg, field);
}

static inline void fill_from_entry(
    struct hpack_field *field, const struct hpack_table *table, struct hpack_entry *entry)
{
	field->name = hpack_entry_name(table, entry);
	field->name_len = entry->name_len;
	field->value = field->name + entry->name_len;
	field->value_len = entry->value_len;
	field->static_name = entry->static_name;
	field->mark = &entry->mark;
}

/* What both tables hold at `index` (2.3.3). */
static inline bool find(struct hpack_decoder *decoder, uint32_t index, struct hpack_field *field)
{
	if (index > HPACK_STATIC_COUNT) {
		size_t dynamic = index - (HPACK_STATIC_COUNT + 1);
		if (dynamic >= decoder->table.count)
			return false;
		fill_from_entry(
		    field, &decoder->table, hpack_table_entry(&decoder->table, dynamic));
		return true;
	}
	const struct hpack_static *entry = hpack_static(index);
	field->name = entry->name;
	field->name_len = entry->name_len;
	field->value = entry->value;
	field->value_len = entry->value_len;
	field->static_name = entry->first;
	field->mark = &decoder->static_marks[index];
	return index > 0;
}

/* 6.1 */
static bool read_indexed(struct reading *in)
{
	struct hpack_field field;
	uint32_t index;
	field.is_never_indexed = false; /* all else is found */
	field.name_mark = 0;
	if (!read_integer(in, 0x7f, &index) || !find(in->decoder, index, &field))
		return false;
	hand_out(in, &field);
	return true;
}

/* 6.2: a name, by an index behind a prefix of the bits in `mask` or as it is, and a value. */
static bool read_literal(struct reading *in, uint8_t mask, struct hpack_field *field)
{
	uint32_t index;
	if (!read_integer(in, mask, &index))
		return false;
	if (in->scratch != NULL)
		in->scratch = in->decoder->scratch.data;
	if (index > 0 ? !find(in->decoder, index, field)
		      : !read_string(in, &field->name, &field->name_len))
		return false;
	field->name_mark = field->mark != NULL ? *field->mark : 0;
	field->mark = NULL;
	return read_string(in, &field->value, &field->value_len);
}

/* 6.2.1 */
static bool read_inserted(struct reading *in)
{
	struct hpack_field field = {0};
	struct hpack_table *table = &in->decoder->table;
	if (!read_literal(in, 0x3f, &field))
		return false;
	struct hpack_pair pair = {
	    .name = field.name,
	    .value = field.value,
	    .name_len = field.name_len,
	    .value_len = field.value_len,
	    .static_name = field.static_name,
	};
	struct hpack_entry *entry = hpack_table_insert(table, &pair);
	if (entry != NULL)
		fill_from_entry(&field, table, entry);
	hand_out(in, &field);
	return true;
}

/* 6.2.2 and 6.2.3 */
static bool read_passing(struct reading *in)
{
	struct hpack_field field = {.is_never_indexed = (*in->at & 0x10) != 0};
	if (!read_literal(in, 0x0f, &field))
		return false;
	hand_out(in, &field);
	return true;
}

static bool read_field(struct reading *in)
{
	if ((*in->at & 0x80) != 0)
		return read_indexed(in);
	if ((*in->at & 0x40) != 0)
		return read_inserted(in);
	if ((*in->at & 0x20) != 0)
		return false; /* a size update: they stand first */
	return read_passing(in);
}

/* 6.3 */
static bool read_size_updates(struct reading *in)
{
	for (unsigned i = 0; i < SIZE_UPDATES_MAX; i++) {
		uint32_t size;
		if (in->at == in->end || (*in->at & 0xe0) != 0x20)
			return true;
		if (!read_integer(in, 0x1f, &size) || size > in->decoder->table_max)
			return false;
		hpack_table_resize(&in->decoder->table, size);
	}
	return true;
}

bool hpack_decode(
    struct hpack_decoder *decoder, const uint8_t *block, size_t len, hpack_take *take, void *arg)
{
	struct reading in = {
	    .decoder = decoder,
	    .at = block,
	    .end = len > 0 ? block + len : block,
	    .len = len,
	    .take = take,
	    .arg = arg,
	};
	bool is_sound = read_size_updates(&in);
	while (is_sound && in.at < in.end)
		is_sound = read_field(&in);
	if (decoder->scratch.cap > KEEP_MAX)
		buf_free_secret(&decoder->scratch);
	return is_sound;
}
