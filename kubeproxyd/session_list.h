/* Sessions in containers, live and kept, as one list of documents: what `sessions` prints. Each has
 * id, state ("live", "kept", "unfinished", "unreadable"), kind, user, cluster, arn, namespace, pod,
 * container, command, ports, client, instance, protocol, since, duration_ms, bytes_in, bytes_out,
 * recorded, file, size, ended, exit_code and problem; what is not known is null. */
#ifndef EKSGATE_SESSION_LIST_H
#define EKSGATE_SESSION_LIST_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"

struct session_list;

/* NULL and 0: all. */
struct session_filter {
	const char *user, *cluster, *instance;
	struct unix_time since; /* begun then or later */
	bool has_live, has_kept;
};

struct session_list *session_list_new(void) MUST_USE;
void session_list_free(struct session_list **list);
/* What an instance answered to GET /v1/sessions; false when it is no such answer. */
bool session_list_add_live(struct session_list *list, struct json_object *answer) MUST_USE;
/* Recordings, after all that is live: one of a live session is told with it. False: *error
 * (free()). */
bool session_list_add_kept(struct session_list *list, const char *directory, char **error) MUST_USE;
/* An array, the newest first; the caller's (json_object_put). Files that cannot be read are in it
 * whatever the filter says of users and clusters. */
struct json_object *session_list_take(
    struct session_list *list, const struct session_filter *filter) MUST_USE;

/* For people. */
void session_list_table(struct json_object *sessions, struct buf *out);

#endif
