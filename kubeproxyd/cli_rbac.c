/* `rbac CLUSTER`: what a person does by hand so that a cluster lets the proxy in, for this
 * configuration's roles and this proxy's principal, in the spelling of the tool at hand. What it
 * needs of the cluster it asks of a running instance. Called by main. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_ask.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/probe/rbac_text.h"
#include "kubeproxyd/probe/rights.h"

struct options {
	const char *config, *name;
	const char *principal; /* NULL: what instances say */
	enum rbac_format format;
	bool has_extras;
};

/* What an instance knows of the cluster. */
struct known {
	const char *name;
	struct json_object *item; /* NULL: nobody serves it */
};

static bool take_format(void *field, const char *value, char **error)
{
	if (rbac_format_parse(value, field))
		return true;
	*error = xstrdup("must be steps, manifests, aws-auth, eksctl, terraform, cloudformation or "
			 "awscli");
	return false;
}

static const struct verb_option rows[] = {
    {"format", "FORMAT", take_format, offsetof(struct options, format),
	"steps (a script), manifests, aws-auth, eksctl, terraform, cloudformation, awscli"},
    {"extras", NULL, option_flag, offsetof(struct options, has_extras),
	"uids and extras may be impersonated, too"},
    {"principal", "ARN", option_text, offsetof(struct options, principal),
	"who the proxy is, when instances do not know"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_rbac_verb = {
    .name = "rbac",
    .operands = "CLUSTER",
    .least = 1,
    .most = 1,
    VERB_OPTIONS(rows),
    .help = "print what lets the proxy into a cluster",
};

static const char *text_at(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return json_object_get_string(value);
}

static bool take_clusters(void *arg, int status, struct json_object *document)
{
	struct known *known = arg;
	struct json_object *clusters = NULL;
	if (status != 200 || !json_object_object_get_ex(document, "clusters", &clusters))
		return true;
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		struct json_object *item = json_object_array_get_idx(clusters, i);
		if (strcmp(text_at(item, "name"), known->name) == 0)
			known->item = json_object_get(item);
	}
	return known->item == NULL;
}

/* False: *error says what is not known. */
static bool fill_case(
    const struct options *options, struct json_object *item, struct rbac_case *what, char **error)
{
	struct json_object *access = json_object_object_get(item, "access");
	const char *mode = text_at(item, "authentication_mode");
	what->cluster = text_at(item, "eks_name");
	what->region = text_at(item, "region");
	what->is_config_map = mode != NULL && strcmp(mode, "CONFIG_MAP") == 0;
	what->principal =
	    options->principal != NULL ? options->principal : text_at(access, "principal");
	if (what->principal == NULL)
		*error =
		    xstrdup("the proxy does not know its own principal yet (STS did not answer): "
			    "name it with --principal ARN");
	return what->principal != NULL;
}

/* An access entry needs the role's ARN with its path, which STS does not tell. */
static void warn_of_path(const struct options *options, struct json_object *item)
{
	struct json_object *access = json_object_object_get(item, "access");
	bool is_exact = json_object_get_boolean(json_object_object_get(access, "principal_exact"));
	const char *principal = text_at(access, "principal");
	if (options->principal == NULL && !is_exact && principal != NULL &&
	    strstr(principal, ":role/") != NULL)
		fprintf(stderr, "kubeproxyd: the ARN is made of what STS says, which leaves out a "
				"role's path: if "
				"the role has one, name it with --principal\n");
}

static int print_for_cluster(
    const struct options *options, const struct settings *settings, struct rbac_case *what)
{
	struct known known = {.name = options->name};
	char *error = NULL;
	if (!cli_ask(settings->proxy.run_dir, NULL, "GET", "/v1/clusters", take_clusters, &known))
		return CLI_NO;
	if (known.item == NULL)
		return cli_fail(
		    xasprintf("no instance here serves \"%s\": `kubeproxyd ls` lists what is",
			options->name));
	bool is_known = fill_case(options, known.item, what, &error);
	if (is_known) {
		struct buf out = {0};
		rbac_write(&out, options->format, what);
		fputs(buf_text(&out), stdout);
		buf_free(&out);
		warn_of_path(options, known.item);
	}
	json_object_put(known.item);
	return is_known ? CLI_DONE : cli_fail(error);
}

static int print_all(const struct options *options, const struct settings *settings)
{
	char *error = NULL;
	struct policy *policy =
	    policy_load(settings->proxy.roles_dir, settings->access.group, &error);
	if (policy == NULL)
		return cli_fail(error);
	struct rights rights;
	rights_of_policy(policy, &rights);
	rights.has_extras = options->has_extras;
	if (rights_warning(&rights) != NULL)
		fprintf(stderr, "warning: %s\n", rights_warning(&rights));
	struct rbac_case what = {.group = settings->access.group,
	    .cluster_role = settings->access.cluster_role,
	    .rights = &rights};
	int status = print_for_cluster(options, settings, &what);
	rights_clear(&rights);
	policy_unref(&policy);
	return status;
}

int cli_rbac(int argc, char **argv)
{
	struct options options = {.format = RBAC_STEPS};
	char **operands;
	int status;
	if (!cli_read(&cli_rbac_verb, argc, argv, &options, &operands, &status))
		return status;
	options.name = operands[0];
	struct settings *settings = cli_load_settings(options.config);
	if (settings == NULL)
		return CLI_NO;
	status = print_all(&options, settings);
	settings_free(&settings);
	return status;
}
