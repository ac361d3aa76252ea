/* The answer of `discoveryd status` for people, and of its parts what `scan` shows, too. */
#ifndef EKSGATE_STATUS_TEXT_H
#define EKSGATE_STATUS_TEXT_H

#include <json-c/json.h>

#include "common/buf.h"

void status_write(struct buf *out, struct json_object *document);
/* What is wrong with {scopes, wildcards, organizations}, each problem once with all who have it;
 * nothing when all is well. */
void status_write_problems(struct buf *out, struct json_object *document);

#endif
