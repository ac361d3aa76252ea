/* Rules against requests (reference teleport.md 3.6, kube.md 2.5). In allow, a rule for a kind is
 * about its objects, with status and logs, and verbs exec and portforward about sessions into them;
 * every other subresource is a right of its own that a rule must name, or be the rule for every
 * kind and verb. In deny, a rule for a kind is about all of it. Called by decide.c. */
#include "kubeproxyd/policy/resource_rule.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/kinds.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/verbs.h"

/* --- the request ----------------------------------------------------------------------------- */

#define READS (VERB_GET | VERB_LIST | VERB_WATCH)

/* What the subresource makes of the verb. */
static void read_subresource(struct wanted *wanted, const struct request_info *request)
{
	const uint32_t verb = wanted->verb;
	const char *subresource = request->subresource;
	wanted->on_subresource = verb_bit(request_info_access_verb(request));
	if (text_is(subresource, "exec") || text_is(subresource, "attach")) {
		wanted->is_session = true;
		wanted->on_object = VERB_EXEC;
	} else if (text_is(subresource, "portforward")) {
		wanted->on_object = VERB_PORTFORWARD;
	} else if (!text_is(subresource, "status") && !text_is(subresource, "log")) {
		wanted->on_object = 0;
	}
	wanted->on_denial = wanted->on_object != 0 ? wanted->on_object : verb;
	/* The answer is the whole object, whose rest is left as it was. */
	if (verb == VERB_UPDATE)
		wanted->on_denial |= VERB_GET;
	if (text_is(subresource, "eviction"))
		wanted->on_denial |= VERB_DELETE;
	/* Both can run commands. */
	if (text_is(subresource, "ephemeralcontainers") ||
	    (text_is(subresource, "proxy") && text_is(request->resource, "nodes")))
		wanted->on_denial |= VERB_EXEC;
}

static void read_verbs(struct wanted *wanted, const struct request_info *request)
{
	wanted->verb = verb_bit(request->verb);
	wanted->on_object = wanted->on_subresource = wanted->on_denial = wanted->verb;
	if (wanted->has_subresource)
		read_subresource(wanted, request);
	wanted->on_any = wanted->on_object | wanted->on_subresource | wanted->on_denial;
}

static void read_place(struct wanted *wanted, const struct request_info *request, bool is_namespace)
{
	wanted->is_of_namespace = is_namespace;
	wanted->reads_namespaces =
	    is_namespace && !wanted->has_subresource && (wanted->on_object & READS) != 0;
	wanted->namespace = word_of(is_namespace ? "" : request->namespace);
	if (wanted->namespace.text[0] != '\0') {
		wanted->is_namespaced = wanted->is_in_namespace = true;
		return;
	}
	const struct kind *kind = kind_find(request->api_group, request->resource);
	bool has_many = text_is(request->verb, "list") || text_is(request->verb, "watch") ||
			text_is(request->verb, "deletecollection") || wanted->is_sweeping;
	wanted->is_cluster_wide = kind != NULL && kind->is_cluster_wide;
	wanted->is_namespaced = kind != NULL && !kind->is_cluster_wide;
	wanted->is_across = !wanted->is_cluster_wide && (wanted->is_namespaced || has_many);
}

/* Behind ".../proxy" the name is "NAME", "NAME:PORT" or "SCHEME:NAME:PORT" (utilnet
 * SplitSchemeNamePort), and rules are about what is called NAME. */
static void read_address(
    struct wanted *wanted, const struct request_info *request, char room[WANTED_NAME_ROOM])
{
	static const char *const served[] = {"pods", "services", "nodes"};
	const char *first = strchr(request->name, ':');
	const char *second = first != NULL ? strchr(first + 1, ':') : NULL;
	const char *name = second != NULL ? first + 1 : request->name;
	size_t len = first != NULL ? (size_t)((second != NULL ? second : first) - name) : 0;
	bool is_served = false;
	for (size_t i = 0; i < sizeof served / sizeof served[0]; i++)
		is_served |= text_is(request->resource, served[i]);
	if (!is_served || len == 0 || len >= WANTED_NAME_ROOM || request->api_group[0] != '\0' ||
	    !text_is(request->subresource, "proxy"))
		return;
	memcpy(room, name, len);
	room[len] = '\0';
	wanted->name = word_of(room);
}

