/* Reads kubernetes_resources (reference teleport.md 3.6). Up to v6 a rule is about pods alone, v7
 * names a fixed list of kinds in the singular, v8 names API resources by plural and group. What
 * could be misread is refused: a rule that gives less than its author thinks is asked about, one
 * that gives more is not noticed. Called by role.c. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/kinds.h"
#include "kubeproxyd/policy/role_source.h"
#include "kubeproxyd/policy/template.h"
#include "kubeproxyd/policy/verbs.h"

#define KIND_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789.-"

static const char *const rule_keys[] = {
    "kind", "api_group", "namespace", "name", "verbs", "commands", NULL};

/* One rule while it is read. */
struct rule_reading {
	struct reading *reading;
	const struct yaml_node *node;
	bool is_allow;
	unsigned version;
	const struct kind *kind; /* NULL: not known */
	struct source_rule rule;
};

static void fail_key(struct rule_reading *rule, const char *key, char *what)
{
	reading_fail_key(rule->reading, rule->node, key, "%s", what);
	free(what);
}

static void fail(struct rule_reading *rule, const char *key, char *what)
{
	const struct yaml_node *value = yaml_get(rule->node, key);
	reading_fail(rule->reading, value != NULL ? value : rule->node, "%s", what);
	free(what);
}

/* --- verbs ----------------------------------------------------------------------------------- */

static void on_verb(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct source_rule *rule = arg;
	if (strcmp(value->text, "*") == 0) {
		rule->verbs |= VERBS_ALL;
		return;
	}
	uint32_t bit = verb_bit(value->text);
	if (bit != VERB_OTHER) {
		rule->verbs |= bit;
		return;
	}
	const char *nearest = reading_nearest(value->text, verb_names);
	reading_fail(reading, value, "verb \"%s\" is not known%s%s%s", value->text,
	    nearest != NULL ? ": did you mean \"" : "", nearest != NULL ? nearest : "",
	    nearest != NULL ? "\"?" : "");
}

/* What a denial takes away besides: what reads or removes the same by another verb. A patch and a
 * delete are answered with the object, and a deletecollection with all of them, even when nothing
 * is changed (dryRun). Sessions are "create", whatever the author calls them. */
static uint32_t widened(const struct source_rule *rule)
{
	static const char *const sessions[] = {"exec", "attach", "portforward"};
	uint32_t verbs = rule->verbs;
	if ((verbs & VERB_GET) != 0)
		verbs |= VERB_LIST | VERB_PATCH | VERB_DELETE;
	if ((verbs & VERB_LIST) != 0)
		verbs |= VERB_WATCH | VERB_DELETECOLLECTION;
	if ((verbs & VERB_DELETE) != 0)
		verbs |= VERB_DELETECOLLECTION;
	for (size_t i = 0; verbs != 0 && i < sizeof sessions / sizeof sessions[0]; i++) {
		if (rule->subresource != NULL && strcmp(rule->subresource, sessions[i]) == 0)
			verbs |= VERB_CREATE;
	}
	return verbs;
}

static void read_verbs(struct rule_reading *rule)
{
	const struct yaml_node *verbs = yaml_get(rule->node, "verbs");
	bool is_missing = verbs == NULL || yaml_is_null(verbs) ||
			  (verbs->kind == YAML_NODE_LIST && verbs->count == 0);
	if (is_missing && rule->version > 6) {
		fail_key(rule, "verbs", xstrdup("verbs is missing: [\"*\"] for all"));
		return;
	}
	if (is_missing)
		rule->rule.verbs = VERBS_ALL;
	else
		reading_each(rule->reading, rule->node, "verbs", on_verb, &rule->rule);
	bool is_star = rule->rule.verbs == VERBS_ALL;
	if (is_star && verbs != NULL && verbs->kind == YAML_NODE_LIST && verbs->count > 1)
		fail(rule, "verbs", xstrdup("verbs: \"*\" stands alone"));
	bool is_every_kind = rule->rule.scope == RULE_OF_OBJECTS && rule->rule.resource != NULL &&
			     strcmp(rule->rule.resource, "*") == 0;
	rule->rule.is_everything = is_star && is_every_kind;
	if (is_star && rule->is_allow && !is_every_kind && rule->rule.scope == RULE_OF_OBJECTS)
		rule->rule.verbs = VERBS_USUAL;
	if (!rule->is_allow)
		rule->rule.verbs = widened(&rule->rule);
}

/* --- kind and group -------------------------------------------------------------------------- */

