/* `kubeconfig`: one file with a context for every cluster that the running proxy serves, with a new
 * client certificate, a given one, or none. */
#include <glob.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/settings.h"
#include "common/sigv4.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"
#include "kubeproxyd/exchange/kubeconfig.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/pki.h"

#define DEFAULT_PORT   3026
#define FILE_MAX_BYTES ((size_t)1024 * 1024)

struct options {
	const char *config, *instance, *server, *out;
	const char *user_cert, *user_key;
	const char *issuer; /* people log in there */
	struct client_certificate_request request; /* user NULL: no new certificate */
	struct option_list groups, clusters;
	bool by_server_name, by_aws;
};

/* What goes into the file besides the clusters; all owned. */
struct material {
	char *server, *ca;
	char *user, *certificate, *key;
	const struct oidc_login *oidc; /* borrowed from the settings; NULL: none */
};

/* --- options --------------------------------------------------------------------------------- */

static const struct verb_option rows[] = {
    {"cluster", "NAME", option_each, offsetof(struct options, clusters),
	"only this cluster; more than once"},
    {"cert-for", "USER", option_text, offsetof(struct options, request.user),
	"with a new certificate for this user"},
    {"group", "GROUP", option_each, offsetof(struct options, groups),
	"a group in that certificate; more than once"},
    {"ttl", "TIME", cli_option_ttl, offsetof(struct options, request.ttl),
	"how long that certificate is good, 8h; from 1m to 30d"},
    {"user-cert", "FILE", option_text, offsetof(struct options, user_cert),
	"with this certificate"},
    {"user-key", "FILE", option_text, offsetof(struct options, user_key), "and its key"},
    {"oidc", "ISSUER", option_text, offsetof(struct options, issuer),
	"with a login at this issuer"},
    {"aws", NULL, option_flag, offsetof(struct options, by_aws), "with the user's AWS identity"},
    {"server", "https://HOST:PORT", option_text, offsetof(struct options, server),
	"where the proxy is, public_addr"},
    {"sni", NULL, option_flag, offsetof(struct options, by_server_name),
	"a host name for each cluster instead of a path"},
    {"out", "FILE|-", option_text, offsetof(struct options, out), "where it goes; standard output"},
    {"instance", "NAME", cli_option_instance, offsetof(struct options, instance),
	"which instance to ask for the clusters"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_kubeconfig_verb = {
    .name = "kubeconfig",
    .operands = "",
    VERB_OPTIONS(rows),
    .help = "print a kubeconfig for the clusters",
};

/* What goes with what. */
static int check(struct options *options)
{
	const struct verb *verb = &cli_kubeconfig_verb;
	bool is_made = options->request.user != NULL;
	if ((options->user_cert != NULL) != (options->user_key != NULL))
		return cli_wrong_use(verb, "--user-cert and --user-key go together");
	if (is_made + (options->user_cert != NULL) + (options->issuer != NULL) + options->by_aws >
	    1)
		return cli_wrong_use(
		    verb, "--cert-for, --user-cert, --oidc and --aws exclude each other");
	if (!is_made && (options->groups.count > 0 || options->request.ttl.ms > 0))
		return cli_wrong_use(verb, "--group and --ttl go with --cert-for");
	if (options->request.ttl.ms == 0)
		options->request.ttl = duration_seconds(CLIENT_CERTIFICATE_DEFAULT_TTL);
	options->request.groups = options->groups.items;
	options->request.group_count = options->groups.count;
	return CLI_DONE;
}

/* --- clusters -------------------------------------------------------------------------------- */

/* The answer of the first instance that gives one; NULL: *error (free()). */
static struct json_object *ask_instances(
    const struct settings *settings, const char *instance, const char *target, char **error)
{
	glob_t sockets = {0};
	struct json_object *answer = NULL;
	char *pattern =
	    xasprintf("%s/%s.sock", settings->proxy.run_dir, instance != NULL ? instance : "*");
	*error = NULL;
	(void)glob(pattern, 0, NULL, &sockets);
	for (size_t i = 0; answer == NULL && i < sockets.gl_pathc; i++) {
		int status = 0;
		xfree(error);
		if (!admin_call(sockets.gl_pathv[i], "GET", target, &status, &answer, error))
			continue;
		if (status == 200)
			continue;
		*error = xasprintf("%s answered with status %d", sockets.gl_pathv[i], status);
		json_object_put(answer);
		answer = NULL;
	}
	if (answer == NULL && *error == NULL)
		*error = cli_why_nothing(settings->proxy.run_dir,
		    xasprintf("no instance of kubeproxyd runs here (no socket %s): start it, it "
			      "knows the clusters",
			pattern));
	globfree(&sockets);
	free(pattern);
	return answer;
}

/* All clusters, or those that the user of the certificate may see (free()). */
static char *what_to_ask(const struct options *options)
{
	struct buf target = {0};
	const struct client_certificate_request *request = &options->request;
	buf_append_text(&target, "/v1/clusters");
	if (request->user != NULL) {
		buf_append_text(&target, "?user=");
		sigv4_encode(&target, request->user, strlen(request->user));
		buf_append_text(&target, "&groups=");
	}
	for (size_t i = 0; request->user != NULL && i < request->group_count; i++) {
		sigv4_encode(&target, request->groups[i], strlen(request->groups[i]));
		buf_append_text(&target, "%0A");
	}
	return buf_take(&target);
}

static const char *name_at(struct json_object *clusters, size_t index)
{
	struct json_object *name = NULL;
	json_object_object_get_ex(json_object_array_get_idx(clusters, index), "name", &name);
	return json_object_is_type(name, json_type_string) ? json_object_get_string(name) : NULL;
}

static bool is_wanted(const struct options *options, const char *name)
{
	for (size_t i = 0; i < options->clusters.count; i++) {
		if (strcmp(options->clusters.items[i], name) == 0)
			return true;
	}
	return options->clusters.count == 0;
}

static bool has_name(const char **names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* The names in `clusters` that are wanted; each that was asked for must be there. */
static bool choose_clusters(const struct options *options, struct json_object *clusters,
    const char **names, size_t *count, char **error)
{
	*count = 0;
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		const char *name = name_at(clusters, i);
		if (name != NULL && is_wanted(options, name))
			names[(*count)++] = name;
	}
	for (size_t i = 0; i < options->clusters.count; i++) {
		if (has_name(names, *count, options->clusters.items[i]))
			continue;
		*error =
		    xasprintf("no cluster \"%s\" is served here%s; `kubeproxyd ls` lists the names",
			options->clusters.items[i],
			options->request.user != NULL ? ", or no role lets the user see it" : "");
		return false;
	}
	if (*count > 0)
		return true;
	if (options->request.user != NULL) {
		*error = xasprintf("no role lets \"%s\" see any cluster that is served here: write "
				   "a role_binding for the user or a --group",
		    options->request.user);
		return false;
	}
	*error =
	    xstrdup("no cluster is served here: `discoveryd status` and `kubeproxyd ls` say why");
	return false;
}

/* --- credentials ----------------------------------------------------------------------------- */

static bool issue(const struct settings *settings, const struct options *options,
    struct material *material, char **error)
{
	struct client_certificate made;
	if (!client_certificate_issue(settings, &options->request, &made, error))
		return false;
	char until[UNIX_TIME_TEXT];
	fprintf(stderr, "kubeproxyd: certificate %s for \"%s\", valid until %s\n", made.serial,
	    options->request.user, unix_time_text(made.not_after, until));
	material->user = xstrdup(options->request.user);
	material->certificate = xstrdup(made.certificate);
	material->key = xstrdup(made.key);
	client_certificate_free(&made);
	return true;
}

/* A given certificate and its key, as they are in their files. */
static bool read_given(const struct options *options, struct material *material, char **error)
{
	X509 *certificate = pki_read_certificate(options->user_cert, error);
	EVP_PKEY *key = certificate != NULL ? pki_read_key(options->user_key, error) : NULL;
	bool is_pair = key != NULL && X509_check_private_key(certificate, key) == 1;
	if (key != NULL && !is_pair)
		*error =
		    xasprintf("%s is not the key of %s", options->user_key, options->user_cert);
	X509_free(certificate);
	EVP_PKEY_free(key);
	if (!is_pair)
		return false;
	material->user = xstrdup("eksgate");
	material->certificate = new_file_read(options->user_cert, FILE_MAX_BYTES, error);
	material->key = material->certificate != NULL
			    ? new_file_read(options->user_key, FILE_MAX_BYTES, error)
			    : NULL;
	return material->key != NULL;
}

static bool find_issuer(
    const struct settings *settings, const char *issuer, struct material *material, char **error)
{
	const struct login_settings *login = &settings->proxy.login;
	for (size_t i = 0; i < login->oidc_count; i++) {
		if (strcmp(login->oidc[i].issuer, issuer) == 0)
			material->oidc = &login->oidc[i];
	}
	if (material->oidc == NULL)
		*error = xasprintf("no issuer %s stands in eksgate.proxy.login.oidc", issuer);
	return material->oidc != NULL;
}

static bool check_aws(const struct settings *settings, char **error)
{
	if (settings->proxy.login.iam.id != NULL)
		return true;
	*error = xstrdup("eksgate.proxy.login.iam.id is not set: AWS identities cannot log in");
	return false;
}

static bool find_credentials(const struct settings *settings, const struct options *options,
    struct material *material, char **error)
{
	if (options->request.user != NULL)
		return issue(settings, options, material, error);
	if (options->user_cert != NULL)
		return read_given(options, material, error);
	material->user = xstrdup("eksgate");
	if (options->issuer != NULL)
		return find_issuer(settings, options->issuer, material, error);
	if (options->by_aws)
		return check_aws(settings, error);
	fprintf(stderr, "kubeproxyd: the user entry is empty: put a client certificate there, or "
			"use --cert-for or "
			"--user-cert\n");
	return true;
}

/* --- server ---------------------------------------------------------------------------------- */

static unsigned port_of(const char *address)
{
	const char *colon = address != NULL ? strrchr(address, ':') : NULL;
	return colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : DEFAULT_PORT;
}

/* --server, else public_addr, else this host's name and the port that is listened on. */
static char *find_server(
    const struct settings *settings, const struct options *options, char **error)
{
	char host[256] = "";
	unsigned port = port_of(settings->kubernetes.listen_addr);
	const char *address =
	    options->server != NULL ? options->server : settings->kubernetes.public_addr;
	if (address == NULL && port == 0) {
		*error = xstrdup(
		    "the port is chosen at start (listen_addr): say --server https://HOST:PORT");
		return NULL;
	}
	if (address == NULL && gethostname(host, sizeof host - 1) == 0)
		address = host;
	char *server = address != NULL ? kubeconfig_server(address, port) : NULL;
	if (server == NULL)
		*error = xasprintf("\"%s\" is no address of this proxy: https://HOST:PORT is",
		    address != NULL ? address : "");
	return server;
}

static char *find_ca(const struct settings *settings, char **error)
{
	X509 *certificate = pki_read_last_certificate(settings->proxy.certificate, error);
	char *text = certificate != NULL ? pki_certificate_text(certificate) : NULL;
	X509_free(certificate);
	return text;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool find_material(const struct settings *settings, const struct options *options,
    struct material *material, char **error)
{
	if (options->by_server_name && settings->proxy.sni_suffix == NULL) {
		*error = xstrdup("--sni needs eksgate.proxy.sni_suffix, which is not set");
		return false;
	}
	material->server = find_server(settings, options, error);
	if (material->server != NULL)
		material->ca = find_ca(settings, error);
	return material->ca != NULL && find_credentials(settings, options, material, error);
}

static void free_material(struct material *material)
{
	free(material->server);
	free(material->ca);
	free(material->user);
	free(material->certificate);
	xfree_secret(&material->key);
}

static bool write_out(const struct options *options, const char *text, char **error)
{
	if (options->out != NULL && strcmp(options->out, "-") != 0)
		return new_file_replace(options->out, text, 0600, error);
	if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return true;
	*error = xstrdup("standard output cannot be written");
	return false;
}

static bool make(const struct settings *settings, const struct options *options, char **error)
{
	struct material material = {0};
	struct json_object *clusters = NULL;
	char *target = what_to_ask(options);
	struct json_object *answer = ask_instances(settings, options->instance, target, error);
	free(target);
	if (answer == NULL)
		return false;
	json_object_object_get_ex(answer, "clusters", &clusters);
	size_t count, most = clusters != NULL ? json_object_array_length(clusters) : 0;
	const char **names = xcalloc(most + 1, sizeof *names);
	bool is_made = choose_clusters(options, clusters, names, &count, error) &&
		       find_material(settings, options, &material, error);
	if (is_made) {
		char *text = kubeconfig_text(&(struct kubeconfig_input){.server = material.server,
		    .sni_suffix = options->by_server_name ? settings->proxy.sni_suffix : NULL,
		    .ca = material.ca,
		    .user = material.user,
		    .certificate = material.certificate,
		    .oidc = material.oidc,
		    .iam = options->by_aws ? &settings->proxy.login.iam : NULL,
		    .key = material.key,
		    .clusters = names,
		    .cluster_count = count});
		is_made = write_out(options, text, error);
		xfree_secret(&text);
	}
	free_material(&material);
	free(names);
	json_object_put(answer);
	return is_made;
}

static int run(const struct options *options)
{
	struct settings *settings = cli_load_settings(options->config);
	char *error = NULL;
	if (settings == NULL)
		return CLI_NO;
	bool is_made = make(settings, options, &error);
	settings_free(&settings);
	return is_made ? CLI_DONE : cli_fail(error);
}

int cli_kubeconfig(int argc, char **argv)
{
	struct options options = {0};
	char **operands;
	int status;
	if (cli_read(&cli_kubeconfig_verb, argc, argv, &options, &operands, &status)) {
		status = check(&options);
		if (status == CLI_DONE)
			status = run(&options);
	}
	free(options.groups.items);
	free(options.clusters.items);
	return status;
}