static bool has_star(const struct request_info *request)
{
	return text_is(request->verb, "*") || text_is(request->resource, "*") ||
	       text_is(request->api_group, "*") || text_is(request->subresource, "*");
}

void wanted_init(struct wanted *wanted, const struct vocabulary *vocabulary,
    const struct request_info *request, char room[WANTED_NAME_ROOM])
{
	bool is_core = request->api_group[0] == '\0';
	struct word name = word_of(request->name);
	*wanted = (struct wanted){
	    .resource = vocabulary_find(vocabulary, request->resource),
	    .group = vocabulary_find(vocabulary, request->api_group),
	    .group_word = word_of(request->api_group),
	    .has_subresource = request->subresource[0] != '\0',
	    .name = name,
	    .address = name,
	    .is_pod = is_core && text_is(request->resource, "pods"),
	    .is_kubelet = is_core && text_is(request->resource, "nodes") &&
			  text_is(request->subresource, "proxy"),
	    .is_sweeping = has_star(request),
	    .is_of_any_verb = text_is(request->verb, "*"),
	    .is_of_any_kind = text_is(request->resource, "*"),
	    .is_of_any_group = text_is(request->api_group, "*"),
	};
	if (wanted->has_subresource)
		wanted->subresource = vocabulary_find(vocabulary, request->subresource);
	read_verbs(wanted, request);
	if (wanted->has_subresource)
		read_address(wanted, request, room);
	read_place(wanted, request, is_core && text_is(request->resource, "namespaces"));
	wanted->has_command = request->command != NULL && request->is_command_plain;
	if (wanted->has_command)
		wanted->command = word_of(request->command);
}

struct rule_key resource_rule_key(const struct resource_rule *rule)
{
	struct rule_key key = {.verbs = rule->verbs, .resource = rule->resource};
	if (rule->namespaces.count == 1 && rule->namespaces.items[0].kind == MATCHER_TEXT)
		key.namespace_hash = rule->namespaces.items[0].hash;
	return key;
}

enum side { SIDE_ALLOW, SIDE_DENY };

/* --- the rule -------------------------------------------------------------------------------- */

bool matchers_take(const struct matchers *matchers, const struct word *word)
{
	for (size_t i = 0; i < matchers->count; i++) {
		if (matcher_takes(&matchers->items[i], word))
			return true;
	}
	return false;
}

static bool is_of_kind(const struct resource_rule *rule, const struct wanted *wanted)
{
	return (rule->resource == wanted->resource || rule->resource == RULE_ANY) &&
	       (rule->group == wanted->group || rule->group == RULE_ANY ||
		   (rule->group == RULE_PATTERN &&
		       matcher_takes(&rule->group_pattern, &wanted->group_word)));
}

static bool is_of_subresource(const struct resource_rule *rule, const struct wanted *wanted)
{
	return (rule->verbs & wanted->on_subresource) != 0 && wanted->has_subresource &&
	       (rule->subresource == wanted->subresource || rule->subresource == RULE_ANY);
}

static bool takes_command(const struct resource_rule *rule, const struct wanted *wanted)
{
	return !rule->has_commands || !wanted->is_session ||
	       (wanted->has_command && matchers_take(&rule->commands, &wanted->command));
}

