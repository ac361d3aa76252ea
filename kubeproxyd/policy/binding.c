/* role_binding documents (design.md 4.5). The groups of a certificate only select roles here; they
 * never reach a cluster. Called by policy.c. */
#include "kubeproxyd/policy/binding.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/role.h"

static const char *const root_keys[] = {"kind", "version", "metadata", "spec", NULL};
static const char *const spec_keys[] = {"roles", "users", "groups", NULL};

struct roles_reading {
	struct texts *roles;
	const char *const *known;
};

static void on_role(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct roles_reading *roles = arg;
	if (text_is_one_of(value->text, roles->known)) {
		if (!texts_has(roles->roles, value->text))
			texts_add(roles->roles, value->text);
		return;
	}
	const char *nearest = reading_nearest(value->text, roles->known);
	if (nearest != NULL)
		reading_fail(reading, value, "there is no role \"%s\": did you mean \"%s\"?",
		    value->text, nearest);
	else
		reading_fail(
		    reading, value, "there is no role \"%s\" in the roles directory", value->text);
}

static void on_pattern(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct patterns *patterns = arg;
	char *error = NULL;
	if (value->text[0] == '\0') {
		reading_fail(reading, value, "a user or group is empty");
		return;
	}
	if (strstr(value->text, "{{") != NULL) {
		reading_fail(reading, value, "\"%s\": a binding has no templates", value->text);
		return;
	}
	struct pattern *pattern = pattern_new_strict(value->text, &error);
	if (pattern == NULL) {
		reading_fail(reading, value, "\"%s\": %s", value->text, error);
		free(error);
		return;
	}
	patterns->items =
	    xreallocarray(patterns->items, patterns->count + 1, sizeof(struct pattern *));
	patterns->items[patterns->count++] = pattern;
}

static void read_spec(struct reading *reading, const struct yaml_node *spec,
    const char *const *known_roles, struct binding *binding)
{
	size_t findings = reading->findings->len;
	struct roles_reading roles = {&binding->roles, known_roles};
	reading_check_keys(reading, spec, spec_keys, NULL);
	reading_each(reading, spec, "roles", on_role, &roles);
	reading_each(reading, spec, "users", on_pattern, &binding->users);
	reading_each(reading, spec, "groups", on_pattern, &binding->groups);
	if (reading->findings->len != findings)
		return;
	if (binding->roles.count == 0)
		reading_fail(reading, spec, "roles is missing: the binding gives nothing");
	if (binding->users.count + binding->groups.count == 0)
		reading_fail(
		    reading, spec, "users and groups are missing: the binding is for nobody");
}

struct binding *binding_read(
    struct reading *reading, const struct yaml_node *root, const char *const *known_roles)
{
	size_t findings = reading->findings->len;
	struct binding *binding = xcalloc(1, sizeof *binding);
	reading_check_keys(reading, root, root_keys, NULL);
	const char *version = reading_text(reading, root, "version", true);
	if (version != NULL && strcmp(version, "v1") != 0)
		reading_fail(reading, yaml_get(root, "version"),
		    "version \"%s\" of a role_binding is not known: v1 is", version);
	binding->name = xstrdup_or_null(role_read_name(reading, root));
	binding->place = xasprintf("%s:%u", reading->document->file, root->line);
	const struct yaml_node *spec = reading_map(reading, root, "spec");
	if (spec != NULL)
		read_spec(reading, spec, known_roles, binding);
	else
		reading_fail_key(
		    reading, root, "spec", "spec is missing: it says who gets which roles");
	if (reading->findings->len != findings)
		binding_free(&binding);
	return binding;
}

static void free_patterns(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		pattern_free(&patterns->items[i]);
	free(patterns->items);
}

void binding_free(struct binding **binding)
{
	struct binding *old = *binding;
	*binding = NULL;
	if (old == NULL)
		return;
	texts_free(&old->roles);
	free_patterns(&old->users);
	free_patterns(&old->groups);
	free(old->name);
	free(old->place);
	free(old);
}

static bool matches(const struct patterns *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->count; i++) {
		if (pattern_match(patterns->items[i], text))
			return true;
	}
	return false;
}

bool binding_is_for(const struct binding *binding, const struct identity *identity)
{
	if (matches(&binding->users, identity->user))
		return true;
	for (size_t i = 0; i < identity->group_count; i++) {
		if (matches(&binding->groups, identity->groups[i]))
			return true;
	}
	return false;
}
