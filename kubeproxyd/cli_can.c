/* `can USER VERB RESOURCE`: whether the roles let somebody do something in a cluster, by which
 * rule, and what the cluster would see. The roles are those of the files, which may differ from
 * those in force until a SIGHUP; the cluster's labels are asked of a running instance, or given.
 * Nothing is changed, nothing is sent to the cluster, whose own RBAC has its say, too. Called by
 * main. */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char usage[] =
    "kubeproxyd can USER VERB RESOURCE --cluster NAME [--namespace NAME] [--name NAME]\n"
    "           [--group GROUP]... [--trait NAME=VALUE]... [--as USER] [--as-group GROUP]...\n"
    "           [--label KEY=VALUE]... [--roles DIRECTORY] [--instance NAME]\n"
    "           [--format table|json|yaml] [--config FILE]\n"
    "       RESOURCE is pods, deployments.apps, pods/exec, or a path as /metrics";

struct options {
	const char *config, *cluster, *instance, *roles;
	const char *namespace, *name;
	const char *user, *verb, *resource;
	struct texts groups;
	struct traits traits;
	struct labels labels; /* given */
	struct act_as as;
	enum render_format format;
	bool wants_help;
};

/* --- options --------------------------------------------------------------------------------- */

static int add_trait(struct options *options, char *text)
{
	char *equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return cli_wrong_use(usage, "--trait takes NAME=VALUE");
	*equals = '\0';
	if (traits_add(&options->traits, text, equals + 1))
		return CLI_DONE;
	return cli_wrong_use(usage, "--trait %s: too many values, or too long", text);
}

static int add_label(struct options *options, char *text)
{
	char *equals = strchr(text, '=');
	if (equals == NULL)
		return cli_wrong_use(usage, "--label takes KEY=VALUE");
	*equals = '\0';
	if (!label_key_is_valid(text))
		return cli_wrong_use(usage, "--label: \"%s\" can be no label's key", text);
	labels_set(&options->labels, text, equals + 1);
	return CLI_DONE;
}

static const char **text_option(struct options *options, int option)
{
	switch (option) {
	case 'c':
		return &options->config;
	case 'C':
		return &options->cluster;
	case 'i':
		return &options->instance;
	case 'r':
		return &options->roles;
	case 'n':
		return &options->namespace;
	case 'N':
		return &options->name;
	default:
		return NULL;
	}
}

static int read_option(int option, char **argv, struct options *options)
{
	const char **text = text_option(options, option);
	if (text != NULL) {
		*text = optarg;
		return CLI_DONE;
	}
	switch (option) {
	case 'h':
		options->wants_help = true;
		return CLI_DONE;
	case 'g':
		texts_add(&options->groups, optarg);
		return CLI_DONE;
	case 't':
		return add_trait(options, optarg);
	case 'l':
		return add_label(options, optarg);
	case 'a':
		free(options->as.user);
		options->as.user = xstrdup(optarg);
		return CLI_DONE;
	case 'G':
		texts_add(&options->as.groups, optarg);
		return CLI_DONE;
	case 'f':
		if (render_format_parse(optarg, &options->format))
			return CLI_DONE;
		return cli_wrong_use(usage, "--format is table, json or yaml, not %s", optarg);
	default:
		return cli_wrong_use(
		    usage, "%s: unknown, or its value is missing", argv[optind - 1]);
	}
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"cluster", required_argument, NULL, 'C'},
	    {"instance", required_argument, NULL, 'i'},
	    {"roles", required_argument, NULL, 'r'},
	    {"namespace", required_argument, NULL, 'n'},
	    {"name", required_argument, NULL, 'N'},
	    {"group", required_argument, NULL, 'g'},
	    {"trait", required_argument, NULL, 't'},
	    {"label", required_argument, NULL, 'l'},
	    {"as", required_argument, NULL, 'a'},
	    {"as-group", required_argument, NULL, 'G'},
	    {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int option, status = CLI_DONE;
	opterr = 0;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
		status = read_option(option, argv, options);
	if (status != CLI_DONE || options->wants_help)
		return status;
	if (argc - optind != 3)
		return cli_wrong_use(usage, "can takes USER, VERB and RESOURCE");
	options->user = argv[optind];
	options->verb = argv[optind + 1];
	options->resource = argv[optind + 2];
	if (options->cluster == NULL)
		return cli_wrong_use(usage, "--cluster is missing: in which cluster?");
	const char *refusal = principal_refuse(options->user, strlen(options->user));
	return refusal != NULL ? cli_wrong_use(usage, "USER %s", refusal) : CLI_DONE;
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

/* "allowed" is what the exit status says; "in_part": for some names or namespaces alone. */
static void print_document(const struct decision *decision, enum render_format format)
{
	bool is_whole = decision_is_whole(decision);
	struct json_object *document = json_object_new_object(), *groups = json_object_new_array();
	for (size_t i = 0; i < decision->group_count; i++)
		json_object_array_add(groups, json_object_new_string(decision->groups[i]));
	json_object_object_add(document, "allowed", json_object_new_boolean(is_whole));
	json_object_object_add(document, "in_part",
	    json_object_new_boolean(decision->is_restricted || decision->needs_name));
	json_object_object_add(document, "rule", text_or_null(decision->rule));
	json_object_object_add(document, "user", text_or_null(decision->user));
	json_object_object_add(document, "groups", groups);
	json_object_object_add(document, "message", text_or_null(decision->message));
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
	if (!decision_is_whole(decision)) {
		printf("no: %s\nby: %s\n", decision->message, decision->rule);
		return;
	}
	printf("yes\nby: %s\nas: user %s", decision->rule, decision->user);
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
	int status = decision_is_whole(&decision) ? CLI_DONE : CLI_NO;
	decision_clear(&decision);
	grants_free(&grants);
	free(storage);
	free(user);
	return status;
}

static int run(struct options *options)
{
	char *error = NULL;
	struct settings *settings = cli_load_settings(options->config);
	if (settings == NULL)
		return CLI_NO;
	int status = CLI_NO;
	if (find_labels(settings, options)) {
		struct policy *policy = policy_load(
		    options->roles != NULL ? options->roles : settings->proxy.roles_dir, &error);
		status = policy != NULL ? decide(policy, options) : cli_fail(error);
		policy_unref(&policy);
	}
	settings_free(&settings);
	return status;
}

int cli_can(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	int status = read_options(argc, argv, &options);
	if (status == CLI_DONE && options.wants_help)
		printf("usage: %s\n", usage);
	else if (status == CLI_DONE)
		status = run(&options);
	texts_free(&options.groups);
	texts_free(&options.as.groups);
	free(options.as.user);
	traits_free(&options.traits);
	labels_free(&options.labels);
	return status;
}
