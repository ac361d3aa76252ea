/* A sender of entries to journald, in its own protocol. Owned by audit_sink.c. */
#ifndef EKSGATE_JOURNAL_H
#define EKSGATE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* -1: errno says why not. close() ends it. */
int journal_open(const char *path);
/* One entry, with this line (and its end) as the message, as large as it may be. False: errno says
 * why not, and nothing was sent. */
bool journal_send(int fd, const char *line, size_t len) MUST_USE;
/* Whether an errno of journal_send() says that nobody listens behind `fd` any more. */
bool journal_is_gone(int error);

#endif
