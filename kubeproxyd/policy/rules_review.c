/* Cuts the rules that a cluster's RBAC gives down to those that the roles here allow, too. Each
 * verb on each resource that RBAC names is asked of the policy as a request would be; where RBAC
 * says
 * "*", what the roles name is asked instead. Rules that cannot be said that way are left out, or,
 * for roles about every kind, kept with a note that some of it is denied. Called by the exchange.
 */
#include "kubeproxyd/policy/rules_review.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"
#include "common/yaml.h"
#include "kubeproxyd/policy/policy_set.h"
#include "kubeproxyd/policy/protobuf.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/verbs.h"

#define API_VERSION "authorization.k8s.io/v1"
#define KIND	    "SelfSubjectRulesReview"
/* What one answer may cost: questions to the policy, and what is looked at of its lists. Whoever
 * may write a Role in some cluster writes these lists, and everybody waits for us. */
#define STEPS_MAX 100000

struct cutting {
	const struct rules_question *of;
	struct json_object *rules, *paths;
	struct json_object *known; /* the rules as texts, each a key */
	struct buf notes; /* evaluationError */
	size_t steps;
};

static const char *const usual_verbs[] = {
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", NULL};

/* --- asking ---------------------------------------------------------------------------------- */

enum verdict { NOT_ALLOWED, ALLOWED_IN_PART, ALLOWED };

static void note(struct cutting *cutting, const char *what)
{
	if (strstr(buf_text(&cutting->notes), what) == NULL)
		buf_printf(&cutting->notes, "%s%s", cutting->notes.len > 0 ? "; " : "", what);
}

/* False: it costs too much, what is left is not looked at. */
static bool spend(struct cutting *cutting, size_t steps)
{
	cutting->steps += steps;
	return cutting->steps <= STEPS_MAX;
}

static bool is_same_subject(const struct decision *a, const struct decision *b)
{
	bool is_same = strcmp(a->user, b->user) == 0 && a->group_count == b->group_count;
	for (size_t i = 0; is_same && i < a->group_count; i++)
		is_same = strcmp(a->groups[i], b->groups[i]) == 0;
	return is_same;
}

static enum verdict ask(struct cutting *cutting, const struct request_info *request)
{
	struct decision decision = {0};
	if (!spend(cutting, 1))
		return NOT_ALLOWED;
	policy_decide_as(cutting->of->grants, cutting->of->cluster, cutting->of->labels, request,
	    cutting->of->sent->as, &decision);
	enum verdict verdict = decision_is_whole(&decision)		       ? ALLOWED
			       : decision.is_restricted || decision.needs_name ? ALLOWED_IN_PART
									       : NOT_ALLOWED;
	if (verdict == ALLOWED && !is_same_subject(&decision, cutting->of->sent))
		note(cutting, "different roles act as different groups: ask for one thing with "
			      "`kubectl auth can-i VERB RESOURCE`");
	decision_clear(&decision);
	return verdict;
}

/* `resource` may be "pods/log". */
static enum verdict ask_resource(struct cutting *cutting, const char *verb, const char *group,
    const char *resource, const char *name)
{
	const char *slash = strchr(resource, '/');
	char *plural =
	    slash != NULL ? xstrndup(resource, (size_t)(slash - resource)) : xstrdup(resource);
	struct request_info request = {
	    .is_resource = true,
	    .verb = verb,
	    .path = "",
	    .api_group = group,
	    .api_version = "",
	    .resource = plural,
	    .subresource = slash != NULL ? slash + 1 : "",
	    .namespace = cutting->of->namespace,
	    .name = name,
	    .field_selector = "",
	    .label_selector = "",
	};
	enum verdict verdict = ask(cutting, &request);
	free(plural);
	return verdict;
}

/* --- lists of texts -------------------------------------------------------------------------- */

static struct json_object *list_of(const char *text)
{
	struct json_object *list = json_object_new_array();
	json_object_array_add(list, json_object_new_string(text));
	return list;
}

static size_t length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static const char *text_at(struct json_object *list, size_t index)
{
	struct json_object *item = json_object_array_get_idx(list, index);
	return json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
}

static bool has_text(struct json_object *list, const char *text)
{
	for (size_t i = 0; i < length(list); i++) {
		if (strcmp(text_at(list, i), text) == 0)
			return true;
	}
	return false;
}

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Takes `verbs` and `names` over; a rule without verbs is none, and one that is there already
 * stays one. */
static void add_rule(struct cutting *cutting, struct json_object *verbs, const char *group,
    const char *resource, struct json_object *names)
{
	struct json_object *rule = json_object_new_object();
	bool is_empty = length(verbs) == 0;
	json_object_object_add(rule, "verbs", verbs);
	json_object_object_add(rule, "apiGroups", list_of(group));
	json_object_object_add(rule, "resources", list_of(resource));
	if (names != NULL)
		json_object_object_add(rule, "resourceNames", names);
	const char *text = json_object_to_json_string_ext(rule, JSON_C_TO_STRING_PLAIN);
	if (is_empty || json_object_object_get_ex(cutting->known, text, NULL)) {
		json_object_put(rule);
		return;
	}
	json_object_object_add(cutting->known, text, NULL);
	json_object_array_add(cutting->rules, rule);
}

/* The verbs of `verbs`, or all for "*", that the policy allows on one resource. */
static struct json_object *allowed_verbs(struct cutting *cutting, struct json_object *verbs,
    const char *group, const char *resource, const char *name)
{
	struct json_object *kept = json_object_new_array();
	bool is_any = has_text(verbs, "*");
	size_t count = is_any ? sizeof usual_verbs / sizeof usual_verbs[0] - 1 : length(verbs);
	if (is_any && ask_resource(cutting, "*", group, resource, name) == ALLOWED) {
		json_object_put(kept);
		return list_of("*");
	}
	for (size_t i = 0; i < count; i++) {
		const char *verb = is_any ? usual_verbs[i] : text_at(verbs, i);
		enum verdict verdict = ask_resource(cutting, verb, group, resource, name);
		if (verdict == ALLOWED)
			json_object_array_add(kept, json_object_new_string(verb));
		if (verdict == ALLOWED_IN_PART)
			note(cutting, "some names are allowed that are not listed here");
	}
	return kept;
}

/* One resource of one group, both named. */
static void cut_resource(struct cutting *cutting, struct json_object *verbs, const char *group,
    const char *resource, struct json_object *names)
{
	if (length(names) == 0)
		add_rule(cutting, allowed_verbs(cutting, verbs, group, resource, ""), group,
		    resource, NULL);
	for (size_t i = 0; i < length(names) && spend(cutting, 1 + length(verbs)); i++)
		add_rule(cutting, allowed_verbs(cutting, verbs, group, resource, text_at(names, i)),
		    group, resource, list_of(text_at(names, i)));
}

static bool has_denials(const struct cutting *cutting)
{
	const struct grants *grants = cutting->of->grants;
	for (size_t i = 0; i < grants->role_count; i++) {
		if (grants->roles[i]->deny.rule_count > 0)
			return true;
	}
	return false;
}

static bool is_one(const char *text)
{
	return text != NULL && strchr(text, '*') == NULL && text[0] != '^';
}

static bool agrees(const char *wanted, const char *offered)
{
	return strcmp(wanted, "*") == 0 || strcmp(wanted, offered) == 0;
}

/* A role's rule for every kind in place of RBAC's. */
static void cut_by_any_kind(struct cutting *cutting, const struct resource_rule *rule,
    struct json_object *verbs, const char *group, const char *resource)
{
	struct json_object *kept = json_object_new_array();
	bool is_any = has_text(verbs, "*");
	if (has_denials(cutting))
		note(cutting, "deny rules take away of what is listed for \"*\"");
	if (rule->is_everything) {
		for (size_t i = 0; i < length(verbs); i++)
			json_object_array_add(kept, json_object_new_string(text_at(verbs, i)));
	} else {
		for (size_t i = 0; usual_verbs[i] != NULL; i++) {
			if ((is_any || has_text(verbs, usual_verbs[i])) &&
			    (rule->verbs & verb_bit(usual_verbs[i])) != 0)
				json_object_array_add(kept, json_object_new_string(usual_verbs[i]));
		}
	}
	add_rule(cutting, kept, group, resource, NULL);
}

/* What a role's rule says in place of "*" of RBAC's. */
static void cut_by_rule(struct cutting *cutting, const struct resource_rule *rule,
    struct json_object *verbs, const char *group, const char *resource)
{
	const struct source_rule *source = rule->source;
	struct word in = word_of(cutting->of->namespace);
	if (!matchers_take(&rule->namespaces, &in) && !rule->is_cluster_wide)
		return;
	if (source == NULL || strcmp(source->resource, "*") == 0) {
		if (rule->names.is_any && rule->scope != RULE_OF_SUBRESOURCES)
			cut_by_any_kind(cutting, rule, verbs, group, resource);
		else
			note(cutting, "some names are allowed that are not listed here");
		return;
	}
	if (!is_one(source->group)) {
		note(cutting, "groups by pattern are not listed here");
		return;
	}
	char *own = source->subresource != NULL
			? xasprintf("%s/%s", source->resource, source->subresource)
			: xstrdup(source->resource);
	if (agrees(group, source->group) && agrees(resource, own))
		cut_resource(cutting, verbs, source->group, own, NULL);
	bool is_session = (rule->verbs & VERB_EXEC) != 0 && strcmp(own, "pods") == 0;
	if (is_session && agrees(group, "") && strcmp(resource, "*") == 0)
		cut_resource(cutting, verbs, "", "pods/exec", NULL);
	if ((rule->verbs & VERB_PORTFORWARD) != 0 && strcmp(own, "pods") == 0 &&
	    agrees(group, "") && strcmp(resource, "*") == 0)
		cut_resource(cutting, verbs, "", "pods/portforward", NULL);
	free(own);
}

static void cut_wild(
    struct cutting *cutting, struct json_object *verbs, const char *group, const char *resource)
{
	const struct grants *grants = cutting->of->grants;
	for (size_t i = 0; i < grants->role_count; i++) {
		const struct role *role = grants->roles[i];
		if (!role_allows(role, &grants->subject, cutting->of->labels))
			continue;
		for (size_t j = 0; j < role->allow.rule_count && spend(cutting, 1 + length(verbs));
		     j++)
			cut_by_rule(cutting, &role->allow.rules[j], verbs, group, resource);
	}
}

static void cut_rule(struct cutting *cutting, struct json_object *rule)
{
	struct json_object *verbs = get(rule, "verbs"), *groups = get(rule, "apiGroups");
	struct json_object *resources = get(rule, "resources"), *names = get(rule, "resourceNames");
	for (size_t i = 0; i < length(groups); i++) {
		for (size_t j = 0; j < length(resources) && spend(cutting, 1 + length(verbs));
		     j++) {
			const char *group = text_at(groups, i), *resource = text_at(resources, j);
			if (is_one(group) && is_one(resource))
				cut_resource(cutting, verbs, group, resource, names);
			else if (length(names) == 0)
				cut_wild(cutting, verbs, group, resource);
		}
	}
}

/* --- paths ----------------------------------------------------------------------------------- */

static bool is_path_allowed(struct cutting *cutting, const char *verb, const char *path)
{
	size_t len = strlen(path);
	bool is_pattern = len > 0 && path[len - 1] == '*';
	/* What stands for all below. */
	char *sample = xasprintf(
	    "%.*s%s", (int)(is_pattern ? len - 1 : len), path, is_pattern ? "sample" : "");
	struct request_info request = {
	    .verb = strcmp(verb, "*") == 0 ? "put" : verb,
	    .path = sample,
	    .api_group = "",
	    .api_version = "",
	    .resource = "",
	    .subresource = "",
	    .namespace = "",
	    .name = "",
	};
	bool is_allowed = ask(cutting, &request) == ALLOWED;
	free(sample);
	return is_allowed;
}

static void cut_path_rule(struct cutting *cutting, struct json_object *rule)
{
	struct json_object *verbs = get(rule, "verbs"), *paths = get(rule, "nonResourceURLs");
	for (size_t i = 0; i < length(paths) && spend(cutting, 1 + length(verbs)); i++) {
		struct json_object *kept = json_object_new_array(), *cut = json_object_new_object();
		for (size_t j = 0; j < length(verbs); j++) {
			if (is_path_allowed(cutting, text_at(verbs, j), text_at(paths, i)))
				json_object_array_add(
				    kept, json_object_new_string(text_at(verbs, j)));
		}
		bool is_empty = length(kept) == 0;
		json_object_object_add(cut, "verbs", kept);
		json_object_object_add(cut, "nonResourceURLs", list_of(text_at(paths, i)));
		if (is_empty)
			json_object_put(cut);
		else
			json_object_array_add(cutting->paths, cut);
	}
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_texts(struct buf *out, uint32_t number, struct json_object *list)
{
	for (size_t i = 0; i < length(list); i++)
		protobuf_add_text(out, number, text_at(list, i));
}

static void write_protobuf(const struct cutting *cutting, bool is_incomplete, struct buf *out)
{
	static const char *const rule_keys[] = {"verbs", "apiGroups", "resources", "resourceNames"};
	struct buf raw = {0}, spec = {0}, status = {0}, rule = {0};
	for (size_t i = 0; i < length(cutting->rules); i++) {
		struct json_object *item = json_object_array_get_idx(cutting->rules, i);
		buf_clear(&rule);
		for (uint32_t k = 0; k < 4; k++)
			write_texts(&rule, k + 1, get(item, rule_keys[k]));
		protobuf_add_bytes(&status, 1, buf_text(&rule), rule.len);
	}
	for (size_t i = 0; i < length(cutting->paths); i++) {
		struct json_object *item = json_object_array_get_idx(cutting->paths, i);
		buf_clear(&rule);
		write_texts(&rule, 1, get(item, "verbs"));
		write_texts(&rule, 2, get(item, "nonResourceURLs"));
		protobuf_add_bytes(&status, 2, buf_text(&rule), rule.len);
	}
	protobuf_add_number(&status, 3, is_incomplete);
	protobuf_add_text(&status, 4, buf_text(&cutting->notes));
	protobuf_add_text(&spec, 1, cutting->of->namespace);
	protobuf_add_bytes(&raw, 1, "", 0);
	protobuf_add_bytes(&raw, 2, buf_text(&spec), spec.len);
	protobuf_add_bytes(&raw, 3, buf_text(&status), status.len);
	protobuf_wrap(out, API_VERSION, KIND, &raw);
	buf_free(&raw);
	buf_free(&spec);
	buf_free(&status);
	buf_free(&rule);
}

static void write_json(const struct cutting *cutting, bool is_incomplete, struct buf *out)
{
	struct json_object *document = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *status = json_object_new_object();
	json_add_string(document, "kind", KIND);
	json_add_string(document, "apiVersion", API_VERSION);
	json_object_object_add(metadata, "creationTimestamp", NULL);
	json_object_object_add(document, "metadata", metadata);
	json_object_object_add(document, "spec", json_object_new_object());
	json_object_object_add(status, "resourceRules", json_object_get(cutting->rules));
	json_object_object_add(status, "nonResourceRules", json_object_get(cutting->paths));
	json_object_object_add(status, "incomplete", json_object_new_boolean(is_incomplete));
	if (cutting->notes.len > 0)
		json_add_string(status, "evaluationError", buf_text(&cutting->notes));
	json_object_object_add(document, "status", status);
	buf_append_text(
	    out, json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_append_char(out, '\n');
	json_object_put(document);
}

/* --- public ---------------------------------------------------------------------------------- */

bool rules_review_cut(const struct rules_question *question, const char *answer, size_t len,
    enum body_format format, struct buf *out)
{
	char error[JSON_ERROR_TEXT];
	struct cutting cutting = {.of = question};
	struct json_object *document = json_parse(answer, len, error);
	struct json_object *status = document != NULL ? get(document, "status") : NULL;
	bool is_sound = json_object_is_type(status, json_type_object);
	if (is_sound) {
		struct json_object *rules = get(status, "resourceRules");
		struct json_object *paths = get(status, "nonResourceRules");
		struct json_object *said = get(status, "evaluationError");
		cutting.rules = json_object_new_array();
		cutting.paths = json_object_new_array();
		cutting.known = json_object_new_object();
		if (json_object_is_type(said, json_type_string))
			note(&cutting, json_object_get_string(said));
		for (size_t i = 0; i < length(rules); i++)
			cut_rule(&cutting, json_object_array_get_idx(rules, i));
		for (size_t i = 0; i < length(paths); i++)
			cut_path_rule(&cutting, json_object_array_get_idx(paths, i));
		if (cutting.steps > STEPS_MAX)
			note(&cutting, "there are too many rules to list");
		bool is_incomplete =
		    json_object_get_boolean(get(status, "incomplete")) || cutting.notes.len > 0;
		if (format == BODY_PROTOBUF)
			write_protobuf(&cutting, is_incomplete, out);
		else
			write_json(&cutting, is_incomplete, out);
	}
	json_object_put(cutting.rules);
	json_object_put(cutting.paths);
	json_object_put(cutting.known);
	json_object_put(document);
	buf_free(&cutting.notes);
	return is_sound;
}

/* --- the question ---------------------------------------------------------------------------- */

static char *namespace_of_json(const void *body, size_t len)
{
	char error[JSON_ERROR_TEXT];
	const char *namespace = NULL;
	struct json_object *document = json_parse(body, len, error);
	struct json_object *spec = document != NULL ? get(document, "spec") : NULL;
	char *text = NULL;
	if (json_object_is_type(spec, json_type_object) &&
	    json_get_optional_string(spec, "spec", "namespace", &namespace, error))
		text = xstrdup(namespace != NULL ? namespace : "");
	json_object_put(document);
	return text;
}

static char *namespace_of_yaml(const void *body, size_t len)
{
	char *error = NULL, *text = NULL;
	struct yaml_document *document = yaml_parse("body", body, len, &error);
	free(error);
	if (document == NULL)
		return NULL;
	const struct yaml_node *spec =
	    document->root->kind == YAML_NODE_MAP ? yaml_get(document->root, "spec") : NULL;
	const struct yaml_node *namespace =
	    spec != NULL && spec->kind == YAML_NODE_MAP ? yaml_get(spec, "namespace") : NULL;
	if (namespace != NULL && namespace->kind == YAML_NODE_SCALAR)
		text = xstrdup(namespace->text);
	yaml_document_free(&document);
	return text;
}

static char *namespace_of_protobuf(const void *body, size_t len)
{
	struct protobuf kind, raw, spec, namespace;
	bool is_sound;
	if (!protobuf_open(body, len, &kind, &raw) || !protobuf_get(raw, 2, &spec, &is_sound))
		return NULL;
	bool is_there = protobuf_get(spec, 1, &namespace, &is_sound);
	if (!is_sound || (is_there && memchr(namespace.at, '\0', namespace.len) != NULL))
		return NULL;
	return is_there ? xstrndup((const char *)namespace.at, namespace.len) : xstrdup("");
}

char *rules_review_namespace(
    enum body_format format, const void *body, size_t len, const char **error)
{
	char *namespace = NULL;
	if (format == BODY_JSON)
	namespace = namespace_of_json(body, len);
	else if (format == BODY_YAML) namespace = namespace_of_yaml(body, len);
	else if (format == BODY_PROTOBUF) namespace = namespace_of_protobuf(body, len);
	if (namespace == NULL)
		*error = "the review cannot be read: it has spec.namespace";
	return namespace;
}
