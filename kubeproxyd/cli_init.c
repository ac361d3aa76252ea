/* `init`: makes what is missing before the first start. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/first_files.h"

static const char usage[] = "kubeproxyd init [--config FILE]";

static int read_options(int argc, char **argv, const char **config, bool *wants_help)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int option;
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'c')
			*config = optarg;
		else if (option == 'h')
			*wants_help = true;
		else
			return cli_wrong_use(usage, "unknown option, or a value is missing");
	}
	return optind == argc ? CLI_DONE : cli_wrong_use(usage, "init takes no operand");
}

static int make(const char *config)
{
	struct settings *settings = cli_load_settings(config);
	struct buf report = {0};
	char *error = NULL;
	if (settings == NULL)
		return CLI_NO;
	bool is_made = first_files_make(settings, &report, &error);
	fputs(buf_text(&report), stdout);
	buf_free(&report);
	settings_free(&settings);
	if (is_made)
		return CLI_DONE;
	if (geteuid() == 0)
		return cli_fail(error);
	char *hint = xasprintf("%s (not root: these files belong to root unless the configuration "
			       "puts them elsewhere)",
	    error);
	free(error);
	return cli_fail(hint);
}

int cli_init(int argc, char **argv)
{
	const char *config = SETTINGS_DEFAULT_PATH;
	bool wants_help = false;
	int status = read_options(argc, argv, &config, &wants_help);
	if (status != CLI_DONE)
		return status;
	if (!wants_help)
		return make(config);
	printf("usage: %s\n", usage);
	return CLI_DONE;
}
