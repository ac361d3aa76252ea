/* Writes audit events. The names and the order of members are those of Kubernetes' audit.k8s.io/v1,
 * so that whatever reads an API server's audit log reads this one, and both join by auditID. Called
 * by audit.c; pure. */
#include "kubeproxyd/record/audit_event.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/query.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/json_line.h"

#define CLAIM_MAX 1024u
#define TRUNCATED "...TRUNCATED"

static const char *const level_names[] = {"None", "Metadata", "Request", "RequestResponse"};
static const char *const stage_names[] = {"RequestReceived", "ResponseStarted", "ResponseComplete"};

/* An object or array that is being written: whether a comma is due. */
struct list {
	struct buf *out;
	bool is_begun;
};

static void add_key(struct list *list, const char *key)
{
	size_t len = strlen(key);
	char *start = buf_reserve(list->out, len + 4), *at = start;
	if (list->is_begun)
		*at++ = ',';
	list->is_begun = true;
	*at++ = '"';
	at = mempcpy(at, key, len);
	*at++ = '"';
	*at++ = ':';
	buf_commit(list->out, (size_t)(at - start));
}

static bool is_empty(const char *text)
{
	return text == NULL || *text == '\0';
}

static void add_text(struct list *list, const char *key, const char *text)
{
	if (is_empty(text))
		return;
	add_key(list, key);
	json_line_string(list->out, text, strlen(text));
}

/* What clients say of themselves, whoever they are: no more of it than kube-apiserver keeps, and it
 * says so in its words. */
static void add_claim(struct list *list, const char *key, const char *text)
{
	if (is_empty(text) || strnlen(text, CLAIM_MAX + 1) <= CLAIM_MAX) {
		add_text(list, key, text);
		return;
	}
	char cut[CLAIM_MAX + sizeof TRUNCATED];
	memcpy(cut, text, CLAIM_MAX);
	memcpy(cut + CLAIM_MAX, TRUNCATED, sizeof TRUNCATED);
	add_text(list, key, cut);
}

/* One of our own words, or an id: nothing in it needs to be escaped. */
static void add_word(struct list *list, const char *key, const char *word)
{
	if (is_empty(word))
		return;
	add_key(list, key);
	buf_append_char(list->out, '"');
	buf_append_text(list->out, word);
	buf_append_char(list->out, '"');
}

/* Annotations are texts, numbers among them. */
static void add_number_text(struct list *list, const char *key, uint64_t value)
{
	add_key(list, key);
	buf_append_char(list->out, '"');
	json_line_int(list->out, (int64_t)value);
	buf_append_char(list->out, '"');
}

static void add_texts(struct list *list, const char *key, const char *const *texts, size_t count)
{
	if (count == 0)
		return;
	add_key(list, key);
	for (size_t i = 0; i < count; i++) {
		buf_append_char(list->out, i == 0 ? '[' : ',');
		json_line_string(list->out, texts[i], strlen(texts[i]));
	}
	buf_append_char(list->out, ']');
}

static struct list begin_object(struct list *parent, const char *key)
{
	add_key(parent, key);
	buf_append_char(parent->out, '{');
	return (struct list){parent->out, false};
}

static void end_object(const struct list *list)
{
	buf_append_char(list->out, '}');
}

/* metav1.MicroTime: six digits. */
static void add_time(struct list *list, const char *key, struct unix_time at)
{
	char text[UNIX_TIME_TEXT];
	size_t len = strlen(unix_time_text(at, text));
	add_key(list, key);
	buf_append_char(list->out, '"');
	buf_append(list->out, text, len - 1);
	buf_append_text(list->out, "000Z\"");
}

/* --- who ------------------------------------------------------------------------------------- */

static void add_extra(struct list *extra, const char *key, const char *value)
{
	if (!is_empty(value))
		add_texts(extra, key, &value, 1);
}

static void begin_member(struct list *list)
{
	if (list->is_begun)
		buf_append_char(list->out, ',');
	list->is_begun = true;
}

