/* The bodies of bus messages: one table of members per type, from which both encode and decode
 * work. Unknown members are skipped (a newer peer may send them); a member twice, missing, of
 * another type or too long is an error that names it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_text.h"
#include "proto/message.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ITEMS_MAX    65536 /* of one message; its size bounds them more tightly */

enum field_kind { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_LIST };
enum field_need { REQUIRED, OPTIONAL };

/* One member of a JSON object and of the struct it is decoded into. */
struct field {
	const char *name;
	enum field_kind kind;
	enum field_need need;
	size_t offset; /* of the char *, int64_t, bool, or pointer to the elements */
	int64_t max; /* bytes of a text, largest value of an integer, elements of a list */
	int64_t min; /* smallest value of an integer */
	size_t len_offset; /* of a size_t: length of a text, count of a list; 0: none */
	const struct shape *element; /* of a list */
};

struct shape {
	const struct field *fields;
	size_t count;
	size_t size;
};

#define TEXT(type, member, limit, needed)                                                          \
	{                                                                                          \
		.name = #member, .kind = FIELD_TEXT, .need = (needed),                             \
		.offset = offsetof(struct type, member), .max = (limit)                            \
	}
#define NUMBER(type, member, low, high)                                                            \
	{                                                                                          \
		.name = #member, .kind = FIELD_INT, .need = REQUIRED,                              \
		.offset = offsetof(struct type, member), .min = (low), .max = (high)               \
	}

static const struct field hello_fields[] = {
    NUMBER(message_hello, session, 0, JSON_TEXT_INT_MAX),
    TEXT(message_hello, role, 16, REQUIRED),
    TEXT(message_hello, instance, 64, REQUIRED),
    TEXT(message_hello, node, 64, OPTIONAL),
    TEXT(message_hello, software, 32, OPTIONAL),
    NUMBER(message_hello, pid, 0, INT32_MAX),
    NUMBER(message_hello, credit, 1, 64),
};

static const struct field welcome_fields[] = {
    NUMBER(message_welcome, session, 0, JSON_TEXT_INT_MAX),
    TEXT(message_welcome, software, 32, OPTIONAL),
    NUMBER(message_welcome, heartbeat_ms, 1, 3600000),
};

static const struct field item_fields[] = {
    TEXT(message_item, name, MESSAGE_NAME_MAX, REQUIRED),
    NUMBER(message_item, revision, 1, JSON_TEXT_INT_MAX),
    {.name = "resource",
	.kind = FIELD_TEXT,
	.need = OPTIONAL,
	.offset = offsetof(struct message_item, resource),
	.max = MESSAGE_ITEM_MAX,
	.len_offset = offsetof(struct message_item, resource_len)},
    TEXT(message_item, renamed_to, MESSAGE_NAME_MAX, OPTIONAL),
};
static const struct shape item_shape = {
    item_fields, COUNT(item_fields), sizeof(struct message_item)};

static const struct field items_fields[] = {
    {.name = "items",
	.kind = FIELD_LIST,
	.need = REQUIRED,
	.offset = offsetof(struct message_items, items),
	.max = ITEMS_MAX,
	.len_offset = offsetof(struct message_items, count),
	.element = &item_shape},
};

static const struct field heartbeat_fields[] = {
    NUMBER(message_heartbeat, clock_offset_ms, -JSON_TEXT_INT_MAX, JSON_TEXT_INT_MAX),
};

static const struct field rejection_fields[] = {
    TEXT(message_rejection, name, MESSAGE_NAME_MAX, REQUIRED),
    NUMBER(message_rejection, revision, 1, JSON_TEXT_INT_MAX),
    TEXT(message_rejection, text, 512, REQUIRED),
};
static const struct shape rejection_shape = {
    rejection_fields, COUNT(rejection_fields), sizeof(struct message_rejection)};

static const struct field ack_fields[] = {
    NUMBER(message_ack, session, 0, JSON_TEXT_INT_MAX),
    NUMBER(message_ack, received, 0, JSON_TEXT_INT_MAX),
    {.name = "rejected",
	.kind = FIELD_LIST,
	.need = OPTIONAL,
	.offset = offsetof(struct message_ack, rejected),
	.max = 64,
	.len_offset = offsetof(struct message_ack, rejected_count),
	.element = &rejection_shape},
    {.name = "has_more",
	.kind = FIELD_BOOL,
	.need = OPTIONAL,
	.offset = offsetof(struct message_ack, has_more)},
};

