/* Gathers what an audit event says from everything an exchange knows. Bodies are kept only for the
 * levels that want them, only JSON, and only up to a bound; an event whose body was not kept says
 * why. Called by the other files of the exchange. */
#include "kubeproxyd/exchange/exchange_audit.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/settings.h"
#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/filter/filter.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/record/audit.h"
#include "kubeproxyd/record/forwarded_ports.h"

/* Of each body. Kubernetes' own objects reach 1.5 MiB; a line of the log should not. */
#define BODY_MAX ((size_t)64 * 1024)
/* An event with its body can still be read by whoever reads events. */
#define BODY_DEPTH_MAX (JSON_MAX_DEPTH - 1)
/* Of what nobody in particular asked for, and of what is refused: neither is to fill the disk. */
#define STRANGER_URI_MAX 1024u
#define REFUSED_URI_MAX	 8192u

/* One body while it passes. `why_not` says why none is kept. */
struct body {
	struct buf data;
	const char *why_not;
};

struct audit_bodies {
	struct body request, answer;
};

/* --- bodies ---------------------------------------------------------------------------------- */

static const char *refuse_type(const struct http_head *head)
{
	const char *type = fields_get(&head->fields, "Content-Type");
	if (fields_get(&head->fields, "Content-Encoding") != NULL)
		return "it was compressed";
	if (type == NULL || (strstr(type, "json") == NULL && strstr(type, "yaml") == NULL))
		return "it was not JSON";
	return NULL;
}

static void drop_body(struct body *body, const char *why_not)
{
	buf_free(&body->data);
	body->why_not = why_not;
}

static void keep(struct body *body, const uint8_t *data, size_t len)
{
	if (body->why_not != NULL)
		return;
	if (body->data.len + len > BODY_MAX)
		drop_body(body, "it was longer than 64 KiB");
	else
		buf_append(&body->data, data, len);
}

static void drop_managed_fields_of(struct json_object *object)
{
	struct json_object *metadata = NULL;
	if (json_object_is_type(object, json_type_object) &&
	    json_object_object_get_ex(object, "metadata", &metadata) &&
	    json_object_is_type(metadata, json_type_object))
		json_object_object_del(metadata, "managedFields");
}