static void read_old_kind(struct rule_reading *rule, const char *kind)
{
	static const char *const pods[] = {"pod", NULL};
	const char *const *known = rule->version <= 6 ? pods : kind_old_names;
	if (rule->version > 6 && strcmp(kind, "*") == 0) {
		rule->rule.resource = xstrdup("*");
		rule->rule.group = xstrdup("*");
		return;
	}
	const struct kind *found = kind_find_old(kind);
	if (found != NULL && (rule->version > 6 || strcmp(kind, "pod") == 0)) {
		rule->kind = found;
		rule->rule.resource = xstrdup(found->resource);
		rule->rule.group = xstrdup(found->group);
		return;
	}
	const struct kind *plural = kind_find_resource(kind);
	const char *nearest = plural != NULL ? plural->old_name : reading_nearest(kind, known);
	fail(rule, "kind",
	    rule->version <= 6
		? xasprintf("kind \"%s\": roles up to v6 have rules for kind pod alone", kind)
		: xasprintf("kind \"%s\" is not one of v7 roles%s%s%s; v8 roles name any kind by "
			    "plural and api_group",
		      kind, nearest != NULL ? ": did you mean \"" : "",
		      nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : ""));
}

static bool is_kind_text(const char *text)
{
	size_t len = strlen(text);
	return strcmp(text, "*") == 0 || (len > 0 && strspn(text, KIND_CHARACTERS) == len);
}

/* NULL when the kind is named as v8 names it, else its plural. */
static const char *plural_of(const char *resource)
{
	const struct kind *kind = kind_find_singular(resource);
	if (kind == NULL)
		kind = kind_find_old(resource);
	return kind_find_resource(resource) == NULL && kind != NULL ? kind->resource : NULL;
}

static void split_kind(struct source_rule *rule, const char *kind)
{
	const char *slash = strchrnul(kind, '/');
	rule->resource = xstrndup(kind, (size_t)(slash - kind));
	if (*slash == '\0')
		return;
	rule->scope = RULE_OF_SUBRESOURCES;
	rule->subresource = xstrdup(slash + 1);
}

static void read_kind(struct rule_reading *rule)
{
	const char *kind = reading_text(rule->reading, rule->node, "kind", true);
	if (kind == NULL)
		return;
	if (rule->version < 8) {
		read_old_kind(rule, kind);
		return;
	}
	split_kind(&rule->rule, kind);
	const char *subresource = rule->rule.subresource;
	const char *plural = plural_of(rule->rule.resource);
	bool is_sound =
	    is_kind_text(rule->rule.resource) && (subresource == NULL || is_kind_text(subresource));
	if (plural == NULL && is_sound) {
		rule->kind = kind_find_resource(rule->rule.resource);
		return;
	}
	xfree(&rule->rule.resource);
	fail(rule, "kind",
	    plural != NULL
		? xasprintf("kind \"%s\": v8 roles name kinds in the plural: \"%s\"", kind, plural)
		: xasprintf("kind \"%s\" must be \"*\", a plural in lower case as in `kubectl "
			    "api-resources`, or one with its subresource (\"pods/eviction\", "
			    "\"pods/*\", \"*/scale\")",
		      kind));
}

/* Of v8. A kind's group may be left out only where there is no doubt. */
static void read_group(struct rule_reading *rule)
{
	const struct yaml_node *group = yaml_get(rule->node, "api_group");
	if (rule->version < 8 && rule->rule.resource != NULL) {
		if (group != NULL && strcmp(rule->rule.resource, "*") != 0)
			fail(rule, "api_group", xstrdup("api_group belongs to v8 roles"));
		return;
	}
	if (rule->rule.resource == NULL)
		return;
	bool is_any_kind = strcmp(rule->rule.resource, "*") == 0;
	if (group != NULL && group->kind != YAML_NODE_SCALAR) {
		fail(rule, "api_group", xstrdup("api_group must be a text"));
		return;
	}
	if (group != NULL && !yaml_is_null(group))
		rule->rule.group = xstrdup(group->text);
	else if (is_any_kind)
		rule->rule.group = xstrdup("*");
	else if (rule->kind != NULL && kind_find("", rule->kind->resource) != NULL)
		rule->rule.group = xstrdup("");
	else
		fail_key(rule, "api_group",
		    rule->kind != NULL
			? xasprintf("api_group is missing: %s is in \"%s\"", rule->rule.resource,
			      rule->kind->group)
			: xasprintf("api_group is missing: which has %s? (`kubectl api-resources`)",
			      rule->rule.resource));
	if (rule->kind != NULL && rule->rule.group != NULL && rule->rule.group[0] == '\0' &&
	    kind_find("", rule->kind->resource) == NULL)
		fail(rule, "api_group",
		    xasprintf(
			"api_group: %s is in \"%s\"", rule->kind->resource, rule->kind->group));
}

