/* Teleport's role documents. Keys about Kubernetes mean here what they mean there or are refused;
 * keys about other protocols are known and passed over; what would restrict Kubernetes access in a
 * way that is not enforced here is refused, since passing over it would open what somebody closed.
 * Called by policy.c. */
#include "kubeproxyd/policy/role.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/expression.h"
#include "kubeproxyd/policy/impersonation.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/role_source.h"
#include "kubeproxyd/policy/template.h"

#define NAME_MAX_BYTES 128

/* Teleport's role keys that say nothing about Kubernetes. */
static const char *const side_keys[] = {"kubernetes_labels", "kubernetes_labels_expression",
    "kubernetes_groups", "kubernetes_users", "kubernetes_resources", "kubernetes_impersonate",
    NULL};
static const char *const foreign_side_keys[] = {"account_assignments", "app_labels",
    "app_labels_expression", "aws_role_arns", "azure_identities", "cluster_labels",
    "cluster_labels_expression", "database_labels", "database_labels_expression", "db_labels",
    "db_labels_expression", "db_names", "db_permissions", "db_roles", "db_service_labels",
    "db_service_labels_expression", "db_users", "desktop_groups", "gcp_service_accounts",
    "github_permissions", "group_labels", "group_labels_expression", "host_groups", "host_sudoers",
    "impersonate", "join_sessions", "logins", "mcp", "node_labels", "node_labels_expression",
    "request", "review_requests", "rules", "saml_idp_service_provider_labels", "spiffe",
    "windows_desktop_labels", "windows_desktop_labels_expression", "windows_desktop_logins",
    "workload_identity_labels", "workload_identity_labels_expression", "namespaces", NULL};
static const char *const unsupported_side_keys[] = {"require_session_join", NULL};

static const char *const option_keys[] = {"cert_extensions", "cert_format", "client_idle_timeout",
    "create_db_user", "create_db_user_mode", "create_desktop_user", "create_host_user",
    "create_host_user_default_shell", "create_host_user_mode", "desktop_clipboard",
    "desktop_directory_sharing", "device_trust_mode", "disconnect_expired_cert",
    "enhanced_recording", "forward_agent", "idp", "lock", "max_connections",
    "max_kubernetes_connections", "max_session_ttl", "max_sessions", "mfa_verification_interval",
    "permit_x11_forwarding", "pin_source_ip", "port_forwarding", "record_session", "request_access",
    "request_prompt", "require_session_mfa", "ssh_file_copy", "ssh_port_forwarding", NULL};

static const char *const root_keys[] = {"kind", "sub_kind", "version", "metadata", "spec", NULL};
static const char *const metadata_keys[] = {
    "name", "description", "labels", "expires", "revision", "id", "namespace", NULL};
static const char *const spec_keys[] = {"allow", "deny", "options", NULL};

/* --- names ----------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
	static const char characters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@:+";
	size_t len = strlen(name);
	return len <= NAME_MAX_BYTES && strspn(name, characters) == len;
}

const char *role_read_name(struct reading *reading, const struct yaml_node *root)
{
	const struct yaml_node *metadata = reading_map(reading, root, "metadata");
	if (metadata == NULL) {
		reading_fail_key(reading, root, "metadata", "metadata.name is missing");
		return NULL;
	}
	reading_check_keys(reading, metadata, metadata_keys, NULL);
	const struct yaml_node *expires = yaml_get(metadata, "expires");
	if (expires != NULL && !yaml_is_null(expires))
		reading_fail(reading, expires,
		    "metadata.expires is not supported yet: without it the document would hold for "
		    "good");
	const char *name = reading_text(reading, metadata, "name", true);
	if (name == NULL || is_name(name))
		return name;
	reading_fail(reading, yaml_get(metadata, "name"),
	    "metadata.name \"%s\" must be at most 128 letters, digits and \"._-@:+\"", name);
	return NULL;
}

/* --- users, groups, labels ------------------------------------------------------------------- */