static const struct field reason_fields[] = {
    TEXT(message_reason, code, 32, REQUIRED),
    TEXT(message_reason, text, 512, REQUIRED),
};

static const struct field refresh_fields[] = {
    TEXT(message_refresh, name, MESSAGE_NAME_MAX, REQUIRED),
    TEXT(message_refresh, reason, 256, REQUIRED),
};

static const struct field task_fields[] = {
    TEXT(message_task, nonce, 64, REQUIRED),
    TEXT(message_task, kind, 32, REQUIRED),
    TEXT(message_task, cluster, MESSAGE_NAME_MAX, REQUIRED),
    TEXT(message_task, body, MESSAGE_ITEM_MAX, REQUIRED),
};

static const struct field task_result_fields[] = {
    TEXT(message_task_result, nonce, 64, REQUIRED),
    {.name = "ok",
	.kind = FIELD_BOOL,
	.need = REQUIRED,
	.offset = offsetof(struct message_task_result, is_ok)},
    TEXT(message_task_result, text, 512, REQUIRED),
};

#define SHAPE(fields)                                                                              \
	{                                                                                          \
		fields, COUNT(fields), 0                                                           \
	}
static const struct shape shapes[] = {
    [MESSAGE_HELLO] = SHAPE(hello_fields),
    [MESSAGE_WELCOME] = SHAPE(welcome_fields),
    [MESSAGE_SNAPSHOT_BEGIN] = {NULL, 0, 0},
    [MESSAGE_SNAPSHOT_CHUNK] = SHAPE(items_fields),
    [MESSAGE_SNAPSHOT_END] = {NULL, 0, 0},
    [MESSAGE_DELTA] = SHAPE(items_fields),
    [MESSAGE_HEARTBEAT] = SHAPE(heartbeat_fields),
    [MESSAGE_ACK] = SHAPE(ack_fields),
    [MESSAGE_REJECT] = SHAPE(reason_fields),
    [MESSAGE_BYE] = SHAPE(reason_fields),
    [MESSAGE_REFRESH] = SHAPE(refresh_fields),
    [MESSAGE_TASK_RESULT] = SHAPE(task_result_fields),
    [MESSAGE_TASK] = SHAPE(task_fields),
};

static const struct shape *shape_of(unsigned type)
{
	return message_type_name(type) != NULL ? &shapes[type & ~MESSAGE_TYPE_OPTIONAL] : NULL;
}

/* Members by offset: what a field describes inside `object`. */
static void *at_offset(void *object, size_t offset)
{
	return (char *)object + offset;
}

static const void *at_const(const void *object, size_t offset)
{
	return (const char *)object + offset;
}

static void free_object(const struct shape *shape, void *object);

static void free_list(const struct field *field, void *object)
{
	char **elements = at_offset(object, field->offset);
	size_t *count = at_offset(object, field->len_offset);
	for (size_t i = 0; i < *count; i++)
		free_object(field->element, *elements + i * field->element->size);
	free(*elements);
	*elements = NULL;
	*count = 0;
}

static void free_object(const struct shape *shape, void *object)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];
		if (field->kind == FIELD_LIST) {
			free_list(field, object);
		} else if (field->kind == FIELD_TEXT) {
			char **text = at_offset(object, field->offset);
			free(*text);
			*text = NULL;
		}
	}
}