static enum coverage covers_namespace(const struct resource_rule *rule, const struct wanted *wanted)
{
	if (rule->namespaces.is_any)
		return COVERS_ALL;
	bool is_taken = matchers_take(&rule->namespaces, &wanted->namespace);
	if (wanted->namespace.text[0] != '\0' || wanted->is_cluster_wide)
		return is_taken ? COVERS_ALL : COVERS_NONE;
	if (wanted->is_across)
		return rule->namespaces.count > 0 ? COVERS_PART : COVERS_NONE;
	return is_taken ? COVERS_ALL : COVERS_NONE;
}

/* What a proxy subresource is asked by, scheme and port, may not take the place of the name:
 * "http*" does not allow http:vault:8200, unless the rule spells addresses itself; and what is
 * denied is denied by any address. */
static bool takes_name(const struct matcher *matcher, const struct wanted *wanted, enum side side)
{
	bool takes_address = matcher_takes(matcher, &wanted->address);
	if (wanted->address.text == wanted->name.text)
		return takes_address;
	bool takes_object = matcher_takes(matcher, &wanted->name);
	if (side == SIDE_DENY)
		return takes_address || takes_object;
	return takes_address && (takes_object || strchr(matcher_text(matcher), ':') != NULL);
}

static enum coverage covers_name(
    const struct resource_rule *rule, const struct wanted *wanted, enum side side)
{
	if (rule->names.is_any)
		return COVERS_ALL;
	if (wanted->name.text[0] == '\0')
		return rule->names.count > 0 ? COVERS_PART : COVERS_NONE;
	for (size_t i = 0; i < rule->names.count; i++) {
		if (takes_name(&rule->names.items[i], wanted, side))
			return COVERS_ALL;
	}
	return COVERS_NONE;
}

static enum coverage covers_objects(
    const struct resource_rule *rule, const struct wanted *wanted, enum side side)
{
	enum coverage namespace = covers_namespace(rule, wanted);
	enum coverage name =
	    namespace != COVERS_NONE ? covers_name(rule, wanted, side) : COVERS_NONE;
	return name < namespace ? name : namespace;
}

enum coverage resource_rule_allows(const struct resource_rule *rule, const struct wanted *wanted)
{
	if ((rule->verbs & (wanted->on_object | wanted->on_subresource)) == 0 ||
	    !is_of_kind(rule, wanted))
		return COVERS_NONE;
	bool is_covered = false;
	switch (rule->scope) {
	case RULE_OF_OBJECTS:
		is_covered = rule->is_everything || (rule->verbs & wanted->on_object) != 0;
		break;
	case RULE_OF_SUBRESOURCES:
		is_covered = is_of_subresource(rule, wanted);
		break;
	case RULE_OF_ALL_BUT_PODS:
		is_covered = !wanted->is_pod && !wanted->is_kubelet;
		break;
	}
	return is_covered && takes_command(rule, wanted) ? covers_objects(rule, wanted, SIDE_ALLOW)
							 : COVERS_NONE;
}

/* "May I do anything with everything?" is no when any part of it is denied. */
static bool is_in_sweep(const struct resource_rule *rule, const struct wanted *wanted)
{
	bool is_of_verb = wanted->is_of_any_verb ||
			  (rule->verbs & (wanted->on_denial | wanted->on_subresource)) != 0;
	bool is_of_resource = wanted->is_of_any_kind || rule->resource == wanted->resource ||
			      rule->resource == RULE_ANY;
	bool is_of_group = wanted->is_of_any_group || rule->group == wanted->group ||
			   rule->group == RULE_ANY ||
			   (rule->group == RULE_PATTERN &&
			       matcher_takes(&rule->group_pattern, &wanted->group_word));
	/* "*" means subresources, too; the name of a kind does not. */
	bool is_of_part = rule->scope != RULE_OF_SUBRESOURCES || wanted->is_of_any_kind ||
			  wanted->has_subresource;
	return is_of_verb && is_of_resource && is_of_group && is_of_part;
}

