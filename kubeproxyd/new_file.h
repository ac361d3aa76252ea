/* Files that the offline commands make: keys, certificates, samples. Complete on disk or not there,
 * and never in place of another. */
#ifndef EKSGATE_NEW_FILE_H
#define EKSGATE_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/attr.h"

/* Creates `path` with `mode` and `text`. Refuses when it exists. False: *error "PATH: why"
 * (free()). */
bool new_file_write(const char *path, const char *text, mode_t mode, char **error) MUST_USE;
/* Replaces `path` atomically, for output that the user named. False: *error (free()). */
bool new_file_replace(const char *path, const char *text, mode_t mode, char **error) MUST_USE;
/* Appends a line to `path`, created with `mode`, on disk when it returns. False: *error (free()).
 */
bool new_file_append(const char *path, const char *line, mode_t mode, char **error) MUST_USE;
/* What a file of at most `max` bytes holds, as text; NULL: *error. It may be a secret:
 * xfree_secret(). */
char *new_file_read(const char *path, size_t max, char **error) MUST_USE;
/* The directory of `path` (free()). */
char *new_file_directory(const char *path) MUST_USE;
/* Makes a directory and those above it, 0755, the last with `mode`; one that exists is left as it
 * is. */
bool new_file_make_directory(const char *path, mode_t mode, char **error) MUST_USE;

#endif
