/* kubeproxyd: the authenticated door to every discovered EKS cluster. A table of verbs; what each
 * does stands in the file that has its name. */
#include <stdio.h>
#include <string.h>

#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_online.h"

static const struct {
	const struct verb *verb;
	int (*run)(int argc, char **argv);
} verbs[] = {
    {&cli_run_verb, cli_run},
    {&cli_init_verb, cli_init},
    {&cli_check_verb, cli_check},
    {&cli_ls_verb, cli_ls},
    {&cli_kubeconfig_verb, cli_kubeconfig},
    {&cli_cert_verb, cli_cert},
    {&cli_audit_verb, cli_audit},
    {&cli_sessions_verb, cli_sessions},
    {&cli_play_verb, cli_play},
    {&cli_rbac_verb, cli_rbac},
    {&cli_can_verb, cli_can},
    {&cli_lock_verb, cli_lock},
    {&cli_unlock_verb, cli_unlock},
    {&cli_locks_verb, cli_locks},
    {&cli_request_info_verb, cli_request_info},
    {&cli_token_verb, cli_token},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_usage(FILE *out)
{
	fputs("usage: kubeproxyd VERB [OPERAND...] [OPTION...]\n\n", out);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-14s %s\n", verbs[i].verb->name, verbs[i].verb->help);
	fputs("\n"
	      "  --config FILE  of a verb: the configuration, /etc/eksgate/eksgate.yaml\n"
	      "  --help         of kubeproxyd, or of a verb\n"
	      "  --version\n"
	      "\n"
	      "Exit status: 0 done, 1 the answer is no, 2 wrong use.\n",
	    out);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0) {
		print_usage(stdout);
		return CLI_DONE;
	}
	if (strcmp(name, "--version") == 0) {
		printf("kubeproxyd %s\n", EKSGATE_VERSION);
		return CLI_DONE;
	}
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verbs[i].verb->name, name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	if (*name == '-')
		fprintf(stderr, "kubeproxyd: %s: the verb comes first, then its options\n", name);
	else if (*name != '\0')
		fprintf(stderr, "kubeproxyd: unknown verb %s\n", name);
	print_usage(stderr);
	return CLI_USAGE;
}
