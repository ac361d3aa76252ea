/* Names of users and groups, wherever they come from (certificates, roles, the command line): what
 * may be one at all. They end up in header fields, logs and audit events. Pure. */
#ifndef EKSGATE_PRINCIPAL_H
#define EKSGATE_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define PRINCIPAL_MAX_BYTES  256
#define PRINCIPAL_MAX_GROUPS 64

/* NULL when `name` (`len` bytes) may name a user or a group, else why not: "is empty", "holds a
 * control character". */
const char *principal_refuse(const char *name, size_t len) MUST_USE;
/* Kubernetes keeps "system:" for itself. */
bool principal_is_system(const char *name) MUST_USE;

#endif
