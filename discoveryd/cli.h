/* The command line of discoveryd, read: verb, operands, options. */
#ifndef EKSGATE_CLI_H
#define EKSGATE_CLI_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/render.h"

enum exit_status { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2 };

struct cli {
	const char *config; /* --config, or the default */
	bool has_config;
	enum render_format format; /* --format */
	const char *regions; /* scan --regions */
	const char *principal; /* iam-policy --principal */
	const char *serving; /* iam-policy --serving */
	const char *instance_role; /* iam-policy --instance-role */
	bool is_connected; /* inventory --connected */
	bool is_options; /* check --options */
	bool is_dry_run; /* access --dry-run */
	const char *operand; /* NULL when there is none */
};

typedef int command_fn(const struct cli *cli);

/* Reads the arguments and runs the verb; returns the exit status. */
int cli_main(int argc, char **argv) MUST_USE;

#endif