/* --- namespace and name ---------------------------------------------------------------------- */

static bool check_pattern(
    struct rule_reading *rule, const char *key, const char *text, const struct yaml_node *at)
{
	struct matcher matcher;
	char *error = NULL;
	if (matcher_init(&matcher, text, &error)) {
		matcher_free(&matcher);
		return true;
	}
	reading_fail(
	    rule->reading, at != NULL ? at : rule->node, "%s \"%s\": %s", key, text, error);
	free(error);
	return false;
}

/* "" when it is absent. */
static void read_pattern(struct rule_reading *rule, const char *key, struct source_text *to)
{
	const struct yaml_node *value = yaml_get(rule->node, key);
	if (value == NULL || yaml_is_null(value)) {
		to->text = xstrdup("");
		return;
	}
	if (value->kind != YAML_NODE_SCALAR) {
		fail(rule, key, xasprintf("%s must be a text", key));
		return;
	}
	if (source_text_read(rule->reading, value, key, to) && to->template == NULL &&
	    !check_pattern(rule, key, to->text, value))
		return;
}

static void check_place(struct rule_reading *rule)
{
	const struct source_text *namespace = &rule->rule.namespace;
	const char *resource = rule->rule.resource;
	if (namespace->text == NULL || resource == NULL)
		return;
	rule->rule.is_cluster_wide = rule->kind != NULL && rule->kind->is_cluster_wide;
	bool is_empty = namespace->text[0] == '\0';
	bool is_any = strcmp(namespace->text, "*") == 0;
	if (rule->kind != NULL && rule->kind->is_cluster_wide && !is_empty && !is_any)
		fail(rule, "namespace",
		    xasprintf("namespace: %s stand in no namespace: leave it out, or \"*\"",
			rule->kind->resource));
	bool must_have = rule->version < 8 ? rule->kind == NULL || !rule->kind->is_cluster_wide
					   : rule->kind != NULL && !rule->kind->is_cluster_wide;
	if (is_empty && must_have)
		fail_key(rule, "namespace", xstrdup("namespace is missing: \"*\" for all"));
	/* Where it is not known whether they stand in namespaces, none is denied in all. */
	bool is_unknown = rule->kind == NULL && strcmp(resource, "*") != 0;
	bool is_everywhere = rule->kind != NULL ? rule->kind->is_cluster_wide
						: is_unknown && !rule->is_allow && !must_have;
	if (is_empty && is_everywhere) {
		free(rule->rule.namespace.text);
		rule->rule.namespace.text = xstrdup("*");
	}
}

/* --- commands -------------------------------------------------------------------------------- */

static void on_command(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct rule_reading *rule = arg;
	(void)reading;
	if (value->text[0] == '\0')
		reading_fail(rule->reading, value, "commands: a command is empty");
	else if (template_is_one(value->text))
		reading_fail(rule->reading, value, "commands have no templates");
	else if (check_pattern(rule, "commands", value->text, value))
		texts_add(&rule->rule.commands, value->text);
}

static void read_commands(struct rule_reading *rule)
{
	const struct yaml_node *commands = yaml_get(rule->node, "commands");
	if (commands == NULL)
		return;
	const char *subresource = rule->rule.subresource;
	bool has_exec = (rule->rule.verbs & VERB_EXEC) != 0 ||
			(subresource != NULL && strcmp(subresource, "exec") == 0);
	if (!rule->is_allow) {
		fail_key(rule, "commands",
		    xstrdup("commands belongs into allow: what is denied by the look of a command "
			    "is done by another"));
		return;
	}
	if (!has_exec) {
		fail_key(rule, "commands", xstrdup("commands goes with the verb exec"));
		return;
	}
	size_t findings = rule->reading->findings->len;
	reading_each(rule->reading, rule->node, "commands", on_command, rule);
	if (rule->rule.commands.count == 0 && rule->reading->findings->len == findings)
		fail_key(rule, "commands", xstrdup("commands is empty: which may be run?"));
}

/* --- the list -------------------------------------------------------------------------------- */

static void add_rule(struct source_side *to, struct source_rule rule)
{
	to->rules = xreallocarray(to->rules, to->rule_count + 1, sizeof *to->rules);
	to->rules[to->rule_count++] = rule;
}