/* The values of a key stand together: `at` is the first of its extras. */
static void add_values_of(struct list *extra, const struct act_as *as, size_t at)
{
	const char *key = as->extras[at].key;
	begin_member(extra);
	json_line_string(extra->out, key, strlen(key));
	buf_append_char(extra->out, ':');
	char before = '[';
	for (size_t i = at; i < as->extra_count; i++) {
		const char *value = as->extras[i].value;
		if (strcmp(as->extras[i].key, key) != 0)
			continue;
		buf_append_char(extra->out, before);
		json_line_string(extra->out, value, strlen(value));
		before = ',';
	}
	buf_append_char(extra->out, ']');
}

static bool is_first_of_key(const struct act_as *as, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(as->extras[i].key, as->extras[at].key) == 0)
			return false;
	}
	return true;
}

static void add_sent_extras(struct list *sent, const struct audit_event *what)
{
	const struct act_as *as = what->sent_as;
	size_t count = as != NULL ? as->extra_count : 0;
	if (count == 0 && what->original_user_key == NULL)
		return;
	struct list extra = begin_object(sent, "extra");
	for (size_t i = 0; i < count; i++) {
		if (is_first_of_key(as, i))
			add_values_of(&extra, as, i);
	}
	if (what->original_user_key != NULL)
		add_extra(&extra, what->original_user_key, what->user);
	end_object(&extra);
}

static void add_users(struct list *event, const struct audit_event *what)
{
	struct list user = begin_object(event, "user");
	add_text(&user, "username", what->user);
	add_texts(&user, "groups", (const char *const *)what->groups, what->group_count);
	if (!is_empty(what->source)) {
		struct list extra = begin_object(&user, "extra");
		add_extra(&extra, "eksgate.io/credential", what->source);
		add_extra(&extra, "eksgate.io/certificate-serial", what->certificate_serial);
		end_object(&extra);
	}
	end_object(&user);
	if (is_empty(what->sent_user))
		return;
	struct list sent = begin_object(event, "impersonatedUser");
	add_text(&sent, "username", what->sent_user);
	if (what->sent_as != NULL)
		add_text(&sent, "uid", what->sent_as->uid);
	add_texts(&sent, "groups", what->sent_groups, what->sent_group_count);
	add_sent_extras(&sent, what);
	end_object(&sent);
}

/* --- what ------------------------------------------------------------------------------------ */

static void add_object(struct list *event, const struct request_info *info)
{
	if (info == NULL || !info->is_resource)
		return;
	struct list object = begin_object(event, "objectRef");
	add_text(&object, "resource", info->resource);
	add_text(&object, "namespace", info->namespace);
	add_text(&object, "name", info->name);
	add_text(&object, "apiGroup", info->api_group);
	add_text(&object, "apiVersion", info->api_version);
	add_text(&object, "subresource", info->subresource);
	end_object(&object);
}

/* All values of `name` in the query as a JSON array; nothing when there are none. */
static void write_values(struct buf *out, const char *query, const char *name)
{
	char *scratch = xmalloc(strlen(query) + 2);
	struct query_pair pair;
	while (query_next(&query, scratch, &pair)) {
		if (pair.is_dropped || strcmp(pair.key, name) != 0)
			continue;
		buf_append_char(out, out->len == 0 ? '[' : ',');
		json_line_string(out, pair.value, strlen(pair.value));
	}
	if (out->len > 0)
		buf_append_char(out, ']');
	free(scratch);
}

static void add_values(struct list *annotations, const char *key, const char *uri, const char *name)
{
	const char *query = uri != NULL ? strchr(uri, '?') : NULL;
	if (query == NULL)
		return;
	struct buf values = {0};
	write_values(&values, query + 1, name);
	add_text(annotations, key, buf_text(&values));
	buf_free(&values);
}

static void add_stream_annotations(struct list *annotations, const struct audit_event *what)
{
	const char *subresource = what->info != NULL ? what->info->subresource : NULL;
	add_claim(annotations, "eksgate.io/upgrade", what->upgrade);
	add_text(annotations, "eksgate.io/recorded", what->recorded);
	add_text(annotations, "eksgate.io/recording", what->recording);
	add_text(annotations, "eksgate.io/recording-problem", what->recording_problem);
	if (is_empty(subresource))
		return;
	if (strcmp(subresource, "exec") == 0)
		add_values(annotations, "eksgate.io/exec-command", what->uri, "command");
	if (strcmp(subresource, "portforward") != 0)
		return;
	if (what->ports != NULL)
		add_text(annotations, "eksgate.io/ports", what->ports);
	else
		add_values(annotations, "eksgate.io/ports", what->uri, "ports");
}

