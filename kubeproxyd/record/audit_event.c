/* Writes audit events. The names and the order of members are those of Kubernetes' audit.k8s.io/v1,
 * so that whatever reads an API server's audit log reads this one, and both join by auditID. Called
 * by audit.c; pure. */
#include "kubeproxyd/record/audit_event.h"

#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/query.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/json_line.h"

#define CLAIM_MAX 1024u
#define TRUNCATED "...TRUNCATED"

static const char *const level_names[] = {"None", "Metadata", "Request", "RequestResponse"};
static const char *const stage_names[] = {"RequestReceived", "ResponseStarted", "ResponseComplete"};

/* An object that is being written: whether a comma is due. */
struct list {
	struct buf *out;
	bool is_begun;
};

/* The name of a member as it stands in the line, with the comma before it: `,"name":`. */
struct key {
	const char *text;
	size_t len;
};

#define KEY_AND(name, more) ((struct key){",\"" name "\":" more, sizeof(",\"" name "\":" more) - 1})
#define KEY(name)	    KEY_AND(name, "")

/* The next key: without a comma when it is the first. */
static struct key take_turn(struct list *list, struct key key)
{
	size_t comma = list->is_begun ? 0 : 1;
	list->is_begun = true;
	return (struct key){key.text + comma, key.len - comma};
}

static void add_key(struct list *list, struct key key)
{
	key = take_turn(list, key);
	buf_append(list->out, key.text, key.len);
}

static bool is_empty(const char *text)
{
	return text == NULL || *text == '\0';
}

static void add_text(struct list *list, struct key key, const char *text)
{
	if (is_empty(text))
		return;
	key = take_turn(list, key);
	json_line_member(list->out, key.text, key.len, text, strlen(text));
}

/* What clients say of themselves, whoever they are: no more of it than kube-apiserver keeps, and it
 * says so in its words. */
static void add_claim(struct list *list, struct key key, const char *text)
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

static void write_quoted(struct buf *out, const char *text, size_t len)
{
	char *at = buf_reserve(out, len + 2);
	*at++ = '"';
	at = mempcpy(at, text, len);
	*at = '"';
	buf_commit(out, len + 2);
}

/* One of our own words, or an id: nothing in it needs to be escaped. */
static void add_word(struct list *list, struct key key, const char *word)
{
	if (is_empty(word))
		return;
	add_key(list, key);
	write_quoted(list->out, word, strlen(word));
}

/* Annotations are texts, numbers among them. */
static void add_number_text(struct list *list, struct key key, uint64_t value)
{
	char digits[DECIMAL_TEXT];
	size_t len = decimal_write(digits, value);
	add_key(list, key);
	write_quoted(list->out, digits, len);
}

static void write_array(struct buf *out, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_append_char(out, i == 0 ? '[' : ',');
		json_line_string(out, texts[i], strlen(texts[i]));
	}
	buf_append_char(out, ']');
}

static void add_texts(struct list *list, struct key key, const char *const *texts, size_t count)
{
	if (count == 0)
		return;
	add_key(list, key);
	write_array(list->out, texts, count);
}

/* The key of an object, with its brace. */
#define OBJECT(name) KEY_AND(name, "{")

static struct list begin_object(struct list *parent, struct key key)
{
	add_key(parent, key);
	return (struct list){parent->out, false};
}

static void end_object(const struct list *list)
{
	buf_append_char(list->out, '}');
}

/* metav1.MicroTime: six digits. */
static void add_time(struct list *list, struct key key, struct unix_time at)
{
	char text[UNIX_TIME_TEXT + 3];
	size_t len = strlen(unix_time_text(at, text));
	memcpy(text + len - 1, "000Z", sizeof "000Z");
	add_key(list, key);
	write_quoted(list->out, text, len + 3);
}

/* --- who ------------------------------------------------------------------------------------- */

static void add_extra(struct list *extra, struct key key, const char *value)
{
	if (!is_empty(value))
		add_texts(extra, key, &value, 1);
}