void message_body_free(unsigned type, union message_body *body)
{
	const struct shape *shape = shape_of(type);
	if (shape == NULL)
		return;
	if ((type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_TASK && body->task.body != NULL)
		explicit_bzero(body->task.body, strlen(body->task.body));
	free_object(shape, body);
}

static void write_object(struct json_writer *writer, const struct shape *shape, const void *object);

static void write_list(struct json_writer *writer, const struct field *field, const void *object)
{
	const char *const *elements = at_const(object, field->offset);
	const size_t *count = at_const(object, field->len_offset);
	json_write(writer, "[");
	for (size_t i = 0; i < *count; i++) {
		json_write(writer, i > 0 ? "," : "");
		write_object(writer, field->element, *elements + i * field->element->size);
	}
	json_write(writer, "]");
}

static void write_text(struct json_writer *writer, const struct field *field, const void *object)
{
	const char *const *text = at_const(object, field->offset);
	const size_t *len = at_const(object, field->len_offset);
	json_write_string(writer, *text, field->len_offset > 0 ? *len : strlen(*text));
}

/* Optional members that say nothing are left out. */
static bool is_absent(const struct field *field, const void *object)
{
	if (field->kind == FIELD_TEXT)
		return *(const char *const *)at_const(object, field->offset) == NULL;
	if (field->need == REQUIRED)
		return false;
	if (field->kind == FIELD_LIST)
		return *(const size_t *)at_const(object, field->len_offset) == 0;
	return field->kind == FIELD_BOOL && !*(const bool *)at_const(object, field->offset);
}

static void write_object(struct json_writer *writer, const struct shape *shape, const void *object)
{
	const char *separator = "{";
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];
		if (is_absent(field, object))
			continue;
		json_write(writer, separator);
		json_write_string(writer, field->name, strlen(field->name));
		json_write(writer, ":");
		separator = ",";
		if (field->kind == FIELD_LIST)
			write_list(writer, field, object);
		else if (field->kind == FIELD_TEXT)
			write_text(writer, field, object);
		else if (field->kind == FIELD_INT)
			json_write_int(writer, *(const int64_t *)at_const(object, field->offset));
		else
			json_write(writer,
			    *(const bool *)at_const(object, field->offset) ? "true" : "false");
	}
	json_write(writer, *separator == '{' ? "{}" : "}");
}

char *message_encode_body(enum message_type type, const union message_body *body, size_t *len)
{
	struct json_writer writer = {0};
	const struct shape *shape = shape_of(type);
	if (shape == NULL)
		abort();
	write_object(&writer, shape, body);
	*len = writer.len;
	return writer.data;
}

/* "items: member "revision": an integer is expected", at the reader's place. */
static void fail_member(struct json_reader *reader, const char *name, const char *what)
{
	char text[JSON_TEXT_ERROR / 2];
	snprintf(text, sizeof text, "member \"%s\" %s", name, what);
	json_reader_fail(reader, text);
}

static void read_object(struct json_reader *reader, const struct shape *shape, void *object);

static void read_list(struct json_reader *reader, const struct field *field, void *object)
{
	char **elements = at_offset(object, field->offset);
	size_t *count = at_offset(object, field->len_offset), cap = 0;
	const size_t size = field->element->size;
	if (!json_read_array(reader))
		return;
	while (json_read_element(reader)) {
		if (*count >= (size_t)field->max) {
			fail_member(reader, field->name, "has too many elements");
			return;
		}
		if (*count == cap) {
			cap = cap > 0 ? cap * 2 : 8;
			char *grown = reallocarray(*elements, cap, size);
			if (grown == NULL)
				abort();
			*elements = grown;
		}
		memset(*elements + *count * size, 0, size);
		read_object(reader, field->element, *elements + (*count)++ * size);
	}
}

static void read_number(struct json_reader *reader, const struct field *field, void *object)
{
	int64_t *value = at_offset(object, field->offset);
	if (json_read_int(reader, value) && (*value < field->min || *value > field->max))
		fail_member(reader, field->name, "is out of range");
}

static void read_text(struct json_reader *reader, const struct field *field, void *object)
{
	size_t len;
	char **text = at_offset(object, field->offset);
	if (json_read_string(reader, text, &len, (size_t)field->max) && field->len_offset > 0)
		*(size_t *)at_offset(object, field->len_offset) = len;
}

static void read_field(struct json_reader *reader, const struct field *field, void *object)
{
	bool was_bad = reader->is_bad;
	if (field->kind == FIELD_TEXT)
		read_text(reader, field, object);
	else if (field->kind == FIELD_INT)
		read_number(reader, field, object);
	else if (field->kind == FIELD_LIST)
		read_list(reader, field, object);
	else
		(void)!json_read_bool(reader, at_offset(object, field->offset));
	/* What the reader says is where and what; which member is said here, once. */
	if (!was_bad && reader->is_bad && strncmp(reader->error, "member", 6) != 0) {
		char what[JSON_TEXT_ERROR];
		memcpy(what, reader->error, sizeof what);
		snprintf(reader->error, sizeof reader->error, "member \"%s\": %.120s", field->name,
		    what);
	}
}