/* --- why, and what became of it -------------------------------------------------------------- */

static void add_decision(struct list *annotations, const struct audit_event *what)
{
	if (what->is_decided)
		add_word(annotations, "authorization.k8s.io/decision",
		    what->is_allowed ? "allow" : "forbid");
	add_text(annotations, "authorization.k8s.io/reason", what->rule);
}

static void add_ending(struct list *annotations, const struct audit_event *what)
{
	if (what->stage != AUDIT_RESPONSE_COMPLETE)
		return;
	add_text(annotations, "eksgate.io/ending", what->ending);
	add_text(annotations, "eksgate.io/terminated-by", what->terminated_by);
	add_number_text(annotations, "eksgate.io/bytes-in", what->bytes_in);
	add_number_text(annotations, "eksgate.io/bytes-out", what->bytes_out);
	add_number_text(annotations, "eksgate.io/duration-ms", (uint64_t)what->took.ms);
	add_text(annotations, "eksgate.io/bodies", what->body_note);
	if (!what->is_filtered)
		return;
	add_number_text(annotations, "eksgate.io/objects-passed", what->objects_passed);
	add_number_text(annotations, "eksgate.io/objects-left-out", what->objects_left_out);
	add_number_text(annotations, "eksgate.io/objects-unreadable", what->objects_unreadable);
}

static void add_annotations(struct list *event, const struct audit_event *what)
{
	struct list annotations = begin_object(event, "annotations");
	add_decision(&annotations, what);
	add_text(&annotations, "eksgate.io/cluster", what->cluster);
	add_text(&annotations, "eksgate.io/cluster-arn", what->cluster_arn);
	add_text(&annotations, "eksgate.io/method", what->method);
	add_text(&annotations, "eksgate.io/kubectl-command", what->kubectl_command);
	add_text(&annotations, "eksgate.io/kubectl-session", what->kubectl_session);
	add_stream_annotations(&annotations, what);
	add_ending(&annotations, what);
	end_object(&annotations);
}

static void add_status(struct list *event, const struct audit_event *what)
{
	if (what->status == 0)
		return;
	struct list status = begin_object(event, "responseStatus");
	buf_append_text(event->out, "\"metadata\":{}");
	status.is_begun = true;
	add_key(&status, "code");
	json_line_int(status.out, what->status);
	end_object(&status);
}

static void add_bodies(struct list *event, const struct audit_event *what)
{
	if (what->request_object != NULL) {
		add_key(event, "requestObject");
		buf_append_text(event->out, what->request_object);
	}
	if (what->response_object != NULL) {
		add_key(event, "responseObject");
		buf_append_text(event->out, what->response_object);
	}
}

void audit_event_write(struct buf *out, const struct audit_event *what)
{
	buf_append_text(out, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\"");
	struct list event = {out, true};
	add_word(&event, "level", level_names[what->level]);
	add_word(&event, "auditID", what->audit_id);
	add_word(&event, "stage", stage_names[what->stage]);
	add_text(&event, "requestURI", what->uri);
	add_text(&event, "verb", what->info != NULL ? what->info->verb : NULL);
	add_users(&event, what);
	if (!is_empty(what->client_host))
		add_texts(&event, "sourceIPs", &what->client_host, 1);
	add_claim(&event, "userAgent", what->user_agent);
	add_object(&event, what->info);
	add_status(&event, what);
	add_bodies(&event, what);
	add_time(&event, "requestReceivedTimestamp", what->received);
	add_time(&event, "stageTimestamp", what->now);
	add_annotations(&event, what);
	buf_append(out, "}\n", 2);
}

void audit_event_add_recorded(struct buf *line, const char *recorded, const char *problem)
{
	static const char end[] = "}}\n"; /* of the annotations, which are last and never empty */
	line->len -= strlen(end);
	struct list annotations = {line, true};
	add_text(&annotations, "eksgate.io/recorded", recorded);
	add_text(&annotations, "eksgate.io/recording-problem", problem);
	buf_append_text(line, end);
}
