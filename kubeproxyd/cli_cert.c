/* `cert USER`: a short-lived client certificate, into a directory or to standard output. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"
#include "kubeproxyd/exchange/kubeconfig.h"
#include "kubeproxyd/new_file.h"

static const char usage[] =
    "kubeproxyd cert USER [--group GROUP]... [--cluster NAME] [--ttl 8h] [--out DIR|-] "
    "[--config FILE]";

struct options {
	const char *config;
	const char *out;
	struct client_certificate_request request;
	const char **groups; /* owned, points into argv */
	bool wants_help;
};

static int take_option(int option, struct options *options)
{
	struct client_certificate_request *request = &options->request;
	switch (option) {
	case 'c':
		options->config = optarg;
		return CLI_DONE;
	case 'g':
		options->groups[request->group_count++] = optarg;
		return CLI_DONE;
	case 'n':
		request->cluster = optarg;
		return CLI_DONE;
	case 't':
		if (client_certificate_parse_ttl(optarg, &request->ttl))
			return CLI_DONE;
		return cli_wrong_use(
		    usage, "--ttl \"%s\": a number with s, m, h or d, from 1m to 30d", optarg);
	case 'o':
		options->out = optarg;
		return CLI_DONE;
	case 'h':
		options->wants_help = true;
		return CLI_DONE;
	default:
		return cli_wrong_use(usage, "unknown option, or a value is missing");
	}
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"group", required_argument, NULL, 'g'},
	    {"cluster", required_argument, NULL, 'n'},
	    {"ttl", required_argument, NULL, 't'},
	    {"out", required_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int option, status = CLI_DONE;
	opterr = 0;
	optind = 0;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
		status = take_option(option, options);
	if (status != CLI_DONE || options->wants_help)
		return status;
	if (argc - optind != 1)
		return cli_wrong_use(usage, "cert takes one user");
	options->request.user = argv[optind];
	return CLI_DONE;
}

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
	fprintf(stderr, "kubeproxyd: certificate %s for \"%s\", valid until %s\n", made.serial,
	    options->request.user, unix_time_text(made.not_after, until));
	bool is_out = strcmp(options->out, "-") == 0
			  ? printf("%s%s", made.certificate, made.key) > 0
			  : write_files(options, &made, &error);
	client_certificate_free(&made);
	return is_out && fflush(stdout) == 0
		   ? CLI_DONE
		   : cli_fail(error != NULL ? error : xstrdup("standard output cannot be written"));
}

int cli_cert(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH,
	    .out = ".",
	    .request = {.ttl = duration_seconds(CLIENT_CERTIFICATE_DEFAULT_TTL)}};
	options.groups = xcalloc((size_t)argc + 1, sizeof *options.groups);
	options.request.groups = options.groups;
	int status = read_options(argc, argv, &options);
	if (status == CLI_DONE && options.wants_help)
		printf("usage: %s\n", usage);
	else if (status == CLI_DONE)
		status = issue(&options);
	free(options.groups);
	return status;
}