/* A name that was sent. */
static void add_foreign_key(struct list *list, const char *key)
{
	if (list->is_begun)
		buf_append_char(list->out, ',');
	list->is_begun = true;
	json_line_string(list->out, key, strlen(key));
	buf_append_char(list->out, ':');
}

/* The values of a key stand together: `at` is the first of its extras. */
static void add_values_of(struct list *extra, const struct act_as *as, size_t at)
{
	const char *key = as->extras[at].key;
	add_foreign_key(extra, key);
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

static void add_original_user(struct list *extra, const struct audit_event *what)
{
	if (what->original_user_key == NULL || is_empty(what->user))
		return;
	add_foreign_key(extra, what->original_user_key);
	write_array(extra->out, &what->user, 1);
}

static void add_sent_extras(struct list *sent, const struct audit_event *what)
{
	const struct act_as *as = what->sent_as;
	size_t count = as != NULL ? as->extra_count : 0;
	if (count == 0 && what->original_user_key == NULL)
		return;
	struct list extra = begin_object(sent, OBJECT("extra"));
	for (size_t i = 0; i < count; i++) {
		if (is_first_of_key(as, i))
			add_values_of(&extra, as, i);
	}
	add_original_user(&extra, what);
	end_object(&extra);
}

static void add_users(struct list *event, const struct audit_event *what)
{
	struct list user = begin_object(event, OBJECT("user"));
	add_text(&user, KEY("username"), what->user);
	add_texts(&user, KEY("groups"), (const char *const *)what->groups, what->group_count);
	if (!is_empty(what->source)) {
		struct list extra = begin_object(&user, OBJECT("extra"));
		add_extra(&extra, KEY("eksgate.io/credential"), what->source);
		add_extra(&extra, KEY("eksgate.io/certificate-serial"), what->certificate_serial);
		end_object(&extra);
	}
	end_object(&user);
	if (is_empty(what->sent_user))
		return;
	struct list sent = begin_object(event, OBJECT("impersonatedUser"));
	add_text(&sent, KEY("username"), what->sent_user);
	if (what->sent_as != NULL)
		add_text(&sent, KEY("uid"), what->sent_as->uid);
	add_texts(&sent, KEY("groups"), what->sent_groups, what->sent_group_count);
	add_sent_extras(&sent, what);
	end_object(&sent);
}

/* --- what ------------------------------------------------------------------------------------ */

static void add_object(struct list *event, const struct request_info *info)
{
	if (info == NULL || !info->is_resource)
		return;
	struct list object = begin_object(event, OBJECT("objectRef"));
	add_text(&object, KEY("resource"), info->resource);
	add_text(&object, KEY("namespace"), info->namespace);
	add_text(&object, KEY("name"), info->name);
	add_text(&object, KEY("apiGroup"), info->api_group);
	add_text(&object, KEY("apiVersion"), info->api_version);
	add_text(&object, KEY("subresource"), info->subresource);
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

static void add_values(struct list *annotations, struct key key, const char *uri, const char *name)
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
	add_claim(annotations, KEY("eksgate.io/upgrade"), what->upgrade);
	add_text(annotations, KEY("eksgate.io/recorded"), what->recorded);
	add_text(annotations, KEY("eksgate.io/recording"), what->recording);
	add_text(annotations, KEY("eksgate.io/recording-problem"), what->recording_problem);
	if (is_empty(subresource))
		return;
	if (strcmp(subresource, "exec") == 0)
		add_values(annotations, KEY("eksgate.io/exec-command"), what->uri, "command");
	if (strcmp(subresource, "portforward") != 0)
		return;
	if (what->ports != NULL)
		add_text(annotations, KEY("eksgate.io/ports"), what->ports);
	else
		add_values(annotations, KEY("eksgate.io/ports"), what->uri, "ports");
}

/* --- why, and what became of it -------------------------------------------------------------- */

static void add_decision(struct list *annotations, const struct audit_event *what)
{
	if (what->is_decided)
		add_word(annotations, KEY("authorization.k8s.io/decision"),
		    what->is_allowed ? "allow" : "forbid");
	add_text(annotations, KEY("authorization.k8s.io/reason"), what->rule);
}

static void add_ending(struct list *annotations, const struct audit_event *what)
{
	if (what->stage != AUDIT_RESPONSE_COMPLETE)
		return;
	add_text(annotations, KEY("eksgate.io/ending"), what->ending);
	add_text(annotations, KEY("eksgate.io/terminated-by"), what->terminated_by);
	add_number_text(annotations, KEY("eksgate.io/bytes-in"), what->bytes_in);
	add_number_text(annotations, KEY("eksgate.io/bytes-out"), what->bytes_out);
	add_number_text(annotations, KEY("eksgate.io/duration-ms"), (uint64_t)what->took.ms);
	add_text(annotations, KEY("eksgate.io/bodies"), what->body_note);
	if (!what->is_filtered)
		return;
	add_number_text(annotations, KEY("eksgate.io/objects-passed"), what->objects_passed);
	add_number_text(annotations, KEY("eksgate.io/objects-left-out"), what->objects_left_out);
	add_number_text(
	    annotations, KEY("eksgate.io/objects-unreadable"), what->objects_unreadable);
}

static void add_annotations(struct list *event, const struct audit_event *what)
{
	struct list annotations = begin_object(event, OBJECT("annotations"));
	add_decision(&annotations, what);
	add_text(&annotations, KEY("eksgate.io/cluster"), what->cluster);
	add_text(&annotations, KEY("eksgate.io/cluster-arn"), what->cluster_arn);
	add_text(&annotations, KEY("eksgate.io/method"), what->method);
	add_text(&annotations, KEY("eksgate.io/kubectl-command"), what->kubectl_command);
	add_text(&annotations, KEY("eksgate.io/kubectl-session"), what->kubectl_session);
	add_stream_annotations(&annotations, what);
	add_ending(&annotations, what);
	end_object(&annotations);
}

static void add_status(struct list *event, const struct audit_event *what)
{
	if (what->status == 0)
		return;
	add_key(event, KEY_AND("responseStatus", "{\"metadata\":{},\"code\":"));
	json_line_int(event->out, what->status);
	buf_append_char(event->out, '}');
}

static void add_bodies(struct list *event, const struct audit_event *what)
{
	if (what->request_object != NULL) {
		add_key(event, KEY("requestObject"));
		buf_append_text(event->out, what->request_object);
	}
	if (what->response_object != NULL) {
		add_key(event, KEY("responseObject"));
		buf_append_text(event->out, what->response_object);
	}
}

void audit_event_write(struct buf *out, const struct audit_event *what)
{
	buf_append_text(out, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\"");
	struct list event = {out, true};
	add_word(&event, KEY("level"), level_names[what->level]);
	add_word(&event, KEY("auditID"), what->audit_id);
	add_word(&event, KEY("stage"), stage_names[what->stage]);
	add_text(&event, KEY("requestURI"), what->uri);
	add_text(&event, KEY("verb"), what->info != NULL ? what->info->verb : NULL);
	add_users(&event, what);
	if (!is_empty(what->client_host))
		add_texts(&event, KEY("sourceIPs"), &what->client_host, 1);
	add_claim(&event, KEY("userAgent"), what->user_agent);
	add_object(&event, what->info);
	add_status(&event, what);
	add_bodies(&event, what);
	add_time(&event, KEY("requestReceivedTimestamp"), what->received);
	add_time(&event, KEY("stageTimestamp"), what->now);
	add_annotations(&event, what);
	buf_append(out, "}\n", 2);
}

void audit_event_add_recorded(struct buf *line, const char *recorded, const char *problem)
{
	static const char end[] = "}}\n"; /* of the annotations, which are last and never empty */
	line->len -= strlen(end);
	struct list annotations = {line, true};
	add_text(&annotations, KEY("eksgate.io/recorded"), recorded);
	add_text(&annotations, KEY("eksgate.io/recording-problem"), problem);
	buf_append_text(line, end);
}
