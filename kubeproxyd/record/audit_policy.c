/* Reads and applies audit policies (Kubernetes: apiserver/pkg/audit/policy, rules in their order,
 * the first match decides). Findings are collected with their places, as for roles. Called by the
 * proxy at start and reload, by audit.c for each request. */
#include "kubeproxyd/record/audit_policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "common/yaml.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/document.h"
#include "kubeproxyd/policy/request_info.h"

struct resources {
	char *group; /* "" is the core group */
	struct texts resources, names;
};

/* omitManagedFields: of a rule it is that of the policy unless it says so itself. */
enum managed_fields { MANAGED_UNSAID, MANAGED_KEPT, MANAGED_OMITTED };

struct rule {
	enum audit_level level;
	unsigned omitted;
	enum managed_fields managed;
	struct texts users, groups, verbs, namespaces, urls;
	struct resources *resources;
	size_t resource_count;
};

struct audit_policy {
	struct rule *rules;
	size_t count;
	unsigned omitted;
	enum managed_fields managed;
};

static const char *const policy_keys[] = {
    "apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields", NULL};
static const char *const rule_keys[] = {"level", "users", "userGroups", "verbs", "resources",
    "namespaces", "nonResourceURLs", "omitStages", "omitManagedFields", NULL};
static const char *const resource_keys[] = {"group", "resources", "resourceNames", NULL};
static const char *const levels[] = {"None", "Metadata", "Request", "RequestResponse", NULL};
static const char *const stages[] = {
    "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic", NULL};

/* --- reading --------------------------------------------------------------------------------- */

static void on_text(void *arg, struct reading *reading, const struct yaml_node *value)
{
	(void)reading;
	texts_add(arg, value->text);
}

static int find_word(const char *word, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(word, words[i]) == 0)
			return i;
	}
	return -1;
}

static void on_stage(void *arg, struct reading *reading, const struct yaml_node *value)
{
	unsigned *omitted = arg;
	int stage = find_word(value->text, stages);
	if (stage < 0)
		reading_fail(reading, value,
		    "\"%s\" is no stage: RequestReceived, ResponseStarted, ResponseComplete and "
		    "Panic are",
		    value->text);
	else
		*omitted |= 1u << stage;
}

static enum managed_fields read_managed_fields(struct reading *reading, const struct yaml_node *map)
{
	const char *value = reading_text(reading, map, "omitManagedFields", false);
	if (value == NULL)
		return MANAGED_UNSAID;
	if (strcmp(value, "true") == 0)
		return MANAGED_OMITTED;
	if (strcmp(value, "false") != 0)
		reading_fail_key(reading, map, "omitManagedFields",
		    "omitManagedFields: \"%s\" is neither true nor false", value);
	return MANAGED_KEPT;
}

static void read_resources(struct reading *reading, const struct yaml_node *item, struct rule *rule)
{
	if (item->kind != YAML_NODE_MAP) {
		reading_fail(
		    reading, item, "an entry of resources is a map with group and resources");
		return;
	}
	reading_check_keys(reading, item, resource_keys, NULL);
	rule->resources =
	    xreallocarray(rule->resources, rule->resource_count + 1, sizeof *rule->resources);
	struct resources *resources = &rule->resources[rule->resource_count++];
	*resources = (struct resources){0};
	const struct yaml_node *group = yaml_get(item, "group");
	bool is_core = group == NULL || yaml_is_null(group) ||
		       (group->kind == YAML_NODE_SCALAR && group->text[0] == '\0');
	const char *name = is_core ? "" : reading_text(reading, item, "group", false);
	resources->group = xstrdup(name != NULL ? name : "");
	reading_each(reading, item, "resources", on_text, &resources->resources);
	reading_each(reading, item, "resourceNames", on_text, &resources->names);
	if (resources->names.count > 0 && resources->resources.count == 0)
		reading_fail_key(reading, item, "resourceNames",
		    "resourceNames need resources that they are names of");
}