/* Of an object, of those in a list, and of those in the rows of a table. */
static void drop_managed_fields(struct json_object *object)
{
	struct json_object *list = NULL, *row = NULL;
	if (!json_object_is_type(object, json_type_object))
		return;
	drop_managed_fields_of(object);
	if (json_object_object_get_ex(object, "items", &list) &&
	    json_object_is_type(list, json_type_array))
		for (size_t i = 0; i < json_object_array_length(list); i++)
			drop_managed_fields_of(json_object_array_get_idx(list, i));
	if (!json_object_object_get_ex(object, "rows", &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (json_object_is_type(json_object_array_get_idx(list, i), json_type_object) &&
		    json_object_object_get_ex(json_object_array_get_idx(list, i), "object", &row))
			drop_managed_fields_of(row);
	}
}

/* NULL: there was none, or it is not kept; then *note says why. To be freed. */
static char *take_object(struct body *body, bool omits_managed_fields, const char **note)
{
	char error[JSON_ERROR_TEXT];
	if (body->why_not == NULL && body->data.len == 0)
		return NULL;
	struct json_object *object =
	    body->why_not == NULL
		? json_parse_part(body->data.data, body->data.len, BODY_DEPTH_MAX, error)
		: NULL;
	if (object == NULL) {
		*note = body->why_not != NULL ? body->why_not
					      : "it was not sound JSON of at most 31 levels";
		return NULL;
	}
	if (omits_managed_fields)
		drop_managed_fields(object);
	struct buf text = {0};
	json_write_canonical(&text, object);
	json_object_put(object);
	return buf_take(&text);
}

static void free_bodies(struct audit_bodies **bodies)
{
	if (*bodies == NULL)
		return;
	buf_free_secret(&(*bodies)->request.data);
	buf_free_secret(&(*bodies)->answer.data);
	xfree(bodies);
}

static void begin_bodies(struct exchange *exchange)
{
	if (exchange->audit.verdict.level < AUDIT_REQUEST)
		return;
	const struct request_info *info = &exchange->admission.info;
	struct audit_bodies *bodies = xcalloc(1, sizeof *bodies);
	exchange->audit.bodies = bodies;
	if (exchange->request->body != HTTP_BODY_NONE)
		bodies->request.why_not = refuse_type(exchange->request);
	if (info->is_long_running)
		bodies->answer.why_not = "it is a stream";
	if (info->opaque_from > 0)
		bodies->request.why_not = bodies->answer.why_not = "it belongs to an application";
}

void exchange_audit_request_body(struct exchange *exchange, const uint8_t *data, size_t len)
{
	if (exchange->audit.bodies != NULL)
		keep(&exchange->audit.bodies->request, data, len);
	if (exchange->audit.ports != NULL)
		forwarded_ports_feed(exchange->audit.ports, data, len);
}

void exchange_audit_answer_body(struct exchange *exchange, const uint8_t *data, size_t len)
{
	if (exchange->audit.bodies != NULL &&
	    exchange->audit.verdict.level == AUDIT_REQUEST_RESPONSE)
		keep(&exchange->audit.bodies->answer, data, len);
}

/* --- the event ------------------------------------------------------------------------------- */

/* What belongs to an application behind a proxy subresource may hold its secrets: its query is left
 * out, and so is that of a request from nobody. A kubelet is no application: what its query says is
 * which command is to be run. */
static const char *uri_of(const struct exchange *exchange, char **cut)
{
	const struct admission *admission = &exchange->admission;
	const char *target = admission->route.target;
	bool is_known = target != NULL && exchange->identity != NULL;
	bool is_whole = is_known && (admission->info.opaque_from == 0 ||
					request_info_is_kubelet(&admission->info));
	if (!is_known)
		target = exchange->request->target;
	size_t len = is_whole ? strlen(target) : strcspn(target, "?");
	size_t most = exchange->identity == NULL	? STRANGER_URI_MAX
		      : !admission->decision.is_allowed ? REFUSED_URI_MAX
							: len;
	if (len > most)
		len = most;
	return target[len] == '\0' ? target : (*cut = xstrndup(target, len));
}

/* Users may have dozens of groups: what their events say of them is written once. */
static const struct buf *user_member(struct identity *identity, const struct audit_event *event)
{
	if (identity->audit_user.len == 0)
		audit_event_write_user(&identity->audit_user, event);
	return &identity->audit_user;
}

static void add_who(const struct exchange *exchange, struct audit_event *event)
{
	struct identity *identity = exchange->identity;
	const struct decision *decision = &exchange->admission.decision;
	event->client_host = exchange->caller->host;
	if (identity == NULL)
		return;
	event->user = identity->user;
	event->groups = identity->groups;
	event->group_count = identity->group_count;
	event->source = identity->source;
	event->certificate_serial = identity->certificate_serial;
	event->user_member = user_member(identity, event);
	event->is_decided = decision->rule != NULL;
	event->is_allowed = decision->is_allowed;
	event->rule = decision->rule;
	if (!decision->is_allowed)
		return;
	event->sent_user = decision->user;
	event->sent_groups = decision->groups;
	event->sent_group_count = decision->group_count;
	event->sent_as = decision->as;
	if (decision->as != NULL && exchange->all->with.settings->proxy.original_user)
		event->original_user_key = ACT_AS_ORIGINAL_USER;
}

static void add_what(const struct exchange *exchange, struct audit_event *event)
{
	const struct admission *admission = &exchange->admission;
	const struct http_fields *fields = &exchange->request->fields;
	if (admission->info.path != NULL)
		event->info = &admission->info;
	event->method = exchange->request->method;
	event->cluster = admission->route.cluster;
	if (admission->cluster != NULL)
		event->cluster_arn = admission->cluster->resource->aws.arn;
	event->user_agent = fields_get(fields, "User-Agent");
	event->kubectl_command = fields_get(fields, "Kubectl-Command");
	event->kubectl_session = fields_get(fields, "Kubectl-Session");
	if (exchange->request->is_upgrade)
		event->upgrade = fields_get(fields, "Upgrade");
	event->ports = forwarded_ports_text(exchange->audit.ports);
	exchange_remote_tell(exchange, event);
}

/* `now` and `took` are the caller's. */
static void write_event(const struct exchange *exchange, struct audit_event *event)
{
	char *cut = NULL;
	event->audit_id = exchange->audit_id;
	event->uri = uri_of(exchange, &cut);
	event->received = unix_add(event->now, duration_ms(-event->took.ms));
	add_who(exchange, event);
	add_what(exchange, event);
	if (event->stage != AUDIT_RESPONSE_COMPLETE || !exchange_remote_take_event(exchange, event))
		audit_write(exchange->all->with.audit, event);
	free(cut);
}

/* Of one that goes on. */
static void write_stage(const struct exchange *exchange, enum audit_stage stage, unsigned status)
{
	struct audit_event event = {.level = exchange->audit.verdict.level,
	    .stage = stage,
	    .status = status,
	    .now = unix_now(),
	    .took = mono_since(exchange->started)};
	write_event(exchange, &event);
}

static bool wants(const struct exchange *exchange, enum audit_stage stage)
{
	const struct audit_verdict *verdict = &exchange->audit.verdict;
	return verdict->level != AUDIT_NONE && (verdict->omitted & (1u << stage)) == 0;
}

/* --- when ------------------------------------------------------------------------------------ */

/* What runs something in a cluster, or opens a way into it. Behind nodes/proxy a kubelet does so,
 * in tunnels and without one. */
static bool is_session(const struct exchange *exchange)
{
	static const char *const subresources[] = {"exec", "attach", "portforward", NULL};
	static const char *const reads[] = {"get", "watch", NULL};
	const struct request_info *info = &exchange->admission.info;
	bool is_hidden = request_info_is_kubelet(info) &&
			 (exchange->request->is_upgrade || !text_is_one_of(info->verb, reads));
	return is_hidden || (info->is_resource && text_is_one_of(info->subresource, subresources));
}

/* What changes something or reveals a secret: all but reading. */
static bool is_privileged(const struct exchange *exchange, bool is_of_session)
{
	static const char *const reads[] = {"get", "list", "watch", "head", "options", NULL};
	const struct request_info *info = &exchange->admission.info;
	if (exchange->request->is_upgrade || info->opaque_from > 0 || is_of_session)
		return true;
	return !text_is_one_of(info->verb, reads) ||
	       (info->is_resource && text_is(info->resource, "secrets"));
}

static bool refuse(const char **message)
{
	*message = "the proxy's audit log cannot be written, and this may not happen unrecorded: "
		   "tell whoever runs it (eksgate.proxy.audit)";
	return false;
}

bool exchange_audit_admit(struct exchange *exchange, const char **message)
{
	struct audit *audit = exchange->all->with.audit;
	const struct request_info *info = &exchange->admission.info;
	bool is_of_session = is_session(exchange);
	bool is_high = is_privileged(exchange, is_of_session);
	exchange->audit.is_privileged = is_high;
	exchange->audit.verdict = audit_judge(audit, exchange->identity, info);
	exchange->audit.is_judged = true;
	if (!audit_admits(audit, is_high))
		return refuse(message);
	begin_bodies(exchange);
	if (!is_of_session || !wants(exchange, AUDIT_REQUEST_RECEIVED))
		return true;
	write_stage(exchange, AUDIT_REQUEST_RECEIVED, 0);
	audit_flush(audit);
	return audit_admits(audit, is_high) || refuse(message);
}

/* What the tunnel of a port-forward is for stands in the streams that it opens. */
static void watch_ports(struct exchange *exchange)
{
	const struct request_info *info = &exchange->admission.info;
	bool is_of_interest = exchange->state == STATE_TUNNEL && info->is_resource &&
			      text_is(info->subresource, "portforward") &&
			      exchange->audit.verdict.level != AUDIT_NONE;
	if (!is_of_interest)
		return;
	const char *upgrade = fields_get(&exchange->request->fields, "Upgrade");
	if (upgrade != NULL)
		exchange->audit.ports = forwarded_ports_new(upgrade);
}

void exchange_audit_answer(struct exchange *exchange, const struct http_head *head)
{
	struct audit_bodies *bodies = exchange->audit.bodies;
	watch_ports(exchange);
	if (bodies != NULL && bodies->answer.why_not == NULL)
		bodies->answer.why_not = refuse_type(head);
	if (exchange_is_long(exchange) && wants(exchange, AUDIT_RESPONSE_STARTED))
		write_stage(exchange, AUDIT_RESPONSE_STARTED, exchange->status);
}

/* Or refused for a limit or a lock, although a role allows it: the policy was not asked then. */
static bool is_denial(const struct exchange *exchange)
{
	return !exchange->audit.is_judged || exchange->identity == NULL ||
	       !exchange->admission.decision.is_allowed;
}

static void add_filtered(const struct exchange *exchange, struct audit_event *event)
{
	struct filter_result result;
	event->is_filtered = exchange_filter_result(exchange, &result);
	if (!event->is_filtered)
		return;
	event->objects_passed = result.passed;
	event->objects_left_out = result.dropped + result.unreadable;
	event->objects_unreadable = result.unreadable;
}

void exchange_audit_end(
    const struct exchange *exchange, const char *ending, struct unix_time now, struct duration took)
{
	struct audit_bodies *bodies = exchange->audit.bodies;
	struct audit_event event = {.level = exchange->audit.verdict.level,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .can_wait = !is_denial(exchange) && !exchange->audit.is_privileged,
	    .status = exchange->status,
	    .ending = ending,
	    .terminated_by = exchange->audit.terminated_by,
	    .bytes_in = exchange->relay.request_bytes,
	    .bytes_out = exchange->relay.answer_bytes,
	    .now = now,
	    .took = took};
	add_filtered(exchange, &event);
	if (is_denial(exchange) || event.terminated_by != NULL)
		event.level = AUDIT_METADATA;
	else if (!wants(exchange, AUDIT_RESPONSE_COMPLETE))
		return;
	char *request = NULL, *answer = NULL;
	bool omits = exchange->audit.verdict.omits_managed_fields;
	/* A patch says what it does to them. */
	bool is_patch = exchange->admission.info.verb != NULL &&
			strcmp(exchange->admission.info.verb, "patch") == 0;
	if (bodies != NULL && event.level >= AUDIT_REQUEST) {
		request = take_object(&bodies->request, omits && !is_patch, &event.body_note);
		if (event.level == AUDIT_REQUEST_RESPONSE)
			answer = take_object(&bodies->answer, omits, &event.body_note);
	}
	event.request_object = request;
	event.response_object = answer;
	write_event(exchange, &event);
	free(request);
	free(answer);
}

void exchange_audit_free(struct exchange_audit *audit)
{
	free_bodies(&audit->bodies);
	forwarded_ports_free(&audit->ports);
}
