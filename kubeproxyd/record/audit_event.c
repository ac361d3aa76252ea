/* Writes audit events. The names and the order of members are those of Kubernetes' audit.k8s.io/v1,
 * so that whatever reads an API server's audit log reads this one, and both join by auditID. Called
 * by audit.c; pure. */
#include "kubeproxyd/record/audit_event.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes16.h"
#include "common/decimal.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/query.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/json_line.h"

#define CLAIM_MAX 1024u
#define TRUNCATED "...TRUNCATED"

/* The name of a member with its colon, as it stands in the line: `"name":`. A comma follows each
 * member; the end of its object takes the last one's place. */
struct key {
	const char *text;
	size_t len;
};

#define PIECE(text)	    ((struct key){text, sizeof(text) - 1})
#define KEY_AND(name, more) PIECE("\"" name "\":" more)
#define KEY(name)	    KEY_AND(name, "")
/* With what begins its value. */
#define OBJECT(name) KEY_AND(name, "{")
#define ARRAY(name)  KEY_AND(name, "[")
#define WORD(name)   KEY_AND(name, "\"")
/* A member whose value is one of our own words. */
#define MEMBER(name, word) KEY_AND(name, "\"" word "\",")

/* With what stands before it in each line. */
#define LEVEL(name)                                                                                \
	PIECE("{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"" name "\",")

static const struct key levels[] = {
    LEVEL("None"), LEVEL("Metadata"), LEVEL("Request"), LEVEL("RequestResponse")};
static const struct key stages[] = {MEMBER("stage", "RequestReceived"),
    MEMBER("stage", "ResponseStarted"), MEMBER("stage", "ResponseComplete")};

static void add_key(struct buf *out, struct key key)
{
	(void)bytes16_copy(buf_reserve(out, key.len), key.text, key.len);
	buf_commit(out, key.len);
}

/* Of an object or an array, which is a member itself. */
static void end_members(struct buf *out, char bracket)
{
	if (out->data[out->len - 1] == ',')
		out->len--;
	char *at = buf_reserve(out, 2);
	at[0] = bracket;
	at[1] = ',';
	buf_commit(out, 2);
}

static bool is_empty(const char *text)
{
	return text == NULL || *text == '\0';
}

static void add_text(struct buf *out, struct key key, const char *text)
{
	if (!is_empty(text))
		json_line_member(out, key.text, key.len, text, strlen(text));
}

/* What clients say of themselves, whoever they are: no more of it than kube-apiserver keeps, and it
 * says so in its words. */
static void add_claim(struct buf *out, struct key key, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	if (len <= CLAIM_MAX) {
		if (len > 0)
			json_line_member(out, key.text, key.len, text, len);
		return;
	}
	char cut[CLAIM_MAX + sizeof TRUNCATED];
	memcpy(cut, text, CLAIM_MAX);
	memcpy(cut + CLAIM_MAX, TRUNCATED, sizeof TRUNCATED);
	add_text(out, key, cut);
}

/* An id of ours: nothing in it needs to be escaped. */
static void add_id(struct buf *out, struct key key, const char *id)
{
	if (is_empty(id))
		return;
	add_key(out, key);
	buf_append_text(out, id);
	buf_append(out, "\",", 2);
}

/* Annotations are texts, numbers among them. */
static void add_number_text(struct buf *out, struct key key, uint64_t value)
{
	char *start = buf_reserve(out, key.len + DECIMAL_TEXT + 2);
	char *at = bytes16_copy(start, key.text, key.len);
	at += decimal_write(at, value);
	at = mempcpy(at, "\",", 2);
	buf_commit(out, (size_t)(at - start));
}

/* `key` is an array's. */
static void add_texts(struct buf *out, struct key key, const char *const *texts, size_t count)
{
	if (count == 0)
		return;
	json_line_member(out, key.text, key.len, texts[0], strlen(texts[0]));
	for (size_t i = 1; i < count; i++)
		json_line_member(out, "", 0, texts[i], strlen(texts[i]));
	end_members(out, ']');
}

/* As an array, where Kubernetes may have several. */
static void add_single(struct buf *out, struct key key, const char *text)
{
	if (is_empty(text))
		return;
	add_text(out, key, text);
	end_members(out, ']');
}

/* metav1.MicroTime: six digits. */
static void add_time(struct buf *out, struct key key, struct unix_time at)
{
	static const char more[] = "000Z\",";
	char *start = buf_reserve(out, key.len + UNIX_TIME_TEXT + sizeof more);
	char *to = bytes16_copy(start, key.text, key.len);
	to += unix_time_write(at, to) - strlen("Z");
	to = mempcpy(to, more, strlen(more));
	buf_commit(out, (size_t)(to - start));
}

