/* `can USER VERB RESOURCE`: whether the roles let somebody do something in a cluster, by which
 * rule, and what the cluster would see. The roles are those of the files, which may differ from
 * those in force until a SIGHUP; the cluster's labels are asked of a running instance, or given.
 * Nothing is changed, nothing is sent to the cluster, whose own RBAC has its say, too. Called by
 * main. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/labels.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_ask.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/verbs.h"

struct options {
	const char *config, *cluster, *instance, *roles;
	const char *namespace, *name;
	const char *user, *verb, *resource;
	struct texts groups;
	struct traits traits;
	struct labels labels; /* given */
	struct act_as as;
	enum render_format format;
};

/* --- options --------------------------------------------------------------------------------- */

/* NAME in `name` (free()), and VALUE; NULL: there is no '='. */
static const char *split(const char *text, char **name)
{
	const char *equals = strchr(text, '=');
	*name = equals != NULL ? xstrndup(text, (size_t)(equals - text)) : NULL;
	return equals != NULL ? equals + 1 : NULL;
}

static bool take_trait(void *field, const char *value, char **error)
{
	char *name;
	const char *text = split(value, &name);
	if (text == NULL || *name == '\0')
		*error = xstrdup("must be NAME=VALUE");
	else if (!traits_add(field, name, text))
		*error = xstrdup("is too long, or one value too many");
	free(name);
	return *error == NULL;
}

static bool take_label(void *field, const char *value, char **error)
{
	char *key;
	const char *text = split(value, &key);
	if (text == NULL)
		*error = xstrdup("must be KEY=VALUE");
	else if (!label_key_is_valid(key))
		*error = xstrdup("has a key that no label can have");
	else
		labels_set(field, key, text);
	free(key);
	return *error == NULL;
}

static bool take_group(void *field, const char *value, char **error)
{
	(void)error;
	texts_add(field, value);
	return true;
}

static bool take_user(void *field, const char *value, char **error)
{
	(void)error;
	free(*(char **)field);
	*(char **)field = xstrdup(value);
	return true;
}