bool source_text_read(struct reading *reading, const struct yaml_node *value, const char *what,
    struct source_text *text)
{
	char *error = NULL;
	*text = (struct source_text){.text = xstrdup(value->text)};
	if (!template_is_one(value->text))
		return true;
	text->template = template_parse(value->text, &error);
	if (text->template == NULL)
		reading_fail(reading, value, "%s \"%s\": %s", what, value->text, error);
	free(error);
	return text->template != NULL;
}

void source_texts_add(struct source_texts *texts, struct source_text text)
{
	texts->items = xreallocarray(texts->items, texts->count + 1, sizeof *texts->items);
	texts->items[texts->count++] = text;
}

struct names_reading {
	struct source_texts *names;
	const char *what; /* "kubernetes_groups" */
	bool may_be_any; /* whether "*" by itself has a meaning */
};

static bool check_name(
    const struct names_reading *names, struct reading *reading, const struct yaml_node *value)
{
	const char *text = value->text;
	const char *refusal = principal_refuse(text, strlen(text));
	bool is_any = strcmp(text, "*") == 0;
	size_t findings = reading->findings->len;
	if (refusal != NULL)
		reading_fail(reading, value, "%s: a name %s", names->what, refusal);
	else if (is_any && !names->may_be_any)
		reading_fail(reading, value,
		    "%s: \"*\" is no group; name the groups of the cluster", names->what);
	else if (!is_any && (strchr(text, '*') != NULL || text[0] == '^'))
		reading_fail(reading, value,
		    "%s: \"%s\" is a pattern; whom the cluster sees is said by name", names->what,
		    text);
	return reading->findings->len == findings;
}

static void on_name(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct names_reading *names = arg;
	struct source_text text = {0};
	if (!template_is_one(value->text) && !check_name(names, reading, value))
		return;
	if (template_is_one(value->text) && strchr(value->text, '*') != NULL) {
		reading_fail(reading, value,
		    "%s: \"%s\" is a pattern; whom the cluster sees is said "
		    "by name",
		    names->what, value->text);
		return;
	}
	source_text_read(reading, value, names->what, &text);
	source_texts_add(names->names, text);
}

static void on_label_value(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct source_label *label = arg;
	struct source_text text = {0};
	char *error = NULL;
	if (strcmp(label->key, "*") == 0 && strcmp(value->text, "*") != 0) {
		reading_fail(reading, value,
		    "kubernetes_labels: the key \"*\" goes with the value \"*\" alone");
		return;
	}
	source_text_read(reading, value, "kubernetes_labels", &text);
	source_texts_add(&label->values, text);
	struct pattern *pattern = pattern_new_strict(value->text, &error);
	if (pattern == NULL && text.template == NULL)
		reading_fail(reading, value, "kubernetes_labels %s: %s", label->key, error);
	pattern_free(&pattern);
	free(error);
}

static struct source_label *add_label(struct source_side *side, const char *key)
{
	side->labels = xreallocarray(side->labels, side->label_count + 1, sizeof *side->labels);
	struct source_label *label = &side->labels[side->label_count++];
	*label = (struct source_label){.key = xstrdup(key)};
	return label;
}

static void read_labels(
    struct reading *reading, const struct yaml_node *node, struct source_side *side)
{
	const struct yaml_node *labels = reading_map(reading, node, "kubernetes_labels");
	for (size_t i = 0; labels != NULL && i < labels->count; i++) {
		const char *key = labels->keys[i].text;
		const struct yaml_node *value = labels->items[i];
		bool is_empty =
		    yaml_is_null(value) || (value->kind == YAML_NODE_LIST && value->count == 0);
		if (!label_key_is_valid(key))
			reading_fail_key(reading, labels, key,
			    "kubernetes_labels: \"%s\" can be no label's key", key);
		else if (strcmp(key, "*") == 0 && value->kind == YAML_NODE_LIST && value->count > 1)
			reading_fail(reading, value,
			    "kubernetes_labels: the key \"*\" takes the value \"*\" once");
		else if (is_empty)
			reading_fail(
			    reading, value, "kubernetes_labels %s: a value is missing", key);
		else
			reading_each(reading, labels, key, on_label_value, add_label(side, key));
	}
}

