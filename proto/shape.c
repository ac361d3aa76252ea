/* The machine behind the tables of members. Pure; fuzzed through message_decode_body() and the task
 * bodies. */
#include "proto/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members by offset: what a field describes inside `object`. */
static void *at_offset(void *object, size_t offset)
{
	return (char *)object + offset;
}

static const void *at_const(const void *object, size_t offset)
{
	return (const char *)object + offset;
}

static void free_list(const struct shape_field *field, void *object)
{
	char **elements = at_offset(object, field->offset);
	size_t *count = at_offset(object, field->len_offset);
	for (size_t i = 0; i < *count; i++)
		shape_free(field->element, *elements + i * field->element->size);
	free(*elements);
	*elements = NULL;
	*count = 0;
}

void shape_free(const struct shape *shape, void *object)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_field *field = &shape->fields[i];
		if (field->kind == FIELD_LIST) {
			free_list(field, object);
		} else if (field->kind == FIELD_TEXT) {
			char **text = at_offset(object, field->offset);
			free(*text);
			*text = NULL;
		}
	}
}

static void write_list(
    struct json_writer *writer, const struct shape_field *field, const void *object)
{
	const char *const *elements = at_const(object, field->offset);
	const size_t *count = at_const(object, field->len_offset);
	json_write(writer, "[");
	for (size_t i = 0; i < *count; i++) {
		json_write(writer, i > 0 ? "," : "");
		shape_write(writer, field->element, *elements + i * field->element->size);
	}
	json_write(writer, "]");
}

static void write_text(
    struct json_writer *writer, const struct shape_field *field, const void *object)
{
	const char *const *text = at_const(object, field->offset);
	const size_t *len = at_const(object, field->len_offset);
	json_write_string(writer, *text, field->len_offset > 0 ? *len : strlen(*text));
}

static void write_word(
    struct json_writer *writer, const struct shape_field *field, const void *object)
{
	const unsigned *value = at_const(object, field->offset);
	json_write_string(writer, field->words[*value], strlen(field->words[*value]));
}

/* Optional members that say nothing are left out. */
static bool is_absent(const struct shape_field *field, const void *object)
{
	if (field->kind == FIELD_TEXT)
		return *(const char *const *)at_const(object, field->offset) == NULL;
	if (field->need == REQUIRED)
		return false;
	if (field->kind == FIELD_LIST)
		return *(const size_t *)at_const(object, field->len_offset) == 0;
	return field->kind == FIELD_BOOL && !*(const bool *)at_const(object, field->offset);
}

void shape_write(struct json_writer *writer, const struct shape *shape, const void *object)
{
	const char *separator = "{";
	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_field *field = &shape->fields[i];
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
		else if (field->kind == FIELD_WORD)
			write_word(writer, field, object);
		else if (field->kind == FIELD_INT)
			json_write_int(writer, *(const int64_t *)at_const(object, field->offset));
		else
			json_write(writer,
			    *(const bool *)at_const(object, field->offset) ? "true" : "false");
	}
	json_write(writer, *separator == '{' ? "{}" : "}");
}

/* "items: member "revision": an integer is expected", at the reader's place. */
static void fail_member(struct json_reader *reader, const char *name, const char *what)
{
	char text[JSON_TEXT_ERROR / 2];
	snprintf(text, sizeof text, "member \"%s\" %s", name, what);
	json_reader_fail(reader, text);
}

static void read_list(struct json_reader *reader, const struct shape_field *field, void *object)
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
		shape_read(reader, field->element, *elements + (*count)++ * size);
	}
}

static void read_number(struct json_reader *reader, const struct shape_field *field, void *object)
{
	int64_t *value = at_offset(object, field->offset);
	if (json_read_int(reader, value) && (*value < field->min || *value > field->max))
		fail_member(reader, field->name, "is out of range");
}

static void read_text(struct json_reader *reader, const struct shape_field *field, void *object)
{
	size_t len;
	char **text = at_offset(object, field->offset);
	if (json_read_string(reader, text, &len, (size_t)field->max) && field->len_offset > 0)
		*(size_t *)at_offset(object, field->len_offset) = len;
}

static void read_word(struct json_reader *reader, const struct shape_field *field, void *object)
{
	char *text;
	size_t len;
	unsigned *value = at_offset(object, field->offset);
	if (!json_read_string(reader, &text, &len, (size_t)field->max))
		return;
	*value = 0;
	for (unsigned i = 0; field->words[i] != NULL; i++) {
		if (strcmp(field->words[i], text) == 0)
			*value = i;
	}
	free(text);
}

static void read_field(struct json_reader *reader, const struct shape_field *field, void *object)
{
	bool was_bad = reader->is_bad;
	if (field->kind == FIELD_TEXT)
		read_text(reader, field, object);
	else if (field->kind == FIELD_INT)
		read_number(reader, field, object);
	else if (field->kind == FIELD_WORD)
		read_word(reader, field, object);
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

void shape_read(struct json_reader *reader, const struct shape *shape, void *object)
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
