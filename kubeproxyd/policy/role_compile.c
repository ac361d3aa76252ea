/* From a role as it is written to one that somebody holds. Without templates that happens once per
 * policy, with them once per user: a decision sees nothing of either. Called by policy.c and
 * grants.c. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/expression.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/role.h"
#include "kubeproxyd/policy/role_source.h"
#include "kubeproxyd/policy/template.h"
#include "kubeproxyd/policy/verbs.h"

/* The role and its vocabulary that rules are compiled with, for whom. */
struct compiling {
	const struct role_source *source;
	const struct vocabulary *vocabulary;
	const struct subject *subject;
};

/* --- names ----------------------------------------------------------------------------------- */

struct filling {
	const char *proxy_group; /* or NULL */
	struct texts *names;
};

/* What is denied may be a name of Kubernetes' own. */
static void on_denied_name(void *arg, const char *text, bool is_pattern)
{
	const struct filling *filling = arg;
	if (!is_pattern && strcmp(text, "*") != 0 && !texts_has(filling->names, text))
		texts_add(filling->names, text);
}

static void add_claimed_name(struct texts *names, const char *text)
{
	if (principal_refuse(text, strlen(text)) == NULL && !principal_is_reserved(text) &&
	    strcmp(text, "*") != 0 && !texts_has(names, text))
		texts_add(names, text);
}

/* From a claim comes nothing of Kubernetes', EKS's or our own, and nothing that could be no name.
 */
static void on_name(void *arg, const char *text, bool is_pattern)
{
	const struct filling *filling = arg;
	bool is_proxys = filling->proxy_group != NULL && strcmp(text, filling->proxy_group) == 0;
	if (!is_pattern && !is_proxys)
		add_claimed_name(filling->names, text);
}

static void compile_names(const struct compiling *with, const struct source_texts *from,
    template_fn *fn, struct texts *to)
{
	struct filling filling = {with->source->proxy_group, to};
	for (size_t i = 0; i < from->count; i++) {
		if (from->items[i].template != NULL)
			template_expand(from->items[i].template, with->subject, fn, &filling);
		else if (!texts_has(to, from->items[i].text))
			texts_add(to, from->items[i].text);
	}
}

/* --- labels ---------------------------------------------------------------------------------- */

struct label_values {
	struct selector *selector;
	const char *key;
};

static void on_label(void *arg, const char *text, bool is_pattern)
{
	struct label_values *label = arg;
	char *error = NULL;
	if (!is_pattern)
		selector_add_text(label->selector, label->key, text);
	else if (!selector_add(label->selector, label->key, text, &error))
		free(error);
}

/* A key whose templates give nothing is there all the same, and nothing satisfies it. */
static struct selector *compile_labels(
    const struct source_side *from, const struct subject *subject)
{
	struct selector *selector = selector_new();
	for (size_t i = 0; i < from->label_count; i++) {
		const struct source_label *label = &from->labels[i];
		struct label_values values = {selector, label->key};
		selector_require(selector, label->key);
		for (size_t j = 0; j < label->values.count; j++) {
			const struct source_text *value = &label->values.items[j];
			if (value->template != NULL)
				template_expand(value->template, subject, on_label, &values);
			else
				on_label(&values, value->text, true);
		}
	}
	return selector;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* What was checked while it was read. */
static void add_pattern(struct matchers *matchers, const char *text)
{
	struct matcher matcher;
	char *error = NULL;
	if (matcher_init(&matcher, text, &error))
		matchers_add(matchers, matcher);
	free(error);
}

static void on_pattern(void *arg, const char *text, bool is_pattern)
{
	struct matchers *matchers = arg;
	struct matcher matcher;
	if (is_pattern) {
		add_pattern(matchers, text);
		return;
	}
	matcher_init_text(&matcher, text);
	matchers_add(matchers, matcher);
}

static void compile_pattern(
    const struct source_text *from, const struct subject *subject, struct matchers *to)
{
	if (from->template != NULL)
		template_expand(from->template, subject, on_pattern, to);
	else
		add_pattern(to, from->text);
}

static uint32_t number_of(const char *text, const struct vocabulary *vocabulary)
{
	if (text == NULL || strcmp(text, "*") == 0)
		return RULE_ANY;
	return vocabulary_find(vocabulary, text);
}

static void compile_group(
    const char *text, const struct vocabulary *vocabulary, struct resource_rule *rule)
{
	char *error = NULL;
	rule->group = number_of(text, vocabulary);
	if (rule->group == RULE_ANY || (strchr(text, '*') == NULL && text[0] != '^'))
		return;
	rule->group = RULE_PATTERN;
	if (!matcher_init(&rule->group_pattern, text, &error))
		matcher_init_text(&rule->group_pattern, text);
	free(error);
}

/* Whether it takes away from somebody what a kubelet gives of pods: their contents, their logs, a
 * way into them. */
static bool is_about_pods(const struct source_rule *from, const struct resource_rule *rule)
{
	static const char *const sessions[] = {"exec", "attach", "portforward", "*"};
	const struct word core = word_of("");
	bool is_of_kind = strcmp(from->resource, "pods") == 0 || rule->resource == RULE_ANY;
	bool is_of_group =
	    from->group[0] == '\0' || rule->group == RULE_ANY ||
	    (rule->group == RULE_PATTERN && matcher_takes(&rule->group_pattern, &core));
	bool is_of_some = rule->namespaces.count > 0 && rule->names.count > 0;
	if (!is_of_kind || !is_of_group || !is_of_some || from->scope == RULE_OF_ALL_BUT_PODS)
		return false;
	if (from->scope == RULE_OF_OBJECTS)
		return (rule->verbs &
			   (VERB_GET | VERB_LIST | VERB_WATCH | VERB_EXEC | VERB_PORTFORWARD)) != 0;
	bool is_of_sessions = false;
	for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++)
		is_of_sessions |= strcmp(from->subresource, sessions[i]) == 0;
	return is_of_sessions && (rule->verbs & VERB_CREATE) != 0;
}

