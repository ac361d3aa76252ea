/* A lock file that says who holds it: flock(2) on FILE, whose text is the holder's process id. The
 * lock goes with the process, whatever ends it. */
#ifndef EKSGATE_LOCK_FILE_H
#define EKSGATE_LOCK_FILE_H

#include "common/attr.h"

/* The descriptor that holds the lock (close-on-exec; close(2) releases it), or -1 with *error,
 * "FILE is held by pid 4711" or why it cannot be opened (free()). The file is created 0600 and
 * stays behind. */
int lock_file_take(const char *path, char **error) MUST_USE;

#endif
