/* What is told of a subscriber: who it is, how far it is, what it could not use, and whose
 * credentials it uses. Called by publisher.c for the inventory, and by publisher_session.c. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "discoveryd/publisher_session.h"

void session_note_principal(struct session *session, const char *principal)
{
	char **principals = session->principals;
	for (size_t i = 0; i < session->principal_count; i++) {
		if (strcmp(principals[i], principal) == 0)
			return;
	}
	if (session->principal_count < SESSION_PRINCIPALS)
		principals[session->principal_count++] = xstrdup(principal);
}

void session_forget_principals(struct session *session)
{
	while (session->principal_count > 0)
		free(session->principals[--session->principal_count]);
}

static struct json_object *principals_json(const struct session *session)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < session->principal_count; i++)
		json_object_array_add(array, json_object_new_string(session->principals[i]));
	return array;
}

static struct json_object *rejections_json(const struct session *session)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < session->rejected_count; i++) {
		const struct message_rejection *rejected = &session->rejected[i];
		struct json_object *item = json_object_new_object();
		json_object_object_add(item, "name", json_object_new_string(rejected->name));
		json_object_object_add(item, "revision", json_object_new_int64(rejected->revision));
		json_object_object_add(item, "text", json_object_new_string(rejected->text));
		json_object_array_add(array, item);
	}
	return array;
}

static void add_text(struct json_object *object, const char *key, const char *value)
{
	if (value != NULL)
		json_object_object_add(object, key, json_object_new_string(value));
}

struct json_object *session_json(const struct session *session)
{
	char since[UNIX_TIME_TEXT];
	struct json_object *object = json_object_new_object();
	add_text(object, "instance", session->instance);
	add_text(object, "role", session->role_name);
	add_text(object, "node", session->node);
	json_object_object_add(object, "uid", json_object_new_int64(session->peer.uid));
	json_object_object_add(object, "pid", json_object_new_int64(session->peer.pid));
	add_text(object, "version", session->software);
	json_object_object_add(object, "applied", json_object_new_int64(session->applied));
	int64_t sequence = publisher_table_sequence(session->publisher->table);
	json_object_object_add(object, "lag", json_object_new_int64(sequence - session->applied));
	add_text(object, "state", session_state_text(session->state));
	add_text(object, "since", unix_time_text(session->since, since));
	json_object_object_add(object, "principals", principals_json(session));
	if (session->rejected_count > 0)
		json_object_object_add(object, "rejected", rejections_json(session));
	return object;
}