enum coverage resource_rule_denies(const struct resource_rule *rule, const struct wanted *wanted)
{
	/* Which pods a kubelet is asked about stands in what is opaque here. */
	if (wanted->is_kubelet && rule->is_about_pods)
		return COVERS_ALL;
	if (wanted->is_sweeping)
		return is_in_sweep(rule, wanted) &&
			       covers_objects(rule, wanted, SIDE_DENY) != COVERS_NONE
			   ? COVERS_PART
			   : COVERS_NONE;
	if (!is_of_kind(rule, wanted))
		return COVERS_NONE;
	bool is_covered = rule->scope == RULE_OF_SUBRESOURCES
			      ? is_of_subresource(rule, wanted)
			      : (rule->verbs & wanted->on_denial) != 0;
	return is_covered ? covers_objects(rule, wanted, SIDE_DENY) : COVERS_NONE;
}

bool resource_rule_has_object(const struct resource_rule *rule, const struct wanted *wanted,
    const struct word *namespace, const struct word *name)
{
	bool is_in =
	    wanted->is_cluster_wide
		? rule->namespaces.is_any || matchers_take(&rule->namespaces, &wanted->namespace)
		: matchers_take(&rule->namespaces, namespace);
	return is_in && matchers_take(&rule->names, name);
}

static bool are_same(const struct matchers *a, const struct matchers *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].kind != b->items[i].kind ||
		    strcmp(matcher_text(&a->items[i]), matcher_text(&b->items[i])) != 0)
			return false;
	}
	return true;
}

/* Kinds are numbers of one vocabulary, which another policy has not: what matters of them is that
 * both cover the request at hand. */
bool resource_rule_has_same_objects(
    const struct resource_rule *rule, const struct resource_rule *other)
{
	return rule->is_cluster_wide == other->is_cluster_wide &&
	       are_same(&rule->namespaces, &other->namespaces) &&
	       are_same(&rule->names, &other->names);
}

enum coverage resource_rule_shows_namespace(
    const struct resource_rule *rule, const struct wanted *wanted)
{
	if (rule->is_cluster_wide || rule->namespaces.count == 0)
		return COVERS_NONE;
	if (rule->namespaces.is_any)
		return COVERS_ALL;
	if (wanted->name.text[0] != '\0')
		return matchers_take(&rule->namespaces, &wanted->name) ? COVERS_ALL : COVERS_NONE;
	bool is_nowhere = rule->namespaces.count == 1 &&
			  strcmp(matcher_text(&rule->namespaces.items[0]), "") == 0;
	return is_nowhere ? COVERS_NONE : COVERS_PART;
}

enum coverage resource_rule_guards_namespace(
    const struct resource_rule *rule, const struct wanted *wanted)
{
	bool is_of_all = rule->scope == RULE_OF_OBJECTS && rule->resource == RULE_ANY &&
			 rule->group == RULE_ANY && rule->names.is_any;
	uint32_t changes =
	    (wanted->is_of_any_verb ? VERBS_ALL : wanted->on_denial) & ~(uint32_t)READS;
	bool is_denied = rule->is_everything || (rule->verbs & changes) != 0;
	return is_of_all && is_denied ? resource_rule_shows_namespace(rule, wanted) : COVERS_NONE;
}

/* --- lifetime -------------------------------------------------------------------------------- */

void matchers_add(struct matchers *matchers, struct matcher matcher)
{
	matchers->items =
	    xreallocarray(matchers->items, matchers->count + 1, sizeof *matchers->items);
	matchers->items[matchers->count++] = matcher;
	matchers->is_any |= matcher.kind == MATCHER_ANY;
}

void matchers_free(struct matchers *matchers)
{
	for (size_t i = 0; i < matchers->count; i++)
		matcher_free(&matchers->items[i]);
	free(matchers->items);
	*matchers = (struct matchers){0};
}

void resource_rule_clear(struct resource_rule *rule)
{
	matcher_free(&rule->group_pattern);
	matchers_free(&rule->namespaces);
	matchers_free(&rule->names);
	matchers_free(&rule->commands);
	free(rule->place);
	*rule = (struct resource_rule){0};
}
