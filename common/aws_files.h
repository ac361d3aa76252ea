/* What every reader of AWS's configuration starts from: environment variables, the two shared
 * files, and small files such as tokens. Blocking, for local files only. */
#ifndef EKSGATE_AWS_FILES_H
#define EKSGATE_AWS_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_ini.h"
#include "common/buf.h"

/* NULL also for an empty one. Borrowed from the environment. */
const char *aws_variable(const char *name);
/* "~/x" is below HOME (free()). */
char *aws_expanded_path(const char *path) MUST_USE;
/* All of a file, at most `max` bytes. False: errno says why. */
bool aws_read_file(const char *path, size_t max, struct buf *out) MUST_USE;
/* A token: one line of printable text without white space inside, white space around it cut off
 * (xfree_secret()). NULL: *error "PATH: why". */
char *aws_read_token(const char *path, size_t max, char **error) MUST_USE;

struct aws_file {
	char *path;
	bool is_missing;
	struct aws_ini *ini; /* NULL when missing */
};

/* {0} initialises. */
struct aws_files {
	struct aws_file config, credentials;
};
/* A file that is not there is fine unless a variable names it. False: *error (free()). */
bool aws_files_load(struct aws_files *files, char **error) MUST_USE;
void aws_files_free(struct aws_files *files);

/* A value and where it stands; the credentials file wins, an empty value counts as none. Borrowed.
 */
struct aws_setting {
	const char *value; /* NULL: not set */
	const char *file;
	unsigned line;
};
struct aws_setting aws_setting_of(const struct aws_ini *config, const struct aws_ini *credentials,
    const char *profile, const char *key);

#endif
