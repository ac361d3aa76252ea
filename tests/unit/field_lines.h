/* Header fields as tests write them. */
#ifndef EKSGATE_TESTS_FIELD_LINES_H
#define EKSGATE_TESTS_FIELD_LINES_H

#include <string.h>

#include "kubeproxyd/http/fields.h"

/* "Name: value\n" lines to fields. */
static inline void add_lines(struct http_fields *fields, const char *lines)
{
	while (*lines != '\0') {
		const char *colon = strstr(lines, ": ");
		const char *end = strchr(lines, '\n');
		fields_add(
		    fields, lines, (size_t)(colon - lines), colon + 2, (size_t)(end - colon - 2));
		lines = end + 1;
	}
}

#endif
