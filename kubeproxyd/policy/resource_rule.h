/* One rule of kubernetes_resources, ready to be asked: which requests it covers, and whether all of
 * what they touch or some. Pure. */
#ifndef EKSGATE_RESOURCE_RULE_H
#define EKSGATE_RESOURCE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/policy/matcher.h"
#include "kubeproxyd/policy/vocabulary.h"

struct request_info;
struct source_rule;

/* Any of these; none: nothing. */
struct matchers {
	struct matcher *items;
	size_t count;
	bool is_any;
};

enum rule_scope {
	RULE_OF_OBJECTS, /* "pods": the objects, with their status and logs */
	RULE_OF_SUBRESOURCES, /* "pods/eviction", "*\/scale", "pods/ *" */
	RULE_OF_ALL_BUT_PODS, /* what roles up to v6 say nothing about */
};

#define RULE_ANY     UINT32_MAX
#define RULE_PATTERN (UINT32_MAX - 1)

struct resource_rule {
	uint32_t verbs;
	enum rule_scope scope;
	bool is_everything; /* every kind and every verb: rights of their own, too */
	/* Numbers of the vocabulary, or RULE_ANY. `group` is looked at when it is no pattern. */
	uint32_t resource, subresource, group;
	struct matcher group_pattern;
	struct matchers namespaces; /* "" is what stands in none */
	struct matchers names;
	struct matchers commands; /* of exec, words joined by spaces */
	bool has_commands; /* exec is limited to them */
	bool is_cluster_wide; /* of a kind that stands in no namespace: it makes none visible */
	bool is_about_pods; /* what it takes away of pods, a kubelet would give */
	const struct source_rule *source; /* as it is written; NULL: a role without rules */
	char *place; /* "kubernetes_resources[2]", for messages */
};

/* What decides about most rules at once, apart from them: small, and side by side. */
struct rule_key {
	uint32_t verbs, resource;
	uint64_t namespace_hash; /* of the one namespace that the rule names; 0: several, or a
				    pattern */
};

/* A request as rules see it. */
struct wanted {
	uint32_t verb; /* its own; 0: it is no resource */
	uint32_t on_object; /* what a rule of the kind's objects needs; 0: nothing but everything */
	uint32_t on_subresource; /* what a rule that names the subresource needs */
	uint32_t on_denial; /* what a denial of the kind's objects needs */
	uint32_t on_any; /* of the three */
	uint32_t resource, subresource, group; /* numbers of the vocabulary */
	bool has_subresource;
	struct word group_word, namespace, name;
	struct word address; /* of a proxy subresource: "https:web:443" as it stands, of which
				`name` is "web" */
	bool is_pod; /* or a part of one */
	bool is_cluster_wide; /* known to stand in no namespace */
	bool is_namespaced; /* known to stand in one */
	bool is_across; /* no namespace is named, and the answer may be from all of them */
	bool is_session; /* exec and attach */
	bool is_kubelet; /* nodes/proxy: whoever talks to a kubelet reaches the pods of its node */
	bool is_sweeping; /* a review of any ("*"), */
	bool is_of_any_kind, is_of_any_group, is_of_any_verb;
	bool is_in_namespace; /* it names the one that it is about */
	bool is_of_namespace; /* of namespaces themselves, or a subresource of one */
	bool reads_namespaces; /* get, list or watch of them */
	bool has_command;
	struct word command;
};

/* Longer names are none in Kubernetes. */
#define WANTED_NAME_ROOM 256

/* Borrows the request, and `room` for a name that is not the whole of the request's. */
void wanted_init(struct wanted *wanted, const struct vocabulary *vocabulary,
    const struct request_info *request, char room[WANTED_NAME_ROOM]);

/* The key of a rule. */
struct rule_key resource_rule_key(const struct resource_rule *rule);

/* False: the rule covers nothing of it, neither in allow nor in deny. */
static inline bool rule_key_may_cover(const struct rule_key *key, const struct wanted *wanted)
{
	bool is_of_kind = key->resource == wanted->resource || key->resource == RULE_ANY;
	bool is_there = key->namespace_hash == 0 || !wanted->is_in_namespace ||
			key->namespace_hash == wanted->namespace.hash;
	return (is_of_kind && is_there && (key->verbs & wanted->on_any) != 0) ||
	       wanted->is_of_namespace || wanted->is_kubelet || wanted->is_sweeping;
}

/* Of what a request touches. Ordered. */
enum coverage { COVERS_NONE, COVERS_PART, COVERS_ALL };

enum coverage resource_rule_allows(
    const struct resource_rule *rule, const struct wanted *wanted) MUST_USE;
enum coverage resource_rule_denies(
    const struct resource_rule *rule, const struct wanted *wanted) MUST_USE;
/* Whether a rule that covers a request covers one object of the answer. */
bool resource_rule_has_object(const struct resource_rule *rule, const struct wanted *wanted,
    const struct word *namespace, const struct word *name) MUST_USE;
/* Whether both are about the same kinds, namespaces and names, as they are written. */
bool resource_rule_has_same_objects(
    const struct resource_rule *rule, const struct resource_rule *other) MUST_USE;
/* A namespace is visible to whoever may do anything in it. */
enum coverage resource_rule_shows_namespace(
    const struct resource_rule *rule, const struct wanted *wanted) MUST_USE;
/* And in deny, to nobody to whom all that is in it is denied; nor is it deleted or changed by who
 * may not do so with all that is in it. */
enum coverage resource_rule_guards_namespace(
    const struct resource_rule *rule, const struct wanted *wanted) MUST_USE;

bool matchers_take(const struct matchers *matchers, const struct word *word) MUST_USE;
void matchers_add(struct matchers *matchers, struct matcher matcher);
void matchers_free(struct matchers *matchers);
void resource_rule_clear(struct resource_rule *rule);

#endif
