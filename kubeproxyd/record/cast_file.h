/* Recordings as files in a directory: ID.cast is kept, ID.cast.part is still written, or was left
 * by a crash. Reads only the ends of a file, and takes no lock: whoever writes is never disturbed.
 */
#ifndef EKSGATE_CAST_FILE_H
#define EKSGATE_CAST_FILE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

#define CAST_KEPT_SUFFIX ".cast"
#define CAST_PART_SUFFIX ".cast.part"

/* `id` is the name without what follows; `is_part`: it is not finished. */
typedef void cast_file_fn(void *arg, const char *id, const char *path, bool is_part);

/* Calls `fn` for each. A directory that is not there has none. False: *error (free()). */
bool cast_directory_each(const char *directory, cast_file_fn *fn, void *arg, char **error) MUST_USE;
/* The path (free()) of the one whose id begins with `prefix`; NULL: *error says that there is none,
 * or several. */
char *cast_directory_find(const char *directory, const char *prefix, char **error) MUST_USE;

struct cast_summary {
	struct json_object *header; /* the first line; NULL with a problem */
	int64_t width, height, timestamp; /* of it */
	int64_t duration_us; /* to the last event */
	char *ending; /* "exit 0", "ended: why": what the last event says; NULL: nothing */
	uint64_t size; /* bytes */
	char *problem; /* "FILE:1:12: what", when it cannot be read; NULL */
};

void cast_summary_read(const char *path, struct cast_summary *summary);
void cast_summary_free(struct cast_summary *summary);

#endif
