/* The slow, obvious implementation of Kubernetes' protobuf. Called by test_protobuf_filter.c and
 * fuzz_protobuf_filter.c. */
#include "tests/unit/protobuf_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

struct bytes {
	const uint8_t *at;
	size_t len;
};

struct field {
	int32_t number;
	unsigned wire_type;
	struct bytes content; /* of wire type 2 */
};

/* --- reading --------------------------------------------------------------------------------- */

static bool next_varint(struct bytes *from, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (from->len == 0)
			return false;
		uint8_t byte = *from->at++;
		from->len--;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool next_bytes(struct bytes *from, uint64_t len, struct bytes *taken, bool is_lenient)
{
	bool fits = len <= from->len;
	size_t part = fits ? (size_t)len : from->len;
	*taken = (struct bytes){from->at, part};
	from->at += part;
	from->len -= part;
	return fits || is_lenient;
}

static bool next_field(struct bytes *from, struct field *field, bool is_lenient);

static bool skip_group(struct bytes *from, unsigned depth)
{
	struct field field;
	if (depth > 100)
		return false;
	while (next_field(from, &field, false)) {
		if (field.wire_type == 4)
			return true;
		if (field.wire_type == 3 && !skip_group(from, depth + 1))
			return false;
	}
	return false;
}

static bool next_field(struct bytes *from, struct field *field, bool is_lenient)
{
	uint64_t tag, len;
	if (from->len == 0 || !next_varint(from, &tag))
		return false;
	field->number = (int32_t)(uint32_t)(tag >> 3);
	field->wire_type = (unsigned)(tag & 7);
	field->content = (struct bytes){0};
	switch (field->wire_type) {
	case 0:
		return next_varint(from, &len);
	case 1:
		return next_bytes(from, 8, &field->content, false);
	case 2:
		return next_varint(from, &len) &&
		       next_bytes(from, len, &field->content, is_lenient);
	case 3:
	case 4:
		return true;
	case 5:
		return next_bytes(from, 4, &field->content, false);
	default:
		return false;
	}
}

/* Calls for each field of bytes. False: it cannot be decoded to its end. */
typedef void field_fn(void *arg, int32_t number, struct bytes content);
static bool each_field(struct bytes message, bool is_lenient, field_fn *fn, void *arg)
{
	struct field field;
	while (message.len > 0) {
		if (!next_field(&message, &field, is_lenient) || field.number <= 0 ||
		    field.wire_type == 4)
			return false;
		if (field.wire_type == 3 && !skip_group(&message, 0))
			return false;
		if (field.wire_type == 2)
			fn(arg, field.number, field.content);
	}
	return true;
}

static void copy_text(char *to, size_t size, struct bytes from)
{
	snprintf(to, size, "%.*s", (int)(from.len < size ? from.len : size - 1),
	    from.len > 0 ? (const char *)from.at : "");
}

/* --- objects --------------------------------------------------------------------------------- */

static void on_metadata_field(void *arg, int32_t number, struct bytes content)
{
	struct seen_object *object = arg;
	if (number == 1)
		copy_text(object->name, sizeof object->name, content);
	if (number == 3)
		copy_text(object->namespace, sizeof object->namespace, content);
}

static void on_object_field(void *arg, int32_t number, struct bytes content)
{
	if (number == 1)
		(void)!each_field(content, false, on_metadata_field, arg);
}

static void see(struct seen *seen, struct bytes bytes, const char *type, struct bytes kind)
{
	seen->objects = xreallocarray(seen->objects, seen->count + 1, sizeof *seen->objects);
	struct seen_object *object = &seen->objects[seen->count++];
	*object = (struct seen_object){.bytes = bytes.at, .len = bytes.len};
	snprintf(object->type, sizeof object->type, "%s", type);
	copy_text(object->kind, sizeof object->kind, kind);
	(void)!each_field(bytes, false, on_object_field, object);
}

/* --- the envelope ---------------------------------------------------------------------------- */

struct envelope {
	struct bytes raw, kind;
};

static void on_type_field(void *arg, int32_t number, struct bytes content)
{
	struct envelope *envelope = arg;
	if (number == 2)
		envelope->kind = content;
}

static void on_envelope_field(void *arg, int32_t number, struct bytes content)
{
	struct envelope *envelope = arg;
	if (number == 1)
		(void)!each_field(content, false, on_type_field, envelope);
	if (number == 2)
		envelope->raw = content;
}

static bool open_envelope(struct bytes data, bool is_lenient, struct envelope *envelope)
{
	*envelope = (struct envelope){0};
	if (data.len < 4 || memcmp(data.at, "k8s\0", 4) != 0)
		return false;
	return each_field(
	    (struct bytes){data.at + 4, data.len - 4}, is_lenient, on_envelope_field, envelope);
}

/* remainingItemCount, whatever its type: each_field() is about bytes alone. */
static bool has_field_4(struct bytes metadata)
{
	struct field field;
	while (metadata.len > 0 && next_field(&metadata, &field, true)) {
		if (field.number == 4)
			return true;
	}
	return false;
}

static bool has_token(struct bytes metadata)
{
	struct field field;
	while (metadata.len > 0 && next_field(&metadata, &field, true)) {
		if (field.number == 3 && field.wire_type == 2 && field.content.len > 0)
			return true;
	}
	return false;
}

static void on_list_field(void *arg, int32_t number, struct bytes content)
{
	struct seen *seen = arg;
	if (number == 1) {
		seen->tells_remaining |= has_field_4(content);
		seen->has_token |= has_token(content);
	}
	if (number == 2)
		see(arg, content, "", (struct bytes){0});
}

static bool is_list_kind(struct bytes kind)
{
	return kind.len >= 4 && memcmp(kind.at + kind.len - 4, "List", 4) == 0;
}

void reference_list(const uint8_t *data, size_t len, struct seen *seen)
{
	struct envelope envelope;
	*seen = (struct seen){0};
	seen->is_whole = open_envelope((struct bytes){data, len}, false, &envelope);
	if (!seen->is_whole)
		(void)!open_envelope((struct bytes){data, len}, true, &envelope);
	seen->is_list = is_list_kind(envelope.kind);
	if (seen->is_list)
		seen->is_whole &= each_field(envelope.raw, !seen->is_whole, on_list_field, seen);
	else
		see(seen, envelope.raw, "", envelope.kind);
}

/* --- what must be left of a list ---------------------------------------------------------------
 */

static void put_since(struct buf *out, const uint8_t *begin, struct bytes rest)
{
	buf_append(out, begin, (size_t)(rest.at - begin));
}

static void build_metadata(struct buf *out, struct bytes metadata)
{
	struct buf rest = {0};
	struct field field;
	for (const uint8_t *begin = metadata.at;
	     metadata.len > 0 && next_field(&metadata, &field, false); begin = metadata.at) {
		if (field.number != 4)
			put_since(&rest, begin, metadata);
	}
	put_bytes(out, 1, &rest);
	buf_free(&rest);
}

static bool is_object(const struct seen_object *object, struct bytes bytes)
{
	return object->len == bytes.len &&
	       (bytes.len == 0 || memcmp(object->bytes, bytes.at, bytes.len) == 0);
}

static void build_items(struct buf *out, struct bytes list, const struct seen *left)
{
	size_t next = 0;
	struct field field;
	for (const uint8_t *begin = list.at; list.len > 0 && next_field(&list, &field, false);
	     begin = list.at) {
		bool is_bytes = field.wire_type == 2;
		if (field.number == 1 && is_bytes && has_field_4(field.content)) {
			build_metadata(out, field.content);
		} else if (field.number == 1 && is_bytes) {
			put_since(out, begin, list);
		} else if (field.number == 2 && is_bytes && next < left->count &&
			   is_object(&left->objects[next], field.content)) {
			put_since(out, begin, list);
			next++;
		}
	}
}

void reference_build(const uint8_t *data, size_t len, const struct seen *left, struct buf *out)
{
	struct bytes rest = {data + 4, len - 4};
	struct envelope envelope;
	struct field field;
	(void)!open_envelope((struct bytes){data, len}, false, &envelope);
	bool is_list = is_list_kind(envelope.kind);
	buf_append(out, data, 4);
	for (const uint8_t *begin = rest.at; rest.len > 0 && next_field(&rest, &field, false);
	     begin = rest.at) {
		struct buf items = {0};
		if (field.number == 2 && is_list) {
			build_items(&items, field.content, left);
			put_bytes(out, 2, &items);
		} else if (field.number >= 1 && field.number <= 4) {
			put_since(out, begin, rest);
		}
		buf_free(&items);
	}
}

/* --- watches --------------------------------------------------------------------------------- */

struct event {
	char type[16];
	struct bytes raw;
};

static void on_extension_field(void *arg, int32_t number, struct bytes content)
{
	struct event *event = arg;
	if (number == 1)
		event->raw = content;
}

static void on_event_field(void *arg, int32_t number, struct bytes content)
{
	struct event *event = arg;
	if (number == 1)
		copy_text(event->type, sizeof event->type, content);
	if (number == 2)
		(void)!each_field(content, false, on_extension_field, event);
}

void reference_watch(const uint8_t *data, size_t len, struct seen *seen)
{
	struct bytes rest = {data, len}, frame;
	*seen = (struct seen){.is_whole = true};
	while (rest.len >= 4) {
		struct event event = {0};
		struct envelope envelope;
		uint32_t size = (uint32_t)rest.at[0] << 24 | (uint32_t)rest.at[1] << 16 |
				(uint32_t)rest.at[2] << 8 | rest.at[3];
		rest.at += 4;
		rest.len -= 4;
		seen->is_whole &= next_bytes(&rest, size, &frame, false);
		seen->is_whole &= each_field(frame, false, on_event_field, &event);
		seen->is_whole &= open_envelope(event.raw, false, &envelope);
		see(seen, envelope.raw, event.type, envelope.kind);
	}
	seen->is_whole &= rest.len == 0;
}

void seen_free(struct seen *seen)
{
	free(seen->objects);
	*seen = (struct seen){0};
}

/* --- writing --------------------------------------------------------------------------------- */

void put_varint(struct buf *out, uint64_t value)
{
	while (value > 0x7f) {
		buf_append_char(out, (char)(value % 128 + 128));
		value /= 128;
	}
	buf_append_char(out, (char)value);
}

void put_bytes(struct buf *out, uint64_t number, const struct buf *bytes)
{
	put_varint(out, number * 8 + 2);
	put_varint(out, bytes->len);
	buf_append(out, bytes->data, bytes->len);
}

void put_text(struct buf *out, uint64_t number, const char *text)
{
	struct buf bytes = {0};
	buf_append_text(&bytes, text);
	put_bytes(out, number, &bytes);
	buf_free(&bytes);
}

void put_object(struct buf *out, const char *namespace, const char *name, size_t padding)
{
	struct buf metadata = {0}, spec = {0};
	put_text(&metadata, 1, name);
	if (namespace[0] != '\0')
		put_text(&metadata, 3, namespace);
	put_bytes(out, 1, &metadata);
	for (size_t i = 0; i < padding; i++)
		buf_append_char(&spec, 's');
	if (padding > 0)
		put_bytes(out, 2, &spec);
	buf_free(&metadata);
	buf_free(&spec);
}

void put_envelope(struct buf *out, const char *version, const char *kind, const struct buf *raw)
{
	struct buf type = {0};
	put_text(&type, 1, version);
	put_text(&type, 2, kind);
	buf_append(out, "k8s\0", 4);
	put_bytes(out, 1, &type);
	put_bytes(out, 2, raw);
	put_text(out, 3, "");
	put_text(out, 4, "");
	buf_free(&type);
}

void put_event(struct buf *out, const char *type, const char *kind, const struct buf *object)
{
	struct buf unknown = {0}, extension = {0}, event = {0};
	put_envelope(&unknown, "v1", kind, object);
	put_bytes(&extension, 1, &unknown);
	put_text(&event, 1, type);
	put_bytes(&event, 2, &extension);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_append_char(out, (char)(event.len >> shift));
	buf_append(out, event.data, event.len);
	buf_free(&unknown);
	buf_free(&extension);
	buf_free(&event);
}
