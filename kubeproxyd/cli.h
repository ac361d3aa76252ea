/* The verbs. Each gets its own name as argv[0] and returns the exit status; its table of options
 * stands beside it. */
#ifndef EKSGATE_CLI_H
#define EKSGATE_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/command_line.h"

struct settings;

enum cli_status { CLI_DONE = 0, CLI_NO = 1, CLI_USAGE = 2 };

/* Files, certificates, kubeconfigs, explanations. */
extern const struct verb cli_audit_verb, cli_can_verb, cli_cert_verb, cli_init_verb,
    cli_kubeconfig_verb, cli_lock_verb, cli_locks_verb, cli_rbac_verb, cli_request_info_verb,
    cli_unlock_verb;
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

/* Sessions in containers. */
extern const struct verb cli_play_verb, cli_sessions_verb;
int cli_play(int argc, char **argv) MUST_USE;
int cli_sessions(int argc, char **argv) MUST_USE;

/* For verbs alone: each says "kubeproxyd: …" on stderr. */

/* The row that every verb with a configuration has; `fields` has a `const char *config`. */
#define CLI_CONFIG_OPTION(fields)                                                                  \
	{                                                                                          \
		"config", "FILE", option_text, offsetof(fields, config),                           \
		    "the configuration, /etc/eksgate/eksgate.yaml"                                 \
	}
/* Time in the past, as a length ("90s", "15m", "12h", "7d") or as it is written in RFC 3339: struct
 * unix_time. */
option_fn cli_option_since;
/* How long a certificate or a lock is good: struct duration, from a minute to 30 days. */
option_fn cli_option_ttl;
/* The name of an instance: const char *. */
option_fn cli_option_instance;

/* verb_read(). False: the verb is over with *status, its help was printed or the mistake told. */
bool cli_read(const struct verb *verb, int argc, char **argv, void *fields, char ***operands,
    int *status) MUST_USE;
int cli_wrong_use(const struct verb *verb, const char *format, ...) PRINTF_LIKE(2, 3);
/* What came from outside, as a line for people; control characters are escaped. */
void cli_tell(const char *text);
/* The same of what may be several lines. Frees `error`; CLI_NO. */
int cli_fail(char *error);
/* Why nothing was found in `directory`: it may not be looked into, else `otherwise` (taken).
 * free().
 */
char *cli_why_nothing(const char *directory, char *otherwise) MUST_USE;
/* `path` NULL: the usual one. NULL after saying why. */
struct settings *cli_load_settings(const char *path) MUST_USE;
/* For verbs that look for what runs here or for what it left, by a few paths: a file with mistakes
 * is told of, and does not stop them. */
struct settings *cli_load_readable(const char *path, bool *is_whole) MUST_USE;

#endif
