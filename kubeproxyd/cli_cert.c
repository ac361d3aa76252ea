/* `cert USER`: a short-lived client certificate, into a directory or to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"
#include "kubeproxyd/exchange/kubeconfig.h"
#include "kubeproxyd/new_file.h"

struct options {
	const char *config;
	const char *out;
	struct client_certificate_request request;
	struct option_list groups;
};

static const struct verb_option rows[] = {
    {"group", "GROUP", option_each, offsetof(struct options, groups),
	"a group, which selects roles; more than once"},
    {"cluster", "NAME", option_text, offsetof(struct options, request.cluster),
	"good for this cluster alone"},
    {"ttl", "TIME", cli_option_ttl, offsetof(struct options, request.ttl),
	"how long it is good, 8h; from 1m to 30d"},
    {"out", "DIRECTORY|-", option_text, offsetof(struct options, out),
	"where the two files go, the current directory; - is standard output"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_cert_verb = {
    .name = "cert",
    .operands = "USER",
    .least = 1,
    .most = 1,
    VERB_OPTIONS(rows),
    .help = "make a short-lived client certificate for somebody",
};

static bool write_files(
    const struct options *options, const struct client_certificate *made, char **error)
{
	char *name = kubeconfig_file_stem(options->request.user);
	char *stem = xasprintf("%s/%s", options->out, name);
	char *certificate = xasprintf("%s.pem", stem), *key = xasprintf("%s-key.pem", stem);
	bool is_written = new_file_replace(key, made->key, 0600, error) &&
			  new_file_replace(certificate, made->certificate, 0644, error);
	if (is_written)
		printf("%s\n%s\n", certificate, key);
	free(certificate);
	free(key);
	free(stem);
	free(name);
	return is_written;
}

static int issue(const struct options *options)
{
	struct settings *settings = cli_load_settings(options->config);
	struct client_certificate made;
	char *error = NULL;
	if (settings == NULL)
		return CLI_NO;
	bool is_made = client_certificate_issue(settings, &options->request, &made, &error);
	settings_free(&settings);
	if (!is_made)
		return cli_fail(error);
	char until[UNIX_TIME_TEXT];
	bool is_out = strcmp(options->out, "-") == 0
			  ? printf("%s%s", made.certificate, made.key) > 0
			  : write_files(options, &made, &error);
	is_out &= fflush(stdout) == 0;
	if (is_out)
		fprintf(stderr, "kubeproxyd: certificate %s for \"%s\", valid until %s\n",
		    made.serial, options->request.user, unix_time_text(made.not_after, until));
	client_certificate_free(&made);
	if (is_out)
		return CLI_DONE;
	return cli_fail(error != NULL ? error : xstrdup("standard output cannot be written"));
}

int cli_cert(int argc, char **argv)
{
	struct options options = {
	    .out = ".",
	    .request = {.ttl = duration_seconds(CLIENT_CERTIFICATE_DEFAULT_TTL)},
	};
	char **operands;
	int status;
	if (cli_read(&cli_cert_verb, argc, argv, &options, &operands, &status)) {
		options.request.user = operands[0];
		options.request.groups = options.groups.items;
		options.request.group_count = options.groups.count;
		status = issue(&options);
	}
	free(options.groups.items);
	return status;
}
