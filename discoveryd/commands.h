/* The verbs of discoveryd; each returns the exit status (0 done, 1 the answer is no, 2 wrong use).
 */
#ifndef EKSGATE_COMMANDS_H
#define EKSGATE_COMMANDS_H

#include <json-c/json.h>

#include "common/attr.h"
#include "discoveryd/cli.h"

/* Validates the configuration, or prints its rows (--options). */
int command_check(const struct cli *cli) MUST_USE;
/* One pass over all scopes; prints what would be enrolled and what went wrong. Changes nothing,
 * asks no daemon. */
int command_scan(const struct cli *cli) MUST_USE;

/* Prints the policies that the configuration needs; asks STS who it is, and no daemon. */
int command_iam_policy(const struct cli *cli) MUST_USE;

/* These ask the running daemon over its admin socket. */
int command_get(const struct cli *cli) MUST_USE;
int command_explain(const struct cli *cli) MUST_USE;
int command_status(const struct cli *cli) MUST_USE;
int command_inventory(const struct cli *cli) MUST_USE;
int command_confirm_removal(const struct cli *cli) MUST_USE;
/* What is arranged, or missing, for a cluster; without --dry-run it is tried again at once. */
int command_access(const struct cli *cli) MUST_USE;

/* The document that the daemon answers METHOD PREFIX+TEXT with (json_object_put), or NULL after
 * telling why on stderr. */
struct json_object *command_ask(
    const struct cli *cli, const char *method, const char *prefix, const char *text) MUST_USE;
int command_forget(const struct cli *cli) MUST_USE;

#endif
