/* Our decoder of header blocks and nghttp2's beside it. Used by test_hpack_decode and fuzz_hpack.
 */
#include "tests/unit/hpack_both.h"

#include <stdlib.h>
#include <string.h>

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

static void append_field(struct buf *out, const char *name, size_t name_len, const char *value,
    size_t value_len, bool is_never_indexed)
{
	const size_t head[] = {name_len, value_len, is_never_indexed};
	buf_append(out, head, sizeof head);
	buf_append(out, name, name_len);
	buf_append(out, value, value_len);
}

static uint32_t hash(uint32_t sum, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (uint8_t)text[i]) * 16777619u;
	return (sum ^ (uint32_t)len) * 16777619u;
}

/* Half of it is that of its name alone. Never 0. */
static uint32_t mark_of(const struct hpack_field *field)
{
	uint32_t name = hash(2166136261u, field->name, field->name_len);
	uint32_t both = hash(name, field->value, field->value_len);
	return (name >> 16) << 16 | both >> 16 | 1;
}

static void take(void *arg, const struct hpack_field *field)
{
	struct hpack_both *both = arg;
	both->fields++;
	append_field(&both->from_ours, field->name, field->name_len, field->value, field->value_len,
	    field->is_never_indexed);
	if (field->static_name != 0) {
		const struct hpack_static *entry = hpack_static(field->static_name);
		demand(entry->first == field->static_name);
		demand(entry->name_len == field->name_len &&
		       memcmp(entry->name, field->name, field->name_len) == 0);
	}
	demand(field->name_mark == 0 || field->name_mark >> 16 == mark_of(field) >> 16);
	if (field->mark == NULL)
		return;
	demand(!field->is_never_indexed);
	demand(*field->mark == 0 || *field->mark == mark_of(field));
	*field->mark = mark_of(field);
}

static bool inflate(struct hpack_both *both, const uint8_t *block, size_t len)
{
	for (;;) {
		nghttp2_nv field;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(both->theirs, &field, &flags, block, len, 1);
		if (used < 0)
			return false;
		block += used;
		len -= (size_t)used;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
			append_field(&both->from_theirs, (const char *)field.name, field.namelen,
			    (const char *)field.value, field.valuelen,
			    (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
		demand((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 || len > 0);
	}
	nghttp2_hd_inflate_end_headers(both->theirs);
	return true;
}

/* RFC 7541, 4.2: a block has at most two. nghttp2 takes any number of them. */
static bool has_three_updates(const uint8_t *block, size_t len)
{
	size_t at = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (at == len || (block[at] & 0xe0) != 0x20)
			return false;
		if ((block[at++] & 0x1f) == 0x1f) {
			while (at < len && (block[at] & 0x80) != 0)
				at++;
			at++;
		}
	}
	return true;
}

void hpack_both_open(struct hpack_both *both, size_t table_max)
{
	*both = (struct hpack_both){0};
	hpack_decoder_init(&both->ours, table_max);
	demand(nghttp2_hd_inflate_new(&both->theirs) == 0);
	demand(nghttp2_hd_inflate_change_table_size(both->theirs, table_max) == 0);
}

bool hpack_both_decode(struct hpack_both *both, const uint8_t *block, size_t len)
{
	buf_clear(&both->from_ours);
	buf_clear(&both->from_theirs);
	both->fields = 0;
	bool is_ours = hpack_decode(&both->ours, block, len, take, both);
	bool is_theirs = inflate(both, block, len);
	if (!is_ours && is_theirs)
		demand(has_three_updates(block, len));
	demand(is_theirs || !is_ours);
	if (!is_ours)
		return false;
	demand(both->from_ours.len == both->from_theirs.len);
	demand(both->from_ours.len == 0 ||
	       memcmp(both->from_ours.data, both->from_theirs.data, both->from_ours.len) == 0);
	demand(both->ours.table.size == nghttp2_hd_inflate_get_dynamic_table_size(both->theirs));
	demand(both->ours.table.count + HPACK_STATIC_COUNT ==
	       nghttp2_hd_inflate_get_num_table_entries(both->theirs));
	return true;
}

void hpack_both_close(struct hpack_both *both)
{
	hpack_decoder_free(&both->ours);
	nghttp2_hd_inflate_del(both->theirs);
	buf_free(&both->from_ours);
	buf_free(&both->from_theirs);
}
