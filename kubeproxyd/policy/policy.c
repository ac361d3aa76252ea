/* Loads the roles directory: every document of every file is read, and all findings are told
 * together, before a policy exists; a reload keeps the old one when there are any. Called at start,
 * on SIGHUP and by `check`. */
#include "kubeproxyd/policy/policy.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/impersonation.h"
#include "kubeproxyd/policy/policy_set.h"

#define KIND_ROLE    "role"
#define KIND_BINDING "role_binding"

/* The documents of all files, while they are read. */
struct loading {
	struct yaml_document **documents;
	size_t count;
	const char *proxy_group;
	struct buf findings;
};

static void add_finding(struct loading *loading, const char *path, const char *what)
{
	buf_printf(
	    &loading->findings, "%s%s: %s", loading->findings.len > 0 ? "\n" : "", path, what);
}

/* --- files ----------------------------------------------------------------------------------- */

/* Takes the documents over, or the error that came in their place. */
static void add_documents(
    struct loading *loading, struct yaml_document **documents, size_t count, char *error)
{
	if (documents == NULL) {
		buf_printf(
		    &loading->findings, "%s%s", loading->findings.len > 0 ? "\n" : "", error);
		free(error);
		return;
	}
	loading->documents = xreallocarray(
	    loading->documents, loading->count + count + 1, sizeof(struct yaml_document *));
	for (size_t i = 0; i < count; i++)
		loading->documents[loading->count++] = documents[i];
	free(documents);
}

static void add_file(struct loading *loading, const char *path)
{
	size_t count = 0;
	char *error = NULL;
	struct yaml_document **documents = yaml_load_all(path, &count, &error);
	add_documents(loading, documents, count, error);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);
	return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

static int is_wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       (has_suffix(entry->d_name, ".yaml") || has_suffix(entry->d_name, ".yml"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_directory(struct loading *loading, const char *directory)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_wanted, by_name);
	if (count < 0 && errno != ENOENT)
		add_finding(loading, directory, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *path = xasprintf("%s/%s", directory, entries[i]->d_name);
		if (has_suffix(path, ".yaml"))
			add_file(loading, path);
		else
			add_finding(
			    loading, path, "only *.yaml is read here: rename it, or take it away");
		free(path);
		free(entries[i]);
	}
	free(entries);
}

/* --- documents ------------------------------------------------------------------------------- */

static const char *kind_of(const struct yaml_document *document)
{
	const struct yaml_node *kind =
	    document->root->kind == YAML_NODE_MAP ? yaml_get(document->root, "kind") : NULL;
	return kind != NULL && kind->kind == YAML_NODE_SCALAR ? kind->text : "";
}

