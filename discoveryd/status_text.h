/* The answer of `discoveryd status` for people. */
#ifndef EKSGATE_STATUS_TEXT_H
#define EKSGATE_STATUS_TEXT_H

#include <json-c/json.h>

#include "common/buf.h"

void status_write(struct buf *out, struct json_object *document);

#endif
