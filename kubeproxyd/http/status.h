/* Errors for clients: metav1.Status in JSON (Kubernetes API conventions, "Response Status Kind").
 * kubectl shows `message` verbatim, so it says what to do next. */
#ifndef EKSGATE_STATUS_H
#define EKSGATE_STATUS_H

#include "common/attr.h"
#include "common/buf.h"

/* Kubernetes' reason for an HTTP status: 401 "Unauthorized", 503 "ServiceUnavailable"; "" when it
 * has none. */
const char *status_reason(unsigned code);
/* Appends the document, ended by a newline. `message` is escaped. */
void status_write(struct buf *out, unsigned code, const char *message);

#endif