/* --- who ------------------------------------------------------------------------------------- */

/* A name that was sent, and the bracket of its array. */
static void add_foreign_key(struct buf *out, const char *key)
{
	json_line_string(out, key, strlen(key));
	buf_append(out, ":[", 2);
}

/* The values of a key stand together: `at` is the first of its extras. */
static void add_values_of(struct buf *out, const struct act_as *as, size_t at)
{
	const char *key = as->extras[at].key;
	add_foreign_key(out, key);
	for (size_t i = at; i < as->extra_count; i++) {
		const char *value = as->extras[i].value;
		if (strcmp(as->extras[i].key, key) == 0)
			json_line_member(out, "", 0, value, strlen(value));
	}
	end_members(out, ']');
}

static bool is_first_of_key(const struct act_as *as, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(as->extras[i].key, as->extras[at].key) == 0)
			return false;
	}
	return true;
}

static void add_original_user(struct buf *out, const struct audit_event *what)
{
	if (what->original_user_key == NULL || is_empty(what->user))
		return;
	add_foreign_key(out, what->original_user_key);
	json_line_member(out, "", 0, what->user, strlen(what->user));
	end_members(out, ']');
}

static void add_sent_extras(struct buf *out, const struct audit_event *what)
{
	const struct act_as *as = what->sent_as;
	size_t count = as != NULL ? as->extra_count : 0;
	if (count == 0 && what->original_user_key == NULL)
		return;
	add_key(out, OBJECT("extra"));
	for (size_t i = 0; i < count; i++) {
		if (is_first_of_key(as, i))
			add_values_of(out, as, i);
	}
	add_original_user(out, what);
	end_members(out, '}');
}

void audit_event_write_user(struct buf *out, const struct audit_event *what)
{
	add_key(out, OBJECT("user"));
	add_text(out, KEY("username"), what->user);
	add_texts(out, ARRAY("groups"), (const char *const *)what->groups, what->group_count);
	if (!is_empty(what->source)) {
		add_key(out, OBJECT("extra"));
		add_single(out, ARRAY("eksgate.io/credential"), what->source);
		add_single(out, ARRAY("eksgate.io/certificate-serial"), what->certificate_serial);
		end_members(out, '}');
	}
	end_members(out, '}');
}

static void add_sent_user(struct buf *out, const struct audit_event *what)
{
	if (is_empty(what->sent_user))
		return;
	add_key(out, OBJECT("impersonatedUser"));
	add_text(out, KEY("username"), what->sent_user);
	if (what->sent_as != NULL)
		add_text(out, KEY("uid"), what->sent_as->uid);
	add_texts(out, ARRAY("groups"), what->sent_groups, what->sent_group_count);
	add_sent_extras(out, what);
	end_members(out, '}');
}

/* --- what ------------------------------------------------------------------------------------ */

