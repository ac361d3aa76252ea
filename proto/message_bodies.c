/* The bodies of bus messages: one table of members per type, from which both encode and decode work
 * (shape.h), and what the members alone do not show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_text.h"
#include "proto/message.h"
#include "proto/shape.h"

#define ITEMS_MAX 65536 /* of one message; its size bounds them more tightly */

static const struct shape_field hello_fields[] = {
    SHAPE_NUMBER(message_hello, session, 0, JSON_TEXT_INT_MAX),
    SHAPE_TEXT(message_hello, role, 16, REQUIRED),
    SHAPE_TEXT(message_hello, instance, 64, REQUIRED),
    SHAPE_TEXT(message_hello, node, 64, OPTIONAL),
    SHAPE_TEXT(message_hello, software, 32, OPTIONAL),
    SHAPE_NUMBER(message_hello, pid, 0, INT32_MAX),
    SHAPE_NUMBER(message_hello, credit, 1, 64),
};

static const struct shape_field welcome_fields[] = {
    SHAPE_NUMBER(message_welcome, session, 0, JSON_TEXT_INT_MAX),
    SHAPE_TEXT(message_welcome, software, 32, OPTIONAL),
    SHAPE_NUMBER(message_welcome, heartbeat_ms, 1, 3600000),
};

static const struct shape_field item_fields[] = {
    SHAPE_TEXT(message_item, name, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_NUMBER(message_item, revision, 1, JSON_TEXT_INT_MAX),
    {.name = "resource",
	.kind = FIELD_TEXT,
	.need = OPTIONAL,
	.offset = offsetof(struct message_item, resource),
	.max = MESSAGE_ITEM_MAX,
	.len_offset = offsetof(struct message_item, resource_len)},
    SHAPE_TEXT(message_item, renamed_to, MESSAGE_NAME_MAX, OPTIONAL),
};
static const struct shape item_shape = {
    item_fields, SHAPE_COUNT(item_fields), sizeof(struct message_item)};

static const struct shape_field items_fields[] = {
    {.name = "items",
	.kind = FIELD_LIST,
	.need = REQUIRED,
	.offset = offsetof(struct message_items, items),
	.max = ITEMS_MAX,
	.len_offset = offsetof(struct message_items, count),
	.element = &item_shape},
};

static const struct shape_field heartbeat_fields[] = {
    SHAPE_NUMBER(message_heartbeat, clock_offset_ms, -JSON_TEXT_INT_MAX, JSON_TEXT_INT_MAX),
};

static const struct shape_field rejection_fields[] = {
    SHAPE_TEXT(message_rejection, name, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_NUMBER(message_rejection, revision, 1, JSON_TEXT_INT_MAX),
    SHAPE_TEXT(message_rejection, text, 512, REQUIRED),
};
static const struct shape rejection_shape = {
    rejection_fields, SHAPE_COUNT(rejection_fields), sizeof(struct message_rejection)};

static const struct shape_field ack_fields[] = {
    SHAPE_NUMBER(message_ack, session, 0, JSON_TEXT_INT_MAX),
    SHAPE_NUMBER(message_ack, received, 0, JSON_TEXT_INT_MAX),
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

static const struct shape_field reason_fields[] = {
    SHAPE_TEXT(message_reason, code, 32, REQUIRED),
    SHAPE_TEXT(message_reason, text, 512, REQUIRED),
};

static const struct shape_field refresh_fields[] = {
    SHAPE_TEXT(message_refresh, name, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_TEXT(message_refresh, reason, 256, REQUIRED),
};

static const struct shape_field task_fields[] = {
    SHAPE_TEXT(message_task, nonce, 64, REQUIRED),
    SHAPE_TEXT(message_task, kind, 32, REQUIRED),
    SHAPE_TEXT(message_task, cluster, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_TEXT(message_task, body, MESSAGE_ITEM_MAX, REQUIRED),
};

static const struct shape_field task_result_fields[] = {
    SHAPE_TEXT(message_task_result, nonce, 64, REQUIRED),
    SHAPE_FLAG(message_task_result, is_ok, "ok", REQUIRED),
    SHAPE_TEXT(message_task_result, text, 512, REQUIRED),
    SHAPE_TEXT(message_task_result, code, 32, OPTIONAL),
};

static const struct shape_field permission_fields[] = {
    SHAPE_TEXT(message_permission, verb, 32, REQUIRED),
    SHAPE_TEXT(message_permission, resource, 64, REQUIRED),
    SHAPE_TEXT(message_permission, object, 128, OPTIONAL),
};
static const struct shape permission_shape = {
    permission_fields, SHAPE_COUNT(permission_fields), sizeof(struct message_permission)};

static const char *const answers[] = {"unknown", "yes", "no", NULL};

static const struct shape_field report_fields[] = {
    SHAPE_TEXT(message_report, name, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_NUMBER(message_report, created_ms, 0, JSON_TEXT_INT_MAX),
    SHAPE_FLAG(message_report, is_serving, "serving", REQUIRED),
    SHAPE_TEXT(message_report, principal, MESSAGE_PRINCIPAL_MAX, OPTIONAL),
    SHAPE_FLAG(message_report, is_exact, "exact", OPTIONAL),
    SHAPE_WORD(message_report, reachable, answers),
    SHAPE_WORD(message_report, authenticated, answers),
    SHAPE_WORD(message_report, permitted, answers),
    SHAPE_WORD(message_report, healthy, answers),
    {.name = "denied",
	.kind = FIELD_LIST,
	.need = OPTIONAL,
	.offset = offsetof(struct message_report, denied),
	.max = MESSAGE_DENIED_MAX,
	.len_offset = offsetof(struct message_report, denied_count),
	.element = &permission_shape},
    SHAPE_TEXT(message_report, code, 32, REQUIRED),
    SHAPE_TEXT(message_report, text, 512, REQUIRED),
    SHAPE_NUMBER(message_report, checked_ms, 0, JSON_TEXT_INT_MAX),
};

#define SHAPE(fields)                                                                              \
	{                                                                                          \
		fields, SHAPE_COUNT(fields), 0                                                     \
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
    [MESSAGE_REPORT] = SHAPE(report_fields),
};

static const struct shape *shape_of(unsigned type)
{
	return message_type_name(type) != NULL ? &shapes[type & ~MESSAGE_TYPE_OPTIONAL] : NULL;
}

void message_body_free(unsigned type, union message_body *body)
{
	const struct shape *shape = shape_of(type);
	if (shape == NULL)
		return;
	if ((type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_TASK && body->task.body != NULL)
		explicit_bzero(body->task.body, strlen(body->task.body));
	shape_free(shape, body);
}

char *message_encode_body(enum message_type type, const union message_body *body, size_t *len)
{
	struct json_writer writer = {.is_secret = type == MESSAGE_TASK};
	const struct shape *shape = shape_of(type);
	if (shape == NULL)
		abort();
	shape_write(&writer, shape, body);
	*len = writer.len;
	return writer.data;
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
	shape_read(&reader, shape, body);
	bool is_good = json_read_end(&reader);
	if (!is_good)
		snprintf(error, MESSAGE_ERROR_TEXT, "%s", reader.error);
	if (is_good && (!has_items || check_items(header, &body->items, error)))
		return true;
	message_body_free(header->type, body);
	return false;
}
