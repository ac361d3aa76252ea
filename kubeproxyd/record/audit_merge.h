/* Reads the audit files of several instances as one log, in the order of time. A denied exec, which
 * kubectl tries twice (as WebSocket, then as SPDY), comes once. */
#ifndef EKSGATE_AUDIT_MERGE_H
#define EKSGATE_AUDIT_MERGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct audit_merge;

struct audit_merge *audit_merge_new(void) MUST_USE;
void audit_merge_free(struct audit_merge **merge);
/* One more file, "-" for standard input. False: *error says why it cannot be read (free()). */
bool audit_merge_add(struct audit_merge *merge, const char *path, char **error) MUST_USE;
/* The next event, which is the caller's (json_object_put); NULL at the end. An event that stands
 * for two attempts has the annotation eksgate.io/attempts. */
struct json_object *audit_merge_next(struct audit_merge *merge) MUST_USE;
/* Lines that were no events, the torn last line of a crash for example; *first is "FILE:LINE" of
 * one of them, NULL for none. */
size_t audit_merge_bad_lines(const struct audit_merge *merge, const char **first);
/* Of a file that could not be read to its end, after the last event; NULL: there is none. */
const char *audit_merge_problem(const struct audit_merge *merge);

/* The text of an annotation, or of a member such as "user.username"; NULL when there is none. */
const char *audit_annotation(struct json_object *event, const char *key);
const char *audit_text(struct json_object *event, const char *path);

#endif