static struct resource_rule compile_rule(
    const struct compiling *with, const struct source_rule *from, const char *side)
{
	struct resource_rule rule = {
	    .verbs = from->verbs,
	    .scope = from->scope,
	    .is_everything = from->is_everything,
	    .is_cluster_wide = from->is_cluster_wide,
	    .resource = number_of(from->resource, with->vocabulary),
	    .subresource = number_of(from->subresource, with->vocabulary),
	    .has_commands = from->commands.count > 0,
	    .source = from,
	    .place = xasprintf(
		"role %s %s: kubernetes_resources[%zu]", with->source->name, side, from->index),
	};
	compile_group(from->group, with->vocabulary, &rule);
	compile_pattern(&from->namespace, with->subject, &rule.namespaces);
	compile_pattern(&from->name, with->subject, &rule.names);
	for (size_t i = 0; i < from->commands.count; i++)
		add_pattern(&rule.commands, from->commands.items[i]);
	rule.is_about_pods = is_about_pods(from, &rule);
	return rule;
}

static struct resource_rule everything(const char *role)
{
	struct resource_rule rule = {
	    .verbs = VERBS_ALL,
	    .is_everything = true,
	    .resource = RULE_ANY,
	    .subresource = RULE_ANY,
	    .group = RULE_ANY,
	    .place = xasprintf("role %s allow", role),
	};
	add_pattern(&rule.namespaces, "*");
	add_pattern(&rule.names, "*");
	return rule;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void compile_side(
    const struct compiling *with, const struct source_side *from, struct role_side *to)
{
	const struct role_source *source = with->source;
	bool is_allow = from == &source->allow;
	to->labels = compile_labels(from, with->subject);
	to->expression = from->expression;
	to->impersonation = from->impersonation;
	template_fn *fn = is_allow ? on_name : on_denied_name;
	compile_names(with, &from->groups, fn, &to->groups);
	compile_names(with, &from->users, fn, &to->users);
	to->lists_users = from->users.count > 0;
	to->rules = xcalloc(from->rule_count + 1, sizeof *to->rules);
	for (size_t i = 0; i < from->rule_count; i++)
		to->rules[to->rule_count++] =
		    compile_rule(with, &from->rules[i], is_allow ? "allow" : "deny");
	if (is_allow && from->rule_count == 0)
		to->rules[to->rule_count++] = everything(source->name);
	to->keys = xcalloc(to->rule_count + 1, sizeof *to->keys);
	for (size_t i = 0; i < to->rule_count; i++)
		to->keys[i] = resource_rule_key(&to->rules[i]);
}

struct role *role_compile(const struct role_source *source, const struct vocabulary *vocabulary,
    const struct subject *subject)
{
	struct role *role = xcalloc(1, sizeof *role);
	struct compiling with = {source, vocabulary, subject};
	role->name = source->name;
	role->place = source->place;
	role->text = xasprintf("role %s allow", source->name);
	compile_side(&with, &source->allow, &role->allow);
	compile_side(&with, &source->deny, &role->deny);
	role->denies_clusters =
	    !selector_is_empty(role->deny.labels) || role->deny.expression != NULL;
	role->denies_names = role->deny.users.count + role->deny.groups.count > 0;
	return role;
}

static void learn_side(const struct source_side *side, struct vocabulary *vocabulary)
{
	for (size_t i = 0; i < side->rule_count; i++) {
		const char *const texts[] = {
		    side->rules[i].resource, side->rules[i].subresource, side->rules[i].group};
		for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
			if (texts[j] != NULL)
				vocabulary_add(vocabulary, texts[j]);
		}
	}
}

void role_source_learn(const struct role_source *source, struct vocabulary *vocabulary)
{
	learn_side(&source->allow, vocabulary);
	learn_side(&source->deny, vocabulary);
}

static void free_side(struct role_side *side)
{
	selector_free(&side->labels);
	texts_free(&side->groups);
	texts_free(&side->users);
	for (size_t i = 0; i < side->rule_count; i++)
		resource_rule_clear(&side->rules[i]);
	free(side->rules);
	free(side->keys);
}

void role_free(struct role **role)
{
	struct role *old = *role;
	*role = NULL;
	if (old == NULL)
		return;
	free_side(&old->allow);
	free_side(&old->deny);
	free(old->text);
	free(old);
}

bool role_allows(
    const struct role *role, const struct subject *subject, const struct labels *cluster_labels)
{
	const struct role_side *allow = &role->allow;
	if (allow->expression == NULL)
		return selector_match(allow->labels, cluster_labels);
	if (!selector_is_empty(allow->labels) && !selector_match(allow->labels, cluster_labels))
		return false;
	return expression_holds(allow->expression, subject, cluster_labels);
}

bool role_denies(
    const struct role *role, const struct subject *subject, const struct labels *cluster_labels)
{
	const struct role_side *deny = &role->deny;
	if (!role->denies_clusters)
		return false;
	return selector_match(deny->labels, cluster_labels) ||
	       (deny->expression != NULL &&
		   expression_holds(deny->expression, subject, cluster_labels));
}