static void check_kind(struct reading *reading)
{
	static const char *const kinds[] = {KIND_ROLE, KIND_BINDING, NULL};
	const struct yaml_node *root = reading->document->root;
	if (root->kind != YAML_NODE_MAP) {
		reading_fail(reading, root,
		    "a document must be a map that begins with \"kind: role\" or \"kind: "
		    "role_binding\"");
		return;
	}
	const char *kind = reading_text(reading, root, "kind", true);
	if (kind == NULL || strcmp(kind, KIND_ROLE) == 0 || strcmp(kind, KIND_BINDING) == 0)
		return;
	const char *nearest = reading_nearest(kind, kinds);
	reading_fail(reading, yaml_get(root, "kind"), "kind \"%s\" does not belong here%s%s%s",
	    kind, nearest != NULL ? ": did you mean \"" : ": role and role_binding do",
	    nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static struct role_source *find_role(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->role_count; i++) {
		if (strcmp(policy->sources[i]->name, name) == 0)
			return policy->sources[i];
	}
	return NULL;
}

static void add_role(struct policy *policy, struct reading *reading)
{
	struct role_source *role = role_read(reading, reading->document->root);
	if (role == NULL)
		return;
	const struct role_source *other = find_role(policy, role->name);
	if (other != NULL) {
		reading_fail(reading, reading->document->root,
		    "role \"%s\" is defined twice, first at %s", role->name, other->place);
		role_source_free(&role);
		return;
	}
	policy->sources =
	    xreallocarray(policy->sources, policy->role_count + 1, sizeof(struct role_source *));
	policy->sources[policy->role_count++] = role;
}

static void add_binding(struct policy *policy, struct reading *reading)
{
	struct binding *binding =
	    binding_read(reading, reading->document->root, policy->role_names);
	if (binding == NULL)
		return;
	for (size_t i = 0; i < policy->binding_count; i++) {
		if (strcmp(policy->bindings[i]->name, binding->name) != 0)
			continue;
		reading_fail(reading, reading->document->root,
		    "role_binding \"%s\" is defined twice, first at %s", binding->name,
		    policy->bindings[i]->place);
		binding_free(&binding);
		return;
	}
	policy->bindings =
	    xreallocarray(policy->bindings, policy->binding_count + 1, sizeof(struct binding *));
	policy->bindings[policy->binding_count++] = binding;
}

static int by_role_name(const void *a, const void *b)
{
	const struct role_source *const *left = a, *const *right = b;
	return strcmp((*left)->name, (*right)->name);
}

static void name_roles(struct policy *policy)
{
	if (policy->role_count > 0)
		qsort(policy->sources, policy->role_count, sizeof(struct role_source *),
		    by_role_name);
	policy->role_names = xcalloc(policy->role_count + 1, sizeof *policy->role_names);
	for (size_t i = 0; i < policy->role_count; i++)
		policy->role_names[i] = policy->sources[i]->name;
}

static void read_documents(struct policy *policy, struct loading *loading)
{
	for (size_t i = 0; i < loading->count; i++) {
		struct reading reading = {
		    loading->documents[i], &loading->findings, loading->proxy_group};
		check_kind(&reading);
		if (strcmp(kind_of(loading->documents[i]), KIND_ROLE) == 0)
			add_role(policy, &reading);
	}
	name_roles(policy);
	for (size_t i = 0; i < loading->count; i++) {
		struct reading reading = {
		    loading->documents[i], &loading->findings, loading->proxy_group};
		if (strcmp(kind_of(loading->documents[i]), KIND_BINDING) == 0)
			add_binding(policy, &reading);
	}
}

static void compile_roles(struct policy *policy)
{
	policy->roles = xcalloc(policy->role_count + 1, sizeof(struct role *));
	for (size_t i = 0; i < policy->role_count; i++) {
		role_source_learn(policy->sources[i], &policy->vocabulary);
		if (!policy->sources[i]->has_templates)
			policy->roles[i] =
			    role_compile(policy->sources[i], &policy->vocabulary, NULL);
	}
}

static struct policy *build(struct loading *loading, char **error)
{
	struct policy *policy = xcalloc(1, sizeof *policy);
	policy->references = 1;
	read_documents(policy, loading);
	compile_roles(policy);
	for (size_t i = 0; i < loading->count; i++)
		yaml_document_free(&loading->documents[i]);
	free(loading->documents);
	*error = NULL;
	if (loading->findings.len > 0) {
		*error = buf_take(&loading->findings);
		policy_unref(&policy);
	}
	buf_free(&loading->findings);
	return policy;
}

struct policy *policy_load(const char *directory, const char *proxy_group, char **error)
{
	struct loading loading = {.proxy_group = proxy_group};
	add_directory(&loading, directory);
	return build(&loading, error);
}

struct policy *policy_parse(const char *file, const char *text, size_t len, char **error)
{
	struct loading loading = {0};
	size_t count = 0;
	struct yaml_document **documents = yaml_parse_all(file, text, len, &count, error);
	add_documents(&loading, documents, count, *error);
	return build(&loading, error);
}

struct policy *policy_ref(struct policy *policy)
{
	policy->references++;
	return policy;
}

void policy_unref(struct policy **policy)
{
	struct policy *old = *policy;
	*policy = NULL;
	if (old == NULL || --old->references > 0)
		return;
	for (size_t i = 0; i < old->role_count; i++) {
		role_free(&old->roles[i]);
		role_source_free(&old->sources[i]);
	}
	for (size_t i = 0; i < old->binding_count; i++)
		binding_free(&old->bindings[i]);
	free(old->roles);
	free(old->sources);
	vocabulary_free(&old->vocabulary);
	free(old->bindings);
	free(old->role_names);
	free(old);
}

void policy_each_group(
    const struct policy *policy, void (*fn)(void *arg, const char *group), void *arg)
{
	for (size_t i = 0; i < policy->role_count; i++) {
		const struct source_texts *groups = &policy->sources[i]->allow.groups;
		for (size_t k = 0; k < groups->count; k++)
			fn(arg, groups->items[k].template == NULL ? groups->items[k].text : NULL);
	}
}

void policy_each_extra(
    const struct policy *policy, void (*fn)(void *arg, const char *key), void *arg)
{
	for (size_t i = 0; i < policy->role_count; i++)
		impersonation_each_extra(policy->sources[i]->allow.impersonation, fn, arg);
}

static bool is_of_group(const struct source_rule *rule, const char *group)
{
	struct matcher matcher;
	struct word word = word_of(group);
	char *error = NULL;
	bool is_of = matcher_init(&matcher, rule->group, &error) && matcher_takes(&matcher, &word);
	matcher_free(&matcher);
	free(error);
	return is_of;
}

/* Events are served in two groups, as the same objects: what is denied in one is there in the
 * other, for whom another rule allows it there. It is so in Kubernetes' own RBAC. */
static void doubt_events(
    const struct role_source *role, void (*fn)(void *arg, const char *doubt), void *arg)
{
	static const char *const groups[] = {"", "events.k8s.io"};
	bool is_denied[2] = {false, false};
	for (size_t i = 0; i < role->deny.rule_count; i++) {
		const struct source_rule *rule = &role->deny.rules[i];
		bool is_of_events = strcmp(rule->resource, "events") == 0;
		for (size_t k = 0; is_of_events && k < 2; k++)
			is_denied[k] |= is_of_group(rule, groups[k]);
	}
	if (is_denied[0] == is_denied[1])
		return;
	char *doubt = xasprintf("%s: role \"%s\" denies events of api_group \"%s\" alone, and the "
				"same objects are in \"%s\": deny them there, too",
	    role->place, role->name, groups[is_denied[1]], groups[is_denied[0]]);
	fn(arg, doubt);
	free(doubt);
}

void policy_each_doubt(
    const struct policy *policy, void (*fn)(void *arg, const char *doubt), void *arg)
{
	for (size_t i = 0; i < policy->role_count; i++)
		doubt_events(policy->sources[i], fn, arg);
}

size_t policy_role_count(const struct policy *policy)
{
	return policy->role_count;
}

size_t policy_binding_count(const struct policy *policy)
{
	return policy->binding_count;
}