static void read_resource_list(
    struct reading *reading, const struct yaml_node *map, struct rule *rule)
{
	const struct yaml_node *list = yaml_get(map, "resources");
	if (list == NULL || yaml_is_null(list))
		return;
	if (list->kind != YAML_NODE_LIST) {
		reading_fail(reading, list, "resources must be a list");
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		read_resources(reading, list->items[i], rule);
}

static void check_urls(
    struct reading *reading, const struct yaml_node *map, const struct rule *rule)
{
	if (rule->urls.count > 0 && (rule->resource_count > 0 || rule->namespaces.count > 0))
		reading_fail_key(reading, map, "nonResourceURLs",
		    "a rule has either nonResourceURLs, or resources and namespaces");
	for (size_t i = 0; i < rule->urls.count; i++) {
		const char *url = rule->urls.items[i], *star = strchr(url, '*');
		bool is_well =
		    strcmp(url, "*") == 0 || (*url == '/' && (star == NULL || star[1] == '\0'));
		if (!is_well)
			reading_fail_key(reading, map, "nonResourceURLs",
			    "\"%s\": a URL begins with '/', and '*' is its last character or alone",
			    url);
	}
}

static void read_rule(struct reading *reading, const struct yaml_node *map, struct rule *rule)
{
	if (map->kind != YAML_NODE_MAP) {
		reading_fail(reading, map, "a rule is a map with a level");
		return;
	}
	reading_check_keys(reading, map, rule_keys, NULL);
	const char *level = reading_text(reading, map, "level", true);
	int number = level != NULL ? find_word(level, levels) : 0;
	if (number < 0)
		reading_fail_key(reading, map, "level",
		    "\"%s\" is no level: None, Metadata, Request and RequestResponse are", level);
	else
		rule->level = (enum audit_level)number;
	reading_each(reading, map, "users", on_text, &rule->users);
	reading_each(reading, map, "userGroups", on_text, &rule->groups);
	reading_each(reading, map, "verbs", on_text, &rule->verbs);
	reading_each(reading, map, "namespaces", on_text, &rule->namespaces);
	reading_each(reading, map, "nonResourceURLs", on_text, &rule->urls);
	reading_each(reading, map, "omitStages", on_stage, &rule->omitted);
	read_resource_list(reading, map, rule);
	rule->managed = read_managed_fields(reading, map);
	check_urls(reading, map, rule);
}

static void check_header(struct reading *reading, const struct yaml_node *root)
{
	const char *kind = reading_text(reading, root, "kind", true);
	const char *version = reading_text(reading, root, "apiVersion", true);
	if (kind != NULL && strcmp(kind, "Policy") != 0)
		reading_fail_key(reading, root, "kind", "kind \"%s\": Policy is expected", kind);
	if (version != NULL && strcmp(version, "audit.k8s.io/v1") != 0)
		reading_fail_key(reading, root, "apiVersion",
		    "apiVersion \"%s\": audit.k8s.io/v1 is expected", version);
}

static void read_policy(
    struct reading *reading, const struct yaml_node *root, struct audit_policy *policy)
{
	if (root->kind != YAML_NODE_MAP) {
		reading_fail(reading, root, "an audit policy is a map");
		return;
	}
	reading_check_keys(reading, root, policy_keys, NULL);
	check_header(reading, root);
	reading_each(reading, root, "omitStages", on_stage, &policy->omitted);
	policy->managed = read_managed_fields(reading, root);
	const struct yaml_node *rules = yaml_get(root, "rules");
	if (rules == NULL || rules->kind != YAML_NODE_LIST || rules->count == 0) {
		reading_fail_key(reading, root, "rules",
		    "rules is missing or empty: nothing would be audited; \"- level: Metadata\" "
		    "audits everything");
		return;
	}
	policy->rules = xcalloc(rules->count, sizeof *policy->rules);
	policy->count = rules->count;
	for (size_t i = 0; i < rules->count; i++)
		read_rule(reading, rules->items[i], &policy->rules[i]);
}

/* Takes the document. */
static struct audit_policy *from_document(struct yaml_document *document, char **error)
{
	if (document == NULL)
		return NULL;
	struct buf findings = {0};
	struct reading reading = {.document = document, .findings = &findings};
	struct audit_policy *policy = xcalloc(1, sizeof *policy);
	read_policy(&reading, document->root, policy);
	yaml_document_free(&document);
	if (findings.len == 0)
		return policy;
	audit_policy_free(&policy);
	*error = buf_take(&findings);
	return NULL;
}

struct audit_policy *audit_policy_load(const char *file, char **error)
{
	return from_document(yaml_load(file, error), error);
}

struct audit_policy *audit_policy_parse(
    const char *file, const char *text, size_t len, char **error)
{
	return from_document(yaml_parse(file, text, len, error), error);
}

struct audit_policy *audit_policy_default(void)
{
	struct audit_policy *policy = xcalloc(1, sizeof *policy);
	policy->rules = xcalloc(1, sizeof *policy->rules);
	policy->rules[0].level = AUDIT_METADATA;
	policy->count = 1;
	return policy;
}

static void free_rule(struct rule *rule)
{
	texts_free(&rule->users);
	texts_free(&rule->groups);
	texts_free(&rule->verbs);
	texts_free(&rule->namespaces);
	texts_free(&rule->urls);
	for (size_t i = 0; i < rule->resource_count; i++) {
		free(rule->resources[i].group);
		texts_free(&rule->resources[i].resources);
		texts_free(&rule->resources[i].names);
	}
	free(rule->resources);
}

void audit_policy_free(struct audit_policy **policy)
{
	if (*policy == NULL)
		return;
	for (size_t i = 0; i < (*policy)->count; i++)
		free_rule(&(*policy)->rules[i]);
	free((*policy)->rules);
	xfree(policy);
}

/* --- judging --------------------------------------------------------------------------------- */

static bool is_member(const struct texts *groups, const struct identity *identity)
{
	if (texts_has(groups, "system:authenticated"))
		return true;
	for (size_t i = 0; i < identity->group_count; i++) {
		if (texts_has(groups, identity->groups[i]))
			return true;
	}
	return false;
}

/* "pods", "pods/log", "pods" + "/" + "*", which is pods, too, "*" + "/" + "scale", "*". */
static bool names_resource(const char *pattern, const struct request_info *info)
{
	size_t len = strlen(info->resource);
	if (strcmp(pattern, "*") == 0)
		return true;
	if (strncmp(pattern, "*/", 2) == 0)
		return *info->subresource != '\0' && strcmp(pattern + 2, info->subresource) == 0;
	if (strncmp(pattern, info->resource, len) != 0)
		return false;
	const char *rest = pattern + len;
	if (strcmp(rest, "/*") == 0)
		return true;
	if (*rest == '\0')
		return *info->subresource == '\0';
	return *rest == '/' && *info->subresource != '\0' &&
	       strcmp(rest + 1, info->subresource) == 0;
}

static bool covers(const struct resources *resources, const struct request_info *info)
{
	if (strcmp(resources->group, info->api_group) != 0)
		return false;
	if (resources->names.count > 0 && !texts_has(&resources->names, info->name))
		return false;
	for (size_t i = 0; i < resources->resources.count; i++) {
		if (names_resource(resources->resources.items[i], info))
			return true;
	}
	return resources->resources.count == 0;
}

static bool covers_any(const struct rule *rule, const struct request_info *info)
{
	if (rule->namespaces.count > 0 && !texts_has(&rule->namespaces, info->namespace))
		return false;
	for (size_t i = 0; i < rule->resource_count; i++) {
		if (covers(&rule->resources[i], info))
			return true;
	}
	return rule->resource_count == 0;
}

static bool covers_url(const struct texts *urls, const char *path)
{
	for (size_t i = 0; i < urls->count; i++) {
		const char *url = urls->items[i];
		size_t len = strlen(url);
		bool is_prefix = len > 0 && url[len - 1] == '*';
		if (is_prefix ? strncmp(path, url, len - 1) == 0 : strcmp(path, url) == 0)
			return true;
	}
	return false;
}

static bool matches(
    const struct rule *rule, const struct identity *identity, const struct request_info *info)
{
	if (rule->users.count > 0 && !texts_has(&rule->users, identity->user))
		return false;
	if (rule->groups.count > 0 && !is_member(&rule->groups, identity))
		return false;
	if (rule->verbs.count > 0 && !texts_has(&rule->verbs, info->verb))
		return false;
	bool is_of_resources = rule->resource_count > 0 || rule->namespaces.count > 0;
	if (!is_of_resources && rule->urls.count == 0)
		return true;
	if (info->is_resource)
		return is_of_resources && covers_any(rule, info);
	return covers_url(&rule->urls, info->path);
}

static bool is_secret(const struct request_info *info)
{
	return info->is_resource &&
	       (strcmp(info->resource, "secrets") == 0 || strcmp(info->subresource, "token") == 0 ||
		   strcmp(info->resource, "tokenreviews") == 0);
}

struct audit_verdict audit_policy_judge(const struct audit_policy *policy,
    const struct identity *identity, const struct request_info *info)
{
	struct audit_verdict verdict = {
	    AUDIT_NONE, policy->omitted, policy->managed == MANAGED_OMITTED};
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];
		if (!matches(rule, identity, info))
			continue;
		verdict.level = rule->level;
		verdict.omitted |= rule->omitted;
		if (rule->managed != MANAGED_UNSAID)
			verdict.omits_managed_fields = rule->managed == MANAGED_OMITTED;
		break;
	}
	if (verdict.level > AUDIT_METADATA && is_secret(info))
		verdict.level = AUDIT_METADATA;
	return verdict;
}
