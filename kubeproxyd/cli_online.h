/* The verbs that ask running instances, and `check`. Each gets its own name as argv[0] and returns
 * the exit status. */
#ifndef EKSGATE_CLI_ONLINE_H
#define EKSGATE_CLI_ONLINE_H

#include "common/attr.h"
#include "common/command_line.h"

extern const struct verb cli_check_verb, cli_ls_verb, cli_run_verb, cli_token_verb;
int cli_ls(int argc, char **argv) MUST_USE;
int cli_token(int argc, char **argv) MUST_USE;
int cli_check(int argc, char **argv) MUST_USE;
int cli_run(int argc, char **argv) MUST_USE;

#endif
