/* `init`: makes what is missing before the first start. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/first_files.h"

struct options {
	const char *config;
};

static const struct verb_option rows[] = {CLI_CONFIG_OPTION(struct options)};

const struct verb cli_init_verb = {
    .name = "init",
    .operands = "",
    VERB_OPTIONS(rows),
    .help = "make the server certificate and the client CA, once",
};

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
	struct options options = {0};
	char **operands;
	int status;
	if (!cli_read(&cli_init_verb, argc, argv, &options, &operands, &status))
		return status;
	return make(options.config);
}
