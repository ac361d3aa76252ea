/* The offline verbs: files, certificates, kubeconfigs, explanations. Each gets its own name as
 * argv[0] and returns the exit status. */
#ifndef EKSGATE_CLI_H
#define EKSGATE_CLI_H

#include <stddef.h>

#include "common/attr.h"

struct settings;

enum cli_status { CLI_DONE = 0, CLI_NO = 1, CLI_USAGE = 2 };

int cli_audit(int argc, char **argv) MUST_USE;
int cli_can(int argc, char **argv) MUST_USE;
int cli_init(int argc, char **argv) MUST_USE;
int cli_cert(int argc, char **argv) MUST_USE;
int cli_kubeconfig(int argc, char **argv) MUST_USE;
int cli_lock(int argc, char **argv) MUST_USE;
int cli_unlock(int argc, char **argv) MUST_USE;
int cli_locks(int argc, char **argv) MUST_USE;
int cli_rbac(int argc, char **argv) MUST_USE;
int cli_request_info(int argc, char **argv) MUST_USE;

/* For these verbs alone: each says "kubeproxyd: …" on stderr. */
int cli_wrong_use(const char *usage, const char *format, ...) PRINTF_LIKE(2, 3);
/* Frees `error`; CLI_NO. */
int cli_fail(char *error);
/* NULL after saying why. */
struct settings *cli_load_settings(const char *path) MUST_USE;

#endif
