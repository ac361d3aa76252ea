/* One table of verbs, each with its options; usage and checks are made from them. Called by main.
 */
#include "discoveryd/cli.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command_line.h"
#include "common/settings.h"
#include "discoveryd/commands.h"
#include "discoveryd/daemon.h"

#define PROGRAM "discoveryd"

/* --- the tables ------------------------------------------------------------------------------ */

#define FIELD(name) offsetof(struct cli, name)
#define CONFIG                                                                                     \
	{                                                                                          \
		"config", "FILE", option_text, FIELD(config),                                      \
		    "the configuration, " SETTINGS_DEFAULT_PATH                                    \
	}
#define FORMAT                                                                                     \
	{                                                                                          \
		"format", "table|json|yaml", option_format, FIELD(format),                         \
		    "for people, or one document"                                                  \
	}

static const struct verb_option plain_rows[] = {CONFIG};
static const struct verb_option shown_rows[] = {CONFIG, FORMAT};

static const struct verb_option check_rows[] = {
    CONFIG,
    FORMAT,
    {"options", NULL, option_flag, FIELD(is_options), "print every key of the configuration"},
};

static const struct verb_option scan_rows[] = {
    CONFIG,
    FORMAT,
    {"regions", "A,B", option_text, FIELD(regions),
	"these regions with the own identity, without a configuration"},
};

static const struct verb_option inventory_rows[] = {
    CONFIG,
    FORMAT,
    {"connected", NULL, option_flag, FIELD(is_connected), "only the subscribers"},
};

static const struct verb_option access_rows[] = {
    CONFIG,
    FORMAT,
    {"dry-run", NULL, option_flag, FIELD(is_dry_run), "only print what would be done"},
};

static const struct verb_option policy_rows[] = {
    CONFIG,
    FORMAT,
    {"principal", "ARN", option_text, FIELD(principal), "who discoveryd is, instead of asking STS"},
    {"serving", "ARN", option_text, FIELD(serving), "who kubeproxyd is"},
    {"instance-role", "ARN", option_text, FIELD(instance_role),
	"the role of the EC2 instance that both run on; the two above are what it assumes"},
};

static int run_daemon(const struct cli *cli)
{
	return daemon_run(cli->config);
}

static const struct command {
	struct verb verb;
	command_fn *fn;
} commands[] = {
    {{"run", "", 0, 0, VERB_OPTIONS(plain_rows), .help = "run the daemon in the foreground"},
	run_daemon},
    {{"check", "", 0, 0, VERB_OPTIONS(check_rows), .help = "validate the configuration"},
	command_check},
    {{"scan", "", 0, 0, VERB_OPTIONS(scan_rows),
	 .help = "look at AWS once, print what would be enrolled, change nothing"},
	command_scan},
    {{"get", "kube_cluster[/NAME]", 1, 1, VERB_OPTIONS(shown_rows),
	 .help = "print the clusters that are served"},
	command_get},
    {{"explain", "NAME|ARN", 1, 1, VERB_OPTIONS(shown_rows),
	 .help = "say why a cluster is, or is not, served"},
	command_explain},
    {{"status", "", 0, 0, VERB_OPTIONS(shown_rows),
	 .help = "print scopes, their last outcome and what to do about it"},
	command_status},
    {{"inventory", "", 0, 0, VERB_OPTIONS(inventory_rows), .help = "print who follows the bus"},
	command_inventory},
    {{"access", "NAME", 1, 1, VERB_OPTIONS(access_rows),
	 .help = "arrange the proxy's access to a cluster now, print how it stands"},
	command_access},
    {{"forget", "NAME", 1, 1, VERB_OPTIONS(shown_rows),
	 .help = "remove a cluster that nothing covers any more, before its grace time is over"},
	command_forget},
    {{"confirm-removal", "", 0, 0, VERB_OPTIONS(shown_rows),
	 .help = "let the removals go that the guard holds back"},
	command_confirm_removal},
    {{"iam-policy", "", 0, 0, VERB_OPTIONS(policy_rows),
	 .help = "print the IAM policies that this configuration needs"},
	command_iam_policy},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* --- reading --------------------------------------------------------------------------------- */

static void print_usage(FILE *out)
{
	fprintf(out, "usage: " PROGRAM " [--config FILE] VERB [OPERAND] [OPTION...]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct verb *verb = &commands[i].verb;
		char synopsis[48];
		snprintf(synopsis, sizeof synopsis, "%s %s", verb->name, verb->operands);
		fprintf(out, "  %-24s %s\n", synopsis, verb->help);
	}
	fprintf(out, "\n"
		     "  --config FILE            the configuration, " SETTINGS_DEFAULT_PATH "\n"
		     "  --help                   of " PROGRAM ", or of a verb\n"
		     "  --version\n"
		     "\n"
		     "Exit status: 0 done, 1 the answer is no, 2 wrong use.\n");
}

/* Whether "--NAME" is followed by its value, in whichever verb it is. */
static bool takes_value(const char *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct verb *verb = &commands[i].verb;
		for (size_t k = 0; k < verb->option_count; k++) {
			const struct verb_option *option = &verb->options[k];
			if (strcmp(word + 2, option->name) == 0)
				return option->value != NULL;
		}
	}
	return false;
}

/* Where the verb stands: options may come before it. argc: nowhere. */
static int find_verb(int argc, char **argv)
{
	int at = 1;
	while (at < argc && argv[at][0] == '-') {
		bool is_long = strncmp(argv[at], "--", 2) == 0;
		at += is_long && takes_value(argv[at]) ? 2 : 1;
	}
	return at < argc ? at : argc;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].verb.name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int print_text(struct buf *text, FILE *out, int status)
{
	fputs(buf_text(text), out);
	buf_free(text);
	return status;
}

/* argv[0] is the verb. */
static int run_command(const struct command *command, int argc, char **argv)
{
	struct cli cli = {.format = RENDER_TABLE};
	struct buf text = {0};
	char **operands = NULL, *error = NULL;
	switch (verb_read(&command->verb, argc, argv, &cli, &operands, &error)) {
	case VERB_READ:
		break;
	case VERB_HELP:
		verb_help(&command->verb, PROGRAM, &text);
		return print_text(&text, stdout, EXIT_DONE);
	case VERB_WRONG:
		verb_complain(&command->verb, PROGRAM, error, &text);
		free(error);
		return print_text(&text, stderr, EXIT_USAGE);
	}
	cli.has_config = cli.config != NULL;
	if (!cli.has_config)
		cli.config = SETTINGS_DEFAULT_PATH;
	cli.operand = operands[0];
	return command->fn(&cli);
}

/* What stands alone in the place of a verb. */
static bool is_alone(int argc, char **argv, const char *option)
{
	return argc > 1 && strcmp(argv[1], option) == 0;
}

int cli_main(int argc, char **argv)
{
	if (is_alone(argc, argv, "--help") || is_alone(argc, argv, "-h")) {
		print_usage(stdout);
		return EXIT_DONE;
	}
	if (is_alone(argc, argv, "--version")) {
		printf(PROGRAM " %s\n", EKSGATE_VERSION);
		return EXIT_DONE;
	}
	int at = find_verb(argc, argv);
	const struct command *command = at < argc ? find_command(argv[at]) : NULL;
	if (command == NULL) {
		if (at < argc)
			fprintf(stderr, PROGRAM ": unknown verb %s\n", argv[at]);
		print_usage(stderr);
		return EXIT_USAGE;
	}
	/* The verb first, as verb_read() wants it. */
	char *verb = argv[at];
	memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
	argv[1] = verb;
	return run_command(command, argc - 1, argv + 1);
}