static void read_expression(
    struct reading *reading, const struct yaml_node *node, struct source_side *side)
{
	static const char key[] = "kubernetes_labels_expression";
	const char *text = reading_text(reading, node, key, false);
	char *error = NULL;
	if (text == NULL)
		return;
	side->expression = expression_parse(text, EXPRESSION_OF_LABELS, &error);
	if (side->expression == NULL)
		reading_fail(reading, yaml_get(node, key), "%s: %s", key, error);
	free(error);
}

/* --- options --------------------------------------------------------------------------------- */

/* What Teleport enforces for Kubernetes sessions too and this version does not. */
static void read_options(
    struct reading *reading, const struct yaml_node *spec, struct role_options *to)
{
	static const char *const restricting[] = {
	    "require_session_mfa", "pin_source_ip", "device_trust_mode", NULL};
	static const char *const harmless[] = {"false", "no", "off", "optional", "0", ""};
	const struct yaml_node *options = reading_map(reading, spec, "options");
	if (options == NULL)
		return;
	reading_check_keys(reading, options, option_keys, NULL);
	role_options_read(reading, options, to);
	for (const char *const *key = restricting; *key != NULL; key++) {
		const struct yaml_node *value = yaml_get(options, *key);
		bool is_harmless = value == NULL || yaml_is_null(value);
		for (size_t i = 0; !is_harmless && i < sizeof harmless / sizeof harmless[0]; i++)
			is_harmless = value->kind == YAML_NODE_SCALAR &&
				      strcmp(value->text, harmless[i]) == 0;
		if (!is_harmless)
			reading_fail(reading, value,
			    "options.%s is not supported yet: without it the role would give more "
			    "than it says",
			    *key);
	}
}

/* --- the document ---------------------------------------------------------------------------- */

static void check_side_keys(struct reading *reading, const struct yaml_node *side)
{
	for (const char *const *key = unsupported_side_keys; *key != NULL; key++) {
		const struct yaml_node *value = yaml_get(side, *key);
		if (value != NULL && !yaml_is_null(value) &&
		    !(value->kind == YAML_NODE_LIST && value->count == 0))
			reading_fail_key(reading, side, *key,
			    "%s is not supported yet: without it the role would give more than it "
			    "says",
			    *key);
	}
	const char *known[sizeof side_keys / sizeof *side_keys +
			  sizeof unsupported_side_keys / sizeof(char *)];
	size_t count = 0;
	for (const char *const *key = side_keys; *key != NULL; key++)
		known[count++] = *key;
	for (const char *const *key = unsupported_side_keys; *key != NULL; key++)
		known[count++] = *key;
	known[count] = NULL;
	reading_check_keys(reading, side, known, foreign_side_keys);
}

static void read_side(struct reading *reading, const struct yaml_node *spec, bool is_allow,
    unsigned version, struct source_side *side)
{
	const struct yaml_node *node = reading_map(reading, spec, is_allow ? "allow" : "deny");
	if (node == NULL)
		return;
	check_side_keys(reading, node);
	read_labels(reading, node, side);
	read_expression(reading, node, side);
	struct names_reading groups = {&side->groups, "kubernetes_groups", !is_allow};
	struct names_reading users = {&side->users, "kubernetes_users", true};
	reading_each(reading, node, "kubernetes_groups", on_name, &groups);
	reading_each(reading, node, "kubernetes_users", on_name, &users);
	side->impersonation = impersonation_read(reading, node, "kubernetes_impersonate");
	if (version != 0)
		resource_rules_read(reading, node, is_allow, version, side);
}

