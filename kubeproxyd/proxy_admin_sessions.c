/* What runs in containers through this instance, for `kubeproxyd sessions`, and its end by root.
 * Registered by proxy_admin.c. */
#include "kubeproxyd/proxy_admin_sessions.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange_session.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/proxy_admin.h"

static void add_text(struct json_object *object, const char *key, const char *value)
{
	bool is_there = value != NULL && *value != '\0';
	json_object_object_add(object, key, is_there ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)value));
}

/* --- GET /v1/sessions ---------------------------------------------------------------------- */

static void add_ports(struct json_object *item, const char *ports)
{
	char error[JSON_ERROR_TEXT];
	json_object_object_add(
	    item, "ports", ports != NULL ? json_parse(ports, strlen(ports), error) : NULL);
}

static void add_session(
    void *arg, struct exchange *exchange, const struct exchange_session *session)
{
	struct json_object *item = json_object_new_object();
	char since[UNIX_TIME_TEXT];
	(void)exchange;
	add_text(item, "id", session->id);
	add_text(item, "kind", session->kind);
	add_text(item, "user", session->user);
	add_text(item, "cluster", session->cluster);
	add_text(item, "arn", session->arn);
	add_text(item, "namespace", session->namespace);
	add_text(item, "pod", session->pod);
	add_text(item, "container", session->container);
	add_text(item, "command", session->command);
	add_ports(item, session->ports);
	add_text(item, "client", session->client);
	add_text(item, "protocol", session->protocol);
	json_object_object_add(item, "terminal", json_object_new_boolean(session->has_terminal));
	json_object_object_add(item, "open", json_object_new_boolean(session->is_open));
	add_text(item, "since", unix_time_text(session->since, since));
	add_number(item, "bytes_in", session->bytes_in);
	add_number(item, "bytes_out", session->bytes_out);
	json_object_array_add(arg, item);
}

static void on_sessions(void *arg, struct admin_request *request)
{
	const struct proxy_admin_options *with = arg;
	struct json_object *document = json_object_new_object(), *list = json_object_new_array();
	add_text(document, "instance", with->instance);
	exchange_sessions_each(with->exchanges, add_session, list);
	json_object_object_add(document, "sessions", list);
	admin_reply(request, 200, document);
}

/* --- POST /v1/sessions/terminate/ID -------------------------------------------------------- */

struct termination {
	const char *id, *by, *reason;
	struct json_object *ended; /* what it was; NULL: it is not here */
};

static void end_session(
    void *arg, struct exchange *exchange, const struct exchange_session *session)
{
	struct termination *termination = arg;
	if (strcmp(session->id, termination->id) != 0)
		return;
	struct json_object *list = json_object_new_array();
	add_session(list, exchange, session);
	termination->ended = json_object_get(json_object_array_get_idx(list, 0));
	json_object_put(list);
	log_info("admin", "session-terminated", LOG_S("session", session->id),
	    LOG_S("user", session->user), LOG_S("cluster", session->cluster),
	    LOG_S("by", termination->by), LOG_S("reason", termination->reason));
	exchange_session_terminate(exchange, termination->by, termination->reason);
}

/* It goes to a terminal. */
static bool is_sentence(const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < ' ' || c == 0x7f)
			return false;
	}
	return len <= SESSION_REASON_MAX;
}

/* "root", and on whose behalf root says it is. To be freed. */
static char *name_peer(const struct admin_request *request)
{
	uid_t uid = admin_peer_uid(request);
	const char *behalf = admin_query(request, "for");
	bool is_told = behalf != NULL && *behalf != '\0' && is_sentence(behalf);
	char *name = uid == 0 ? xstrdup("root") : xasprintf("uid %u", (unsigned)uid);
	if (!is_told)
		return name;
	char *both = xasprintf("%s for %s", name, behalf);
	free(name);
	return both;
}

static void on_terminate(void *arg, struct admin_request *request)
{
	const struct proxy_admin_options *with = arg;
	const char *reason = admin_query(request, "reason");
	if (reason != NULL && !is_sentence(reason)) {
		admin_reply_error(request, 400, "the reason must be one line of at most %d bytes",
		    SESSION_REASON_MAX);
		return;
	}
	char *by = name_peer(request);
	struct termination termination = {.id = admin_tail(request), .by = by, .reason = reason};
	exchange_sessions_each(with->exchanges, end_session, &termination);
	free(by);
	if (termination.ended == NULL) {
		admin_reply_error(request, 404, "no session \"%s\" runs here", admin_tail(request));
		return;
	}
	struct json_object *document = json_object_new_object();
	add_text(document, "instance", with->instance);
	json_object_object_add(document, "terminated", termination.ended);
	admin_reply(request, 200, document);
}

void proxy_admin_sessions(struct admin *admin, struct proxy_admin_options *options)
{
	admin_route(admin, "GET", "/v1/sessions", ADMIN_READ, on_sessions, options);
	admin_route(admin, "POST", "/v1/sessions/terminate/", ADMIN_CHANGE, on_terminate, options);
}