static void read_object(struct json_reader *reader, const struct shape *shape, void *object)
{
	char key[JSON_TEXT_KEY];
	unsigned seen = 0;
	if (!json_read_object(reader))
		return;
	while (json_read_member(reader, key)) {
		size_t i = 0;
		while (i < shape->count && strcmp(shape->fields[i].name, key) != 0)
			i++;
		if (i == shape->count) {
			json_skip(reader);
			continue;
		}
		if ((seen & 1u << i) != 0) {
			fail_member(reader, key, "stands there twice");
			return;
		}
		seen |= 1u << i;
		read_field(reader, &shape->fields[i], object);
	}
	for (size_t i = 0; i < shape->count; i++) {
		if (shape->fields[i].need == REQUIRED && (seen & 1u << i) == 0)
			fail_member(reader, shape->fields[i].name, "is missing");
	}
}

static bool is_name(const char *name)
{
	if (name[0] == '\0')
		return false;
	for (; *name != '\0'; name++) {
		if (*name <= ' ' || *name > '~')
			return false;
	}
	return true;
}

static const char *check_item(unsigned type, const struct message_item *item)
{
	if (!is_name(item->name) || (item->renamed_to != NULL && !is_name(item->renamed_to)))
		return "has no usable name";
	if (item->resource == NULL && type == MESSAGE_SNAPSHOT_CHUNK)
		return "has no resource";
	if (item->resource != NULL && item->renamed_to != NULL)
		return "has a resource and is renamed";
	return NULL;
}

/* What the members alone do not show: the order of the items, and that they are what the header
 * says. */
static const char *check_order(
    const struct message_header *header, unsigned type, const struct message_items *items, size_t i)
{
	const struct message_item *item = &items->items[i];
	if ((uint64_t)item->revision > header->sequence)
		return "has a revision beyond the message's sequence";
	if (type == MESSAGE_SNAPSHOT_CHUNK)
		return i > 0 && strcmp(items->items[i - 1].name, item->name) >= 0
			   ? "is out of order"
			   : NULL;
	uint64_t before = i > 0 ? (uint64_t)items->items[i - 1].revision : header->base_sequence;
	return (uint64_t)item->revision <= before ? "has a revision that does not grow" : NULL;
}

static bool check_items(const struct message_header *header, const struct message_items *items,
    char error[MESSAGE_ERROR_TEXT])
{
	unsigned type = header->type & ~MESSAGE_TYPE_OPTIONAL;
	if (items->count != header->count) {
		snprintf(error, MESSAGE_ERROR_TEXT, "%zu items, the header says %u", items->count,
		    header->count);
		return false;
	}
	for (size_t i = 0; i < items->count; i++) {
		const char *what = check_item(type, &items->items[i]);
		if (what == NULL)
			what = check_order(header, type, items, i);
		if (what != NULL) {
			snprintf(error, MESSAGE_ERROR_TEXT, "item %zu %s", i, what);
			return false;
		}
	}
	bool is_delta = type == MESSAGE_DELTA;
	if (is_delta && (items->count == 0 || (uint64_t)items->items[items->count - 1].revision !=
						  header->sequence)) {
		snprintf(error, MESSAGE_ERROR_TEXT, "the last item is not the message's sequence");
		return false;
	}
	return true;
}

bool message_decode_body(const struct message_header *header, const char *text, size_t len,
    union message_body *body, char error[MESSAGE_ERROR_TEXT])
{
	memset(body, 0, sizeof *body);
	const struct shape *shape = shape_of(header->type);
	if (shape == NULL) {
		snprintf(error, MESSAGE_ERROR_TEXT, "unknown type %u", header->type);
		return false;
	}
	unsigned type = header->type & ~MESSAGE_TYPE_OPTIONAL;
	bool has_items = type == MESSAGE_SNAPSHOT_CHUNK || type == MESSAGE_DELTA;
	struct json_reader reader = {.text = text, .len = len};
	read_object(&reader, shape, body);
	bool is_good = json_read_end(&reader);
	if (!is_good)
		snprintf(error, MESSAGE_ERROR_TEXT, "%s", reader.error);
	if (is_good && (!has_items || check_items(header, &body->items, error)))
		return true;
	message_body_free(header->type, body);
	return false;
}