static void add_object(struct buf *out, const struct request_info *info)
{
	if (info == NULL || !info->is_resource)
		return;
	add_key(out, OBJECT("objectRef"));
	add_text(out, KEY("resource"), info->resource);
	add_text(out, KEY("namespace"), info->namespace);
	add_text(out, KEY("name"), info->name);
	add_text(out, KEY("apiGroup"), info->api_group);
	add_text(out, KEY("apiVersion"), info->api_version);
	add_text(out, KEY("subresource"), info->subresource);
	end_members(out, '}');
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

static void add_values(struct buf *out, struct key key, const char *uri, const char *name)
{
	const char *query = uri != NULL ? strchr(uri, '?') : NULL;
	if (query == NULL)
		return;
	struct buf values = {0};
	write_values(&values, query + 1, name);
	add_text(out, key, buf_text(&values));
	buf_free(&values);
}

static void add_stream_annotations(struct buf *out, const struct audit_event *what)
{
	const char *subresource = what->info != NULL ? what->info->subresource : NULL;
	add_claim(out, KEY("eksgate.io/upgrade"), what->upgrade);
	add_text(out, KEY("eksgate.io/recorded"), what->recorded);
	add_text(out, KEY("eksgate.io/recording"), what->recording);
	add_text(out, KEY("eksgate.io/recording-problem"), what->recording_problem);
	if (is_empty(subresource))
		return;
	if (strcmp(subresource, "exec") == 0)
		add_values(out, KEY("eksgate.io/exec-command"), what->uri, "command");
	if (strcmp(subresource, "portforward") != 0)
		return;
	if (what->ports != NULL)
		add_text(out, KEY("eksgate.io/ports"), what->ports);
	else
		add_values(out, KEY("eksgate.io/ports"), what->uri, "ports");
}

/* --- why, and what became of it -------------------------------------------------------------- */

static void add_decision(struct buf *out, const struct audit_event *what)
{
	static const struct key allow = MEMBER("authorization.k8s.io/decision", "allow"),
				forbid = MEMBER("authorization.k8s.io/decision", "forbid");
	if (what->is_decided)
		add_key(out, what->is_allowed ? allow : forbid);
	add_text(out, KEY("authorization.k8s.io/reason"), what->rule);
}

static void add_ending(struct buf *out, const struct audit_event *what)
{
	if (what->stage != AUDIT_RESPONSE_COMPLETE)
		return;
	add_text(out, KEY("eksgate.io/ending"), what->ending);
	add_text(out, KEY("eksgate.io/terminated-by"), what->terminated_by);
	add_number_text(out, WORD("eksgate.io/bytes-in"), what->bytes_in);
	add_number_text(out, WORD("eksgate.io/bytes-out"), what->bytes_out);
	add_number_text(out, WORD("eksgate.io/duration-ms"), (uint64_t)what->took.ms);
	add_text(out, KEY("eksgate.io/bodies"), what->body_note);
	if (!what->is_filtered)
		return;
	add_number_text(out, WORD("eksgate.io/objects-passed"), what->objects_passed);
	add_number_text(out, WORD("eksgate.io/objects-left-out"), what->objects_left_out);
	add_number_text(out, WORD("eksgate.io/objects-unreadable"), what->objects_unreadable);
}

/* Without their end, which is the line's. */
static void begin_annotations(struct buf *out, const struct audit_event *what)
{
	add_key(out, OBJECT("annotations"));
	add_decision(out, what);
	add_text(out, KEY("eksgate.io/cluster"), what->cluster);
	add_text(out, KEY("eksgate.io/cluster-arn"), what->cluster_arn);
	add_text(out, KEY("eksgate.io/method"), what->method);
	add_text(out, KEY("eksgate.io/kubectl-command"), what->kubectl_command);
	add_text(out, KEY("eksgate.io/kubectl-session"), what->kubectl_session);
	add_stream_annotations(out, what);
	add_ending(out, what);
}

static void add_status(struct buf *out, const struct audit_event *what)
{
	if (what->status == 0)
		return;
	add_key(out, KEY_AND("responseStatus", "{\"metadata\":{},\"code\":"));
	json_line_int(out, what->status);
	buf_append(out, "},", 2);
}

static void add_body(struct buf *out, struct key key, const char *object)
{
	if (object == NULL)
		return;
	add_key(out, key);
	buf_append_text(out, object);
	buf_append_char(out, ',');
}

/* Of the annotations, which are last, and of the line. */
static void end_line(struct buf *out)
{
	end_members(out, '}');
	end_members(out, '}');
	out->data[out->len - 1] = '\n';
}

void audit_event_write(struct buf *out, const struct audit_event *what)
{
	add_key(out, levels[what->level]);
	add_id(out, WORD("auditID"), what->audit_id);
	add_key(out, stages[what->stage]);
	add_text(out, KEY("requestURI"), what->uri);
	add_text(out, KEY("verb"), what->info != NULL ? what->info->verb : NULL);
	if (what->user_member != NULL)
		buf_append(out, what->user_member->data, what->user_member->len);
	else
		audit_event_write_user(out, what);
	add_sent_user(out, what);
	add_single(out, ARRAY("sourceIPs"), what->client_host);
	add_claim(out, KEY("userAgent"), what->user_agent);
	add_object(out, what->info);
	add_status(out, what);
	add_body(out, KEY("requestObject"), what->request_object);
	add_body(out, KEY("responseObject"), what->response_object);
	add_time(out, WORD("requestReceivedTimestamp"), what->received);
	add_time(out, WORD("stageTimestamp"), what->now);
	begin_annotations(out, what);
	end_line(out);
}

void audit_event_add_recorded(struct buf *line, const char *recorded, const char *problem)
{
	line->len -= strlen("}}\n"); /* of the annotations, which are last and never empty */
	buf_append_char(line, ',');
	add_text(line, KEY("eksgate.io/recorded"), recorded);
	add_text(line, KEY("eksgate.io/recording-problem"), problem);
	end_line(line);
}
