/* One table of verbs and one of options; usage and checks are made from them. Called by main. */
#include "discoveryd/cli.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/settings.h"
#include "discoveryd/commands.h"
#include "discoveryd/daemon.h"

static int run_daemon(const struct cli *cli)
{
	return daemon_run(cli->config);
}

enum operand { OPERAND_NONE, OPERAND_REQUIRED };

static const struct verb {
	const char *name;
	const char *operand_name;
	enum operand operand;
	command_fn *fn;
	const char *help;
} verbs[] = {
    {"run", "", OPERAND_NONE, run_daemon, "run the daemon in the foreground"},
    {"check", "", OPERAND_NONE, command_check,
	"validate the configuration (--options: print every key)"},
    {"scan", "", OPERAND_NONE, command_scan,
	"look at AWS once, print what would be enrolled, change nothing"},
    {"get", "kube_cluster[/NAME]", OPERAND_REQUIRED, command_get,
	"print the clusters that are served"},
    {"explain", "NAME|ARN", OPERAND_REQUIRED, command_explain,
	"say why a cluster is, or is not, served"},
    {"status", "", OPERAND_NONE, command_status,
	"print scopes, their last outcome and what to do about it"},
    {"inventory", "", OPERAND_NONE, command_inventory,
	"print who follows the bus (--connected: only those)"},
    {"access", "NAME", OPERAND_REQUIRED, command_access,
	"arrange the proxy's access to a cluster now, print how it stands"},
    {"forget", "NAME", OPERAND_REQUIRED, command_forget,
	"remove a cluster that nothing covers any more, before its grace time is over"},
    {"confirm-removal", "", OPERAND_NONE, command_confirm_removal,
	"let the removals go that the guard holds back"},
    {"iam-policy", "", OPERAND_NONE, command_iam_policy,
	"print the IAM policies that this configuration needs"},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_usage(FILE *out)
{
	fprintf(out, "usage: discoveryd [--config FILE] VERB [OPERAND] [OPTION...]\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++) {
		char synopsis[48];
		snprintf(synopsis, sizeof synopsis, "%s %s", verbs[i].name, verbs[i].operand_name);
		fprintf(out, "  %-24s %s\n", synopsis, verbs[i].help);
	}
	fprintf(out,
	    "\n"
	    "  --config FILE            the configuration, %s\n"
	    "  --format table|json|yaml how to print, table\n"
	    "  --regions A,B            scan: these regions with the own identity, without a "
	    "configuration\n"
	    "  --principal ARN          iam-policy: who discoveryd is, instead of asking STS\n"
	    "  --serving ARN            iam-policy: who kubeproxyd is\n"
	    "  --instance-role ARN      iam-policy: the role of the EC2 instance that both run "
	    "on;\n"
	    "                           --principal and --serving are then the roles it assumes\n"
	    "  --connected              inventory: only the subscribers\n"
	    "  --dry-run                access: only print what would be done\n"
	    "  --options                check: print every key of the configuration\n"
	    "  --help, --version\n"
	    "\n"
	    "Exit status: 0 done, 1 the answer is no, 2 wrong use.\n",
	    SETTINGS_DEFAULT_PATH);
}

static int wrong_use(const char *what, const char *detail)
{
	fprintf(stderr, "discoveryd: %s%s; discoveryd --help shows the usage\n", what, detail);
	return EXIT_USAGE;
}

/* The value of option `name` at argv[*at], as "--name VALUE" or "--name=VALUE"; moves *at. */
static bool take_value(char **argv, int argc, int *at, const char *name, const char **value)
{
	size_t len = strlen(name);
	if (strncmp(argv[*at], name, len) != 0)
		return false;
	if (argv[*at][len] == '=') {
		*value = argv[*at] + len + 1;
		return true;
	}
	if (argv[*at][len] != '\0')
		return false;
	*value = *at + 1 < argc ? argv[++*at] : NULL;
	return true;
}

static bool take_flag(const char *arg, struct cli *cli)
{
	if (strcmp(arg, "--connected") == 0)
		cli->is_connected = true;
	else if (strcmp(arg, "--options") == 0)
		cli->is_options = true;
	else if (strcmp(arg, "--dry-run") == 0)
		cli->is_dry_run = true;
	else
		return false;
	return true;
}

/* EXIT_DONE when the option at argv[*at] was taken. */
static int take_option(int argc, char **argv, int *at, struct cli *cli)
{
	const char *option = argv[*at], *value = NULL;
	if (take_flag(option, cli))
		return EXIT_DONE;
	if (take_value(argv, argc, at, "--config", &value)) {
		cli->config = value;
		cli->has_config = true;
	} else if (take_value(argv, argc, at, "--regions", &value)) {
		cli->regions = value;
	} else if (take_value(argv, argc, at, "--principal", &value)) {
		cli->principal = value;
	} else if (take_value(argv, argc, at, "--serving", &value)) {
		cli->serving = value;
	} else if (take_value(argv, argc, at, "--instance-role", &value)) {
		cli->instance_role = value;
	} else if (take_value(argv, argc, at, "--format", &value)) {
		if (value != NULL && !render_format_parse(value, &cli->format))
			return wrong_use("--format is table, json or yaml, not ", value);
	} else {
		return wrong_use("unknown option ", option);
	}
	return value != NULL && value[0] != '\0' ? EXIT_DONE
						 : wrong_use("a value is missing after ", option);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int run_verb(const char *name, const struct cli *cli)
{
	const struct verb *verb = find_verb(name);
	if (verb == NULL)
		return wrong_use("unknown verb ", name);
	if (verb->operand == OPERAND_REQUIRED && cli->operand == NULL)
		return wrong_use("needs an operand: ", verb->operand_name);
	if (verb->operand == OPERAND_NONE && cli->operand != NULL)
		return wrong_use("one operand too many: ", cli->operand);
	return verb->fn(cli);
}

int cli_main(int argc, char **argv)
{
	struct cli cli = {.config = SETTINGS_DEFAULT_PATH, .format = RENDER_TABLE};
	const char *verb = NULL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_usage(stdout);
			return EXIT_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("discoveryd %s\n", EKSGATE_VERSION);
			return EXIT_DONE;
		}
		if (argv[i][0] == '-') {
			int status = take_option(argc, argv, &i, &cli);
			if (status != EXIT_DONE)
				return status;
		} else if (verb == NULL) {
			verb = argv[i];
		} else if (cli.operand == NULL) {
			cli.operand = argv[i];
		} else {
			return wrong_use("one operand too many: ", argv[i]);
		}
	}
	if (verb == NULL) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return run_verb(verb, &cli);
}