/* 3 to 8, or 0 with a finding. */
static unsigned read_version(struct reading *reading, const struct yaml_node *root)
{
	const char *version = reading_text(reading, root, "version", true);
	if (version == NULL)
		return 0;
	if (version[0] == 'v' && version[1] >= '3' && version[1] <= '8' && version[2] == '\0')
		return (unsigned)(version[1] - '0');
	reading_fail(reading, yaml_get(root, "version"),
	    "version \"%s\" of a role is not known: v3, v4, v5, v6, v7 and v8 are", version);
	return 0;
}

/* Two old versions give a meaning to what is left out that v8 does not. */
static void check_defaults(struct reading *reading, const struct yaml_node *spec, unsigned version)
{
	const struct yaml_node *allow = spec != NULL ? yaml_get(spec, "allow") : NULL;
	if (allow == NULL || allow->kind != YAML_NODE_MAP)
		return;
	bool has_principals = yaml_get(allow, "kubernetes_groups") != NULL ||
			      yaml_get(allow, "kubernetes_users") != NULL;
	if (version == 3 && has_principals && yaml_get(allow, "kubernetes_labels") == NULL)
		reading_fail(reading, allow,
		    "a v3 role without kubernetes_labels means every cluster: write "
		    "kubernetes_labels ('*': '*' for "
		    "all)");
	if (version == 6 && yaml_get(allow, "kubernetes_labels") != NULL &&
	    yaml_get(allow, "kubernetes_resources") == NULL)
		reading_fail(reading, allow,
		    "a v6 role without kubernetes_resources reaches no pod in Teleport: make it v7 "
		    "or newer, or add "
		    "the rule for everything");
}

static bool has_templates_in(const struct source_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (texts->items[i].template != NULL)
			return true;
	}
	return false;
}

static bool has_templates(const struct source_side *side)
{
	bool has = has_templates_in(&side->groups) || has_templates_in(&side->users);
	for (size_t i = 0; i < side->label_count; i++)
		has |= has_templates_in(&side->labels[i].values);
	for (size_t i = 0; i < side->rule_count; i++)
		has |= side->rules[i].namespace.template != NULL ||
		       side->rules[i].name.template != NULL;
	return has;
}

struct role_source *role_read(struct reading *reading, const struct yaml_node *root)
{
	size_t findings = reading->findings->len;
	struct role_source *source = xcalloc(1, sizeof *source);
	reading_check_keys(reading, root, root_keys, NULL);
	unsigned version = read_version(reading, root);
	source->name = xstrdup_or_null(role_read_name(reading, root));
	source->proxy_group = xstrdup_or_null(reading->proxy_group);
	source->place = xasprintf("%s:%u", reading->document->file, root->line);
	const struct yaml_node *spec = reading_map(reading, root, "spec");
	if (spec != NULL) {
		reading_check_keys(reading, spec, spec_keys, NULL);
		read_options(reading, spec, &source->options);
		read_side(reading, spec, true, version, &source->allow);
		read_side(reading, spec, false, version, &source->deny);
		check_defaults(reading, spec, version);
	} else {
		reading_fail_key(
		    reading, root, "spec", "spec is missing: it says what the role allows");
	}
	source->has_templates = has_templates(&source->allow) || has_templates(&source->deny);
	if (reading->findings->len != findings)
		role_source_free(&source);
	return source;
}

static void free_texts(struct source_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		free(texts->items[i].text);
		template_free(&texts->items[i].template);
	}
	free(texts->items);
}

static void free_side(struct source_side *side)
{
	for (size_t i = 0; i < side->label_count; i++) {
		free(side->labels[i].key);
		free_texts(&side->labels[i].values);
	}
	free(side->labels);
	expression_free(&side->expression);
	impersonation_free(&side->impersonation);
	free_texts(&side->groups);
	free_texts(&side->users);
	source_rules_free(side);
}

void role_source_free(struct role_source **source)
{
	struct role_source *old = *source;
	*source = NULL;
	if (old == NULL)
		return;
	free_side(&old->allow);
	free_side(&old->deny);
	free(old->name);
	free(old->place);
	free(old->proxy_group);
	free(old);
}
