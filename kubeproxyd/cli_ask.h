/* Asks the running instances by their admin sockets. */
#ifndef EKSGATE_CLI_ASK_H
#define EKSGATE_CLI_ASK_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/attr.h"

/* Whether to go on with the next instance. `document` is borrowed. */
typedef bool cli_answer_fn(void *arg, int status, struct json_object *document);

/* `instance` NULL: every one that has its socket in `run_dir`. False after telling why, when none
 * answered. */
bool cli_ask(const char *run_dir, const char *instance, const char *method, const char *target,
    cli_answer_fn *fn, void *arg) MUST_USE;

#endif