static const struct verb_option rows[] = {
    {"cluster", "NAME", option_text, offsetof(struct options, cluster), "in which cluster; needed"},
    {"namespace", "NAME", option_text, offsetof(struct options, namespace), "in this namespace"},
    {"name", "NAME", option_text, offsetof(struct options, name), "this object"},
    {"group", "GROUP", take_group, offsetof(struct options, groups),
	"a group of the user's; more than once"},
    {"trait", "NAME=VALUE", take_trait, offsetof(struct options, traits),
	"a trait of the user's; more than once"},
    {"as", "USER", take_user, offsetof(struct options, as.user),
	"acting as somebody else, as kubectl --as"},
    {"as-group", "GROUP", take_group, offsetof(struct options, as.groups),
	"and as a member of it; more than once"},
    {"label", "KEY=VALUE", take_label, offsetof(struct options, labels),
	"a label of the cluster's, instead of asking an instance; more than once"},
    {"roles", "DIRECTORY", option_text, offsetof(struct options, roles),
	"roles to try before they are in force"},
    {"instance", "NAME", cli_option_instance, offsetof(struct options, instance),
	"which instance to ask for the labels"},
    {"format", "table|json|yaml", option_format, offsetof(struct options, format),
	"for people, or one document"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_can_verb = {
    .name = "can",
    .operands = "USER VERB RESOURCE",
    .least = 3,
    .most = 3,
    VERB_OPTIONS(rows),
    .help = "say whether somebody may do something, and why",
};

static int check(struct options *options, char **operands)
{
	options->user = operands[0];
	options->verb = operands[1];
	options->resource = operands[2];
	if (options->cluster == NULL)
		return cli_wrong_use(&cli_can_verb, "--cluster is missing: in which cluster?");
	bool is_known =
	    verb_bit(options->verb) != VERB_OTHER || strcmp(options->verb, "impersonate") == 0;
	if (options->resource[0] != '/' && !is_known)
		fprintf(stderr,
		    "kubeproxyd: \"%s\" is not a verb of Kubernetes that is known here\n",
		    options->verb);
	const char *refusal = principal_refuse(options->user, strlen(options->user));
	return refusal != NULL ? cli_wrong_use(&cli_can_verb, "USER %s", refusal) : CLI_DONE;
}

/* --- the cluster ----------------------------------------------------------------------------- */

struct finding_labels {
	const char *cluster;
	struct labels *labels;
	bool is_found;
};

static void take_labels(struct finding_labels *finding, struct json_object *item)
{
	struct json_object *labels = NULL;
	finding->is_found = true;
	if (!json_object_object_get_ex(item, "labels", &labels))
		return;
	json_object_object_foreach(labels, key, value)
	{
		labels_set(finding->labels, key, json_object_get_string(value));
	}
}

static bool on_clusters(void *arg, int status, struct json_object *document)
{
	struct finding_labels *finding = arg;
	struct json_object *clusters = NULL;
	if (status != 200 || !json_object_object_get_ex(document, "clusters", &clusters))
		return true;
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		struct json_object *item = json_object_array_get_idx(clusters, i), *name = NULL;
		json_object_object_get_ex(item, "name", &name);
		if (name != NULL && strcmp(json_object_get_string(name), finding->cluster) == 0)
			take_labels(finding, item);
	}
	return !finding->is_found;
}

static bool find_labels(const struct settings *settings, struct options *options)
{
	struct finding_labels finding = {options->cluster, &options->labels, false};
	if (options->labels.count > 0)
		return true;
	if (!cli_ask(settings->proxy.run_dir, options->instance, "GET", "/v1/clusters", on_clusters,
		&finding)) {
		fputs("kubeproxyd: the labels of the cluster are not known: give them by --label\n",
		    stderr);
		return false;
	}
	if (!finding.is_found)
		fprintf(stderr,
		    "kubeproxyd: no cluster is called \"%s\" here; `kubeproxyd ls` lists the "
		    "names\n",
		    options->cluster);
	return finding.is_found;
}

/* --- the question ---------------------------------------------------------------------------- */

/* RESOURCE in its parts; `storage` is freed by the caller. */
static struct request_info question_of(const struct options *options, char **storage)
{
	struct request_info info = {
	    .verb = options->verb,
	    .path = options->resource,
	    .api_group = "",
	    .api_version = "",
	    .resource = "",
	    .subresource = "",
	    .namespace = options->namespace != NULL ? options->namespace : "",
	    .name = options->name != NULL ? options->name : "",
	    .field_selector = "",
	    .label_selector = "",
	};
	*storage = xstrdup(options->resource);
	if (options->resource[0] == '/')
		return info;
	char *slash = strchr(*storage, '/');
	if (slash != NULL) {
		*slash = '\0';
		info.subresource = slash + 1;
	}
	char *dot = strchr(*storage, '.');
	if (dot != NULL) {
		*dot = '\0';
		info.api_group = dot + 1;
	}
	info.is_resource = true;
	info.resource = *storage;
	/* Teleport's verbs for what API servers call create. */
	bool is_exec = strcmp(options->verb, "exec") == 0;
	if (info.subresource[0] == '\0' && (is_exec || strcmp(options->verb, "portforward") == 0)) {
		info.subresource = is_exec ? "exec" : "portforward";
		info.verb = "create";
	}
	return info;
}

static struct json_object *text_or_null(const char *text)
{
	return text != NULL ? json_object_new_string(text) : NULL;
}

/* "allowed" is what the exit status says; "in_part": for some names or namespaces alone, which a
 * list or watch is answered with. */
static void print_document(const struct decision *decision, enum render_format format)
{
	struct json_object *document = json_object_new_object(), *groups = json_object_new_array();
	for (size_t i = 0; i < decision->group_count; i++)
		json_object_array_add(groups, json_object_new_string(decision->groups[i]));
	json_object_object_add(document, "allowed", json_object_new_boolean(decision->is_allowed));
	json_object_object_add(document, "in_part",
	    json_object_new_boolean(decision->is_restricted || decision->needs_name));
	json_object_object_add(document, "rule", text_or_null(decision->rule));
	json_object_object_add(document, "user", text_or_null(decision->user));
	json_object_object_add(document, "groups", groups);
	json_object_object_add(
	    document, "message", text_or_null(decision->is_allowed ? NULL : decision->message));
	struct buf out = {0};
	render_document(&out, document, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
	json_object_put(document);
}

static void print_decision(const struct decision *decision, enum render_format format)
{
	if (format != RENDER_TABLE) {
		print_document(decision, format);
		return;
	}
	if (!decision->is_allowed) {
		printf("no: %s\nby: %s\n", decision->message, decision->rule);
		return;
	}
	printf("%s\nby: %s\nas: user %s",
	    decision->is_restricted ? "yes, in part: the answer holds what the rules allow" : "yes",
	    decision->rule, decision->user);
	for (size_t i = 0; i < decision->group_count; i++)
		printf("%s%s", i > 0 ? ", " : ", groups ", decision->groups[i]);
	printf("\n");
}

static int decide(struct policy *policy, const struct options *options)
{
	char *user = xstrdup(options->user), *storage = NULL;
	struct identity identity = {
	    .user = user,
	    .groups = options->groups.items,
	    .group_count = options->groups.count,
	    .traits = options->traits,
	    .references = 1,
	};
	bool is_as = options->as.user != NULL || options->as.groups.count > 0;
	struct request_info info = question_of(options, &storage);
	struct decision decision = {0};
	struct grants *grants = policy_grants(policy, &identity);
	policy_decide_as(grants, options->cluster, &options->labels, &info,
	    is_as ? &options->as : NULL, &decision);
	print_decision(&decision, options->format);
	int status = decision.is_allowed ? CLI_DONE : CLI_NO;
	decision_clear(&decision);
	grants_free(&grants);
	free(storage);
	free(user);
	return status;
}

/* A directory that is not there has no roles, but not when somebody named it. */
static struct policy *load_roles(
    const struct settings *settings, const struct options *options, char **error)
{
	const char *group = settings->access.group;
	if (options->roles == NULL)
		return policy_load(settings->proxy.roles_dir, group, error);
	if (access(options->roles, F_OK) == 0)
		return policy_load(options->roles, group, error);
	*error = xasprintf("--roles %s: %s", options->roles, strerror(errno));
	return NULL;
}

static int run(struct options *options)
{
	char *error = NULL;
	struct settings *settings = cli_load_settings(options->config);
	if (settings == NULL)
		return CLI_NO;
	int status = CLI_NO;
	if (find_labels(settings, options)) {
		struct policy *policy = load_roles(settings, options, &error);
		status = policy != NULL ? decide(policy, options) : cli_fail(error);
		policy_unref(&policy);
	}
	settings_free(&settings);
	return status;
}

int cli_can(int argc, char **argv)
{
	struct options options = {0};
	char **operands;
	int status;
	if (cli_read(&cli_can_verb, argc, argv, &options, &operands, &status)) {
		status = check(&options, operands);
		if (status == CLI_DONE)
			status = run(&options);
	}
	texts_free(&options.groups);
	texts_free(&options.as.groups);
	free(options.as.user);
	traits_free(&options.traits);
	labels_free(&options.labels);
	return status;
}
