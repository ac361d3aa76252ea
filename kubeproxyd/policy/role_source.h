/* A role as it is written: read and checked, with its templates not yet filled in. role_compile()
 * makes the role of it for somebody. */
#ifndef EKSGATE_ROLE_SOURCE_H
#define EKSGATE_ROLE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/policy/document.h"
#include "kubeproxyd/policy/options.h"
#include "kubeproxyd/policy/resource_rule.h"

struct expression;
struct impersonation;
struct role;
struct subject;
struct template;

/* A text, or a template (then `text` is how it is written). */
struct source_text {
	char *text;
	struct template *template;
};

struct source_texts {
	struct source_text *items;
	size_t count;
};

struct source_label {
	char *key;
	struct source_texts values;
};

struct source_rule {
	uint32_t verbs;
	enum rule_scope scope;
	bool is_everything, is_cluster_wide;
	char *resource, *subresource, *group; /* patterns */
	struct source_text namespace, name;
	struct texts commands; /* patterns */
	size_t index; /* in the document */
};

/* spec.allow or spec.deny. */
struct source_side {
	struct source_label *labels;
	size_t label_count;
	struct expression *expression; /* kubernetes_labels_expression, or NULL */
	struct source_texts groups, users;
	struct impersonation *impersonation; /* or NULL */
	struct source_rule *rules;
	size_t rule_count;
};

struct role_source {
	char *name;
	char *place; /* "FILE:LINE" of the document, for messages */
	struct source_side allow, deny;
	struct role_options options;
	bool has_templates; /* the role is another for each user */
	char *proxy_group; /* no template gives it; or NULL */
};

/* Reads a document of kind role, versions v3 to v8. NULL when it has findings. */
struct role_source *role_read(struct reading *reading, const struct yaml_node *root) MUST_USE;
void role_source_free(struct role_source **source);
/* Adds what its rules name. */
void role_source_learn(const struct role_source *source, struct vocabulary *vocabulary);
/* `subject` may be NULL when there are no templates. The role borrows from the source. */
struct role *role_compile(const struct role_source *source, const struct vocabulary *vocabulary,
    const struct subject *subject) MUST_USE;

/* The text of a value as a template or as it is; false with a finding. */
bool source_text_read(struct reading *reading, const struct yaml_node *value, const char *what,
    struct source_text *text);
void source_texts_add(struct source_texts *texts, struct source_text text);

/* kubernetes_resources of a side; `version` 3 to 8. */
void resource_rules_read(struct reading *reading, const struct yaml_node *side, bool is_allow,
    unsigned version, struct source_side *to);
void source_rules_free(struct source_side *side);

#endif
