/* What an installation needs before its first start: a server certificate, a client CA, a directory
 * of roles. For `init`. */
#ifndef EKSGATE_FIRST_FILES_H
#define EKSGATE_FIRST_FILES_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"

struct settings;

/* Makes what is missing and leaves alone what is there; `report` gets a line for each. Under a lock
 * beside the server certificate. False: *error says what stands in the way (free()); what was made
 * before stays, and a next call goes on. */
bool first_files_make(const struct settings *settings, struct buf *report, char **error) MUST_USE;

#endif
