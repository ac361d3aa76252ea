/* The answer of an explanation: why the cluster is missing, in a few words each, with what to do.
 * Made from the explanation's own document, so that programs can check it. */
#ifndef EKSGATE_EXPLAIN_CAUSES_H
#define EKSGATE_EXPLAIN_CAUSES_H

#include <json-c/json.h>

#include "common/attr.h"
#include "common/buf.h"

/* [{cause, text, remedy}], most likely first; empty when the cluster is served as it should be.
 * Causes: "tags", "region", "account", "permission", "credentials-expired", "credentials", "clock",
 * "region-disabled", "throttled", "unreachable", "bad-reply", "failed", "status", "deleting",
 * "unusable", "name", "removed", "orphaned", "held", "pending", "absent", "unknown",
 * "not-recorded", "configuration". */
struct json_object *explain_causes(struct json_object *explanation) MUST_USE;

/* The cause that an error of AWS stands for: {operation, outcome, code, message}. */
const char *explain_error_cause(struct json_object *error) MUST_USE;

/* For people. */
void explain_causes_write(struct buf *out, struct json_object *causes);

#endif
