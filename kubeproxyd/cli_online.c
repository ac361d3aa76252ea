/* `run`, `check`, `ls` and `token`. Instances are found by the admin sockets in the run directory;
 * `ls` asks all of them, `token` the first that serves the cluster. Called by main. */
#include "kubeproxyd/cli_online.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_ask.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/proxy.h"
#include "kubeproxyd/proxy_files.h"

/* What one verb or another has. */
struct options {
	const char *config;
	const char *instance; /* NULL: every one */
	enum render_format format;
};

static const struct verb_option check_rows[] = {CLI_CONFIG_OPTION(struct options)};

static const struct verb_option run_rows[] = {
    {"instance", "NAME", cli_option_instance, offsetof(struct options, instance), "its name, main"},
    CLI_CONFIG_OPTION(struct options),
};

static const struct verb_option ask_rows[] = {
    {"instance", "NAME", cli_option_instance, offsetof(struct options, instance),
	"only this instance"},
    CLI_CONFIG_OPTION(struct options),
};

static const struct verb_option ls_rows[] = {
    {"instance", "NAME", cli_option_instance, offsetof(struct options, instance),
	"only this instance"},
    {"format", "table|json|yaml", option_format, offsetof(struct options, format),
	"for people, or one document"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_run_verb = {
    .name = "run",
    .operands = "",
    VERB_OPTIONS(run_rows),
    .help = "run an instance in the foreground",
};

const struct verb cli_check_verb = {
    .name = "check",
    .operands = "",
    VERB_OPTIONS(check_rows),
    .help = "validate configuration, TLS files and roles",
};

const struct verb cli_ls_verb = {
    .name = "ls",
    .operands = "",
    VERB_OPTIONS(ls_rows),
    .help = "print the clusters that the instances here serve",
};

const struct verb cli_token_verb = {
    .name = "token",
    .operands = "CLUSTER",
    .least = 1,
    .most = 1,
    VERB_OPTIONS(ask_rows),
    .help = "print an EKS token for a cluster, as kubectl takes it (root only)",
};

/* --- run and check ------------------------------------------------------------------------- */

int cli_run(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	char **operands;
	int status;
	if (!cli_read(&cli_run_verb, argc, argv, &options, &operands, &status))
		return status;
	struct settings *settings = cli_load_settings(options.config);
	if (settings == NULL)
		return CLI_NO;
	if (!settings->kubernetes.enabled) {
		fprintf(stderr,
		    "kubeproxyd: %s: kubernetes_service is not enabled: nothing to serve\n",
		    options.config);
		settings_free(&settings);
		return CLI_NO;
	}
	return proxy_run(
	    settings, options.config, options.instance != NULL ? options.instance : "main");
}

static void print_notes(const struct settings *settings)
{
	for (size_t i = 0; i < settings->note_count; i++)
		printf("note: %s\n", settings->notes[i]);
	for (size_t i = 0; i < settings->warning_count; i++)
		printf("warning: %s\n", settings->warnings[i]);
}

static void print_warning(void *arg, const char *text)
{
	(void)arg;
	printf("warning: %s\n", text);
}

int cli_check(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	char **operands;
	int status;
	if (!cli_read(&cli_check_verb, argc, argv, &options, &operands, &status))
		return status;
	struct settings *settings = cli_load_settings(options.config);
	if (settings == NULL)
		return CLI_NO;
	char *error = NULL;
	struct proxy_files files;
	print_notes(settings);
	bool is_valid = proxy_files_load(settings, &files, &error);
	if (is_valid) {
		policy_each_doubt(files.policy, print_warning, NULL);
		printf("%s: valid: %zu roles and %zu bindings in %s\n", options.config,
		    policy_role_count(files.policy), policy_binding_count(files.policy),
		    settings->proxy.roles_dir);
		proxy_files_free(&files);
	} else {
		fprintf(stderr, "%s\n", error);
	}
	free(error);
	settings_free(&settings);
	return is_valid ? CLI_DONE : CLI_NO;
}

/* --- asking instances ---------------------------------------------------------------------- */

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return json_object_get_string(value);
}

/* False after telling why, when no instance answered. */
static bool ask(const struct options *options, const char *method, const char *target,
    cli_answer_fn *fn, void *arg)
{
	bool is_whole;
	struct settings *settings = cli_load_readable(options->config, &is_whole);
	if (settings == NULL)
		return false;
	bool is_answered =
	    cli_ask(settings->proxy.run_dir, options->instance, method, target, fn, arg);
	settings_free(&settings);
	return is_answered;
}

/* --- ls ------------------------------------------------------------------------------------ */

struct listing {
	struct json_object *clusters;
	size_t instances;
	bool is_refused;
};

static bool add_listing(void *arg, int status, struct json_object *document)
{
	struct listing *listing = arg;
	struct json_object *clusters = NULL;
	if (status != 200 || !json_object_object_get_ex(document, "clusters", &clusters)) {
		const char *why = text_of(document, "error");
		fprintf(
		    stderr, "kubeproxyd: %s\n", why != NULL ? why : "the answer has no clusters");
		listing->is_refused = true;
		return true;
	}
	listing->instances++;
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		struct json_object *item = json_object_array_get_idx(clusters, i);
		json_object_object_add(
		    item, "instance", json_object_new_string(text_of(document, "instance")));
		json_object_array_add(listing->clusters, json_object_get(item));
	}
	return true;
}

