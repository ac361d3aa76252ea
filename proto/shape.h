/* JSON objects by table: which members an object has, and where in a C struct each one lies. From
 * one table both directions are made. Unknown members are skipped (a newer peer may send them); a
 * member twice, missing, of another type or out of bounds is an error that names it. */
#ifndef EKSGATE_PROTO_SHAPE_H
#define EKSGATE_PROTO_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/json_text.h"

enum shape_kind { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_WORD, FIELD_LIST };
enum shape_need { REQUIRED, OPTIONAL };

/* One member of a JSON object and of the struct it is decoded into. */
struct shape_field {
	const char *name;
	enum shape_kind kind;
	enum shape_need need;
	size_t offset; /* of the char *, int64_t, bool, enum, or pointer to the elements */
	int64_t max; /* bytes of a text, largest value of an integer, elements of a list */
	int64_t min; /* smallest value of an integer */
	size_t len_offset; /* of a size_t: length of a text, count of a list; 0: none */
	const struct shape *element; /* of a list */
	const char *const *words; /* of an enum, by its values, NULL-terminated; one that is not
				     known reads as the first */
};

struct shape {
	const struct shape_field *fields;
	size_t count;
	size_t size; /* of the struct; for elements of a list */
};

#define SHAPE_COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SHAPE_TEXT(type, member, limit, needed)                                                    \
	{                                                                                          \
		.name = #member, .kind = FIELD_TEXT, .need = (needed),                             \
		.offset = offsetof(struct type, member), .max = (limit)                            \
	}
#define SHAPE_NUMBER(type, member, low, high)                                                      \
	{                                                                                          \
		.name = #member, .kind = FIELD_INT, .need = REQUIRED,                              \
		.offset = offsetof(struct type, member), .min = (low), .max = (high)               \
	}
#define SHAPE_FLAG(type, member, json_name, needed)                                                \
	{                                                                                          \
		.name = (json_name), .kind = FIELD_BOOL, .need = (needed),                         \
		.offset = offsetof(struct type, member)                                            \
	}
#define SHAPE_WORD(type, member, table)                                                            \
	{                                                                                          \
		.name = #member, .kind = FIELD_WORD, .need = REQUIRED,                             \
		.offset = offsetof(struct type, member), .max = 32, .words = (table)               \
	}

void shape_write(struct json_writer *writer, const struct shape *shape, const void *object);
/* Fills `object`, which must be zeros. A bad reader tells why; what was filled is freed all the
 * same. */
void shape_read(struct json_reader *reader, const struct shape *shape, void *object);
void shape_free(const struct shape *shape, void *object);

#endif
