/* Finds instances by their admin sockets in the run directory and asks them one after the other.
 * Called by the verbs that need a running proxy. */
#include "kubeproxyd/cli_ask.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/admin.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"

/* How many answered. */
static size_t ask_sockets(
    const glob_t *sockets, const char *method, const char *target, cli_answer_fn *fn, void *arg)
{
	size_t answered = 0;
	bool goes_on = true;
	for (size_t i = 0; i < sockets->gl_pathc && goes_on; i++) {
		int status = 0;
		struct json_object *document = NULL;
		char *error = NULL;
		if (admin_call(sockets->gl_pathv[i], method, target, &status, &document, &error)) {
			answered++;
			goes_on = fn(arg, status, document);
			json_object_put(document);
			continue;
		}
		(void)cli_fail(error);
	}
	return answered;
}

bool cli_ask(const char *run_dir, const char *instance, const char *method, const char *target,
    cli_answer_fn *fn, void *arg)
{
	glob_t sockets;
	char *pattern = xasprintf("%s/%s.sock", run_dir, instance != NULL ? instance : "*");
	int result = glob(pattern, 0, NULL, &sockets);
	size_t answered = 0;
	if (result == 0)
		answered = ask_sockets(&sockets, method, target, fn, arg);
	else
		(void)cli_fail(cli_why_nothing(
		    run_dir, xasprintf("no instance runs here (no socket %s)", pattern)));
	globfree(&sockets);
	free(pattern);
	return answered > 0;
}