/* Aliases are told when eksgate.proxy.sni_suffix is set. */
static bool has_alias(struct json_object *clusters)
{
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		if (json_object_object_get_ex(
			json_object_array_get_idx(clusters, i), "alias", NULL))
			return true;
	}
	return false;
}

static void print_listing(const struct listing *listing, enum render_format format)
{
	static const struct render_column with_alias[] = {
	    {"NAME", "name"},
	    {"ALIAS", "alias"},
	    {"ACCOUNT", "account"},
	    {"REGION", "region"},
	    {"PHASE", "phase"},
	    {"STATE", "state"},
	    {"ACCESS", "access.code"},
	    {"INSTANCE", "instance"},
	};
	struct render_column columns[sizeof with_alias / sizeof with_alias[0]];
	size_t count = 0;
	bool is_aliased = has_alias(listing->clusters);
	for (size_t i = 0; i < sizeof with_alias / sizeof with_alias[0]; i++) {
		if (is_aliased || strcmp(with_alias[i].path, "alias") != 0)
			columns[count++] = with_alias[i];
	}
	struct buf out = {0};
	if (format == RENDER_TABLE)
		render_table(
		    &out, listing->clusters, columns, listing->instances > 1 ? count : count - 1);
	else
		render_document(&out, listing->clusters, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
}

int cli_ls(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	char **operands;
	int status;
	if (!cli_read(&cli_ls_verb, argc, argv, &options, &operands, &status))
		return status;
	struct listing listing = {.clusters = json_object_new_array()};
	bool is_answered = ask(&options, "GET", "/v1/clusters", add_listing, &listing);
	bool is_good = is_answered && !listing.is_refused;
	if (listing.instances > 0)
		print_listing(&listing, options.format);
	json_object_put(listing.clusters);
	return is_good ? CLI_DONE : CLI_NO;
}

/* --- token --------------------------------------------------------------------------------- */

/* What kubectl expects of a credential plugin (client.authentication.k8s.io/v1). */
static void print_credential(struct json_object *answer)
{
	struct json_object *status = json_object_new_object();
	json_object_object_add(
	    status, "expirationTimestamp", json_object_new_string(text_of(answer, "expires")));
	json_object_object_add(status, "token", json_object_new_string(text_of(answer, "token")));
	struct json_object *credential = json_object_new_object();
	json_object_object_add(credential, "kind", json_object_new_string("ExecCredential"));
	json_object_object_add(
	    credential, "apiVersion", json_object_new_string("client.authentication.k8s.io/v1"));
	struct json_object *spec = json_object_new_object();
	json_object_object_add(spec, "interactive", json_object_new_boolean(false));
	json_object_object_add(credential, "spec", spec);
	json_object_object_add(credential, "status", status);
	printf("%s\n", json_object_to_json_string_ext(credential, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(credential);
}

struct token_answer {
	bool is_printed;
	char *refusal; /* of the last instance that refused */
};

static bool take_token(void *arg, int status, struct json_object *document)
{
	struct token_answer *answer = arg;
	if (status == 200) {
		answer->is_printed = true;
		print_credential(document);
		return false;
	}
	free(answer->refusal);
	answer->refusal = xstrdup_or_null(text_of(document, "error"));
	return true;
}

int cli_token(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	char **operands;
	int status;
	if (!cli_read(&cli_token_verb, argc, argv, &options, &operands, &status))
		return status;
	if (!kube_cluster_name_is_valid(operands[0]))
		return cli_wrong_use(
		    &cli_token_verb, "%s is not the name of a cluster", operands[0]);
	struct token_answer answer = {0};
	char *target = xasprintf("/v1/token/%s", operands[0]);
	bool is_answered = ask(&options, "POST", target, take_token, &answer);
	if (is_answered && !answer.is_printed)
		fprintf(stderr, "kubeproxyd: %s\n",
		    answer.refusal != NULL ? answer.refusal
					   : "the instance refused without a reason");
	free(target);
	free(answer.refusal);
	return answer.is_printed ? CLI_DONE : CLI_NO;
}
