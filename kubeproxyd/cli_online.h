/* The verbs that ask running instances, and `check`. Each gets what stands behind the verb and
 * returns the exit status. */
#ifndef EKSGATE_CLI_ONLINE_H
#define EKSGATE_CLI_ONLINE_H

#include "common/attr.h"

int cli_ls(int argc, char **argv) MUST_USE;
int cli_token(int argc, char **argv) MUST_USE;
int cli_check(int argc, char **argv) MUST_USE;
int cli_run(int argc, char **argv) MUST_USE;

#endif