/* v7: a rule for a namespace is about all that is in it, too. */
static void add_inside(struct source_side *to, const struct source_rule *of, const char *text)
{
	struct source_rule inside = {
	    .verbs = of->verbs == VERBS_USUAL ? VERBS_ALL : of->verbs,
	    .is_everything = of->verbs == VERBS_USUAL,
	    .resource = xstrdup("*"),
	    .group = xstrdup("*"),
	    .name = {xstrdup("*"), NULL},
	    .namespace = {xstrdup(text), NULL},
	    .index = of->index,
	};
	char *error = NULL;
	if (template_is_one(text))
		inside.namespace.template = template_parse(text, &error);
	add_rule(to, inside);
}

/* Up to v6 Teleport knew pods alone, so that all pods is everything it restricts. */
static void widen_old(struct source_rule *rule)
{
	if (strcmp(rule->name.text, "*") != 0 || strcmp(rule->namespace.text, "*") != 0 ||
	    rule->verbs != VERBS_USUAL)
		return;
	free(rule->resource);
	free(rule->group);
	rule->resource = xstrdup("*");
	rule->group = xstrdup("*");
	rule->verbs = VERBS_ALL;
	rule->is_everything = true;
}

static void read_rule(struct reading *reading, const struct yaml_node *node, size_t index,
    bool is_allow, unsigned version, struct source_side *to)
{
	size_t findings = reading->findings->len;
	struct rule_reading rule = {reading, node, is_allow, version, NULL, {.index = index}};
	if (node->kind != YAML_NODE_MAP) {
		reading_fail(reading, node,
		    "a rule of kubernetes_resources must be a map: kind, api_group, namespace, "
		    "name, verbs");
		return;
	}
	reading_check_keys(reading, node, rule_keys, NULL);
	read_kind(&rule);
	read_group(&rule);
	read_pattern(&rule, "namespace", &rule.rule.namespace);
	read_pattern(&rule, "name", &rule.rule.name);
	check_place(&rule);
	if (rule.rule.name.text != NULL && rule.rule.name.text[0] == '\0')
		fail_key(&rule, "name", xstrdup("name is missing: \"*\" for all"));
	if (rule.rule.group != NULL)
		(void)check_pattern(
		    &rule, "api_group", rule.rule.group, yaml_get(node, "api_group"));
	read_verbs(&rule);
	read_commands(&rule);
	bool is_sound = reading->findings->len == findings;
	if (is_sound && is_allow && version <= 6)
		widen_old(&rule.rule);
	add_rule(to, rule.rule);
	bool is_namespace =
	    version == 7 && rule.kind != NULL && strcmp(rule.kind->resource, "namespaces") == 0;
	if (is_sound && is_namespace)
		add_inside(to, &rule.rule, rule.rule.name.text);
}

void resource_rules_read(struct reading *reading, const struct yaml_node *side, bool is_allow,
    unsigned version, struct source_side *to)
{
	const struct yaml_node *rules = yaml_get(side, "kubernetes_resources");
	if (rules == NULL)
		return;
	bool is_empty = yaml_is_null(rules) || (rules->kind == YAML_NODE_LIST && rules->count == 0);
	if (is_empty && is_allow)
		reading_fail(reading, rules,
		    "kubernetes_resources is empty, and without a rule a role is about everything: "
		    "write the rules, or leave the key out");
	if (is_empty)
		return;
	if (rules->kind != YAML_NODE_LIST) {
		reading_fail(reading, rules, "kubernetes_resources must be a list");
		return;
	}
	for (size_t i = 0; i < rules->count; i++)
		read_rule(reading, rules->items[i], i, is_allow, version, to);
	if (is_allow && version <= 6 && rules->count > 0)
		add_rule(to, (struct source_rule){
				 .verbs = VERBS_ALL,
				 .scope = RULE_OF_ALL_BUT_PODS,
				 .resource = xstrdup("*"),
				 .group = xstrdup("*"),
				 .namespace = {xstrdup("*"), NULL},
				 .name = {xstrdup("*"), NULL},
			     });
}

void source_rules_free(struct source_side *side)
{
	for (size_t i = 0; i < side->rule_count; i++) {
		struct source_rule *rule = &side->rules[i];
		free(rule->resource);
		free(rule->subresource);
		free(rule->group);
		free(rule->namespace.text);
		template_free(&rule->namespace.template);
		free(rule->name.text);
		template_free(&rule->name.template);
		texts_free(&rule->commands);
	}
	free(side->rules);
}
