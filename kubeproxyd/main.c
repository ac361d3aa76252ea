/* kubeproxyd: the authenticated door to every discovered EKS cluster. A table of verbs; what each
 * does stands in the file that has its name. */
#include <stdio.h>
#include <string.h>

#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_online.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
    {"run", cli_run, "run an instance in the foreground"},
    {"init", cli_init, "make the server certificate and the client CA, once"},
    {"check", cli_check, "validate configuration, TLS files and roles"},
    {"ls", cli_ls, "print the clusters that the instances here serve"},
    {"kubeconfig", cli_kubeconfig, "print a kubeconfig for the clusters"},
    {"cert", cli_cert, "make a short-lived client certificate for somebody"},
    {"audit", cli_audit, "print the audit log of all instances here"},
    {"rbac", cli_rbac, "print what lets the proxy into a cluster"},
    {"can", cli_can, "say whether somebody may do something, and why"},
    {"lock", cli_lock, "keep a user, a group, a role or a certificate out, at once"},
    {"unlock", cli_unlock, "take a lock away"},
    {"locks", cli_locks, "print the locks that are in force"},
    {"request-info", cli_request_info, "say what an API server takes a request to be"},
    {"token", cli_token, "print an EKS token for a cluster, as kubectl takes it (root only)"},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_usage(FILE *out)
{
	fputs("usage: kubeproxyd VERB [OPERAND...] [OPTION...]\n\n", out);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-14s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n"
	      "  --config FILE  the configuration, /etc/eksgate/eksgate.yaml\n"
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
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	if (*name != '\0')
		fprintf(stderr, "kubeproxyd: unknown verb %s\n", name);
	print_usage(stderr);
	return CLI_USAGE;
}
