/* Writing files so that a crash or a second caller leaves either the old state or the new one: a
 * temporary file beside the target, synced, then linked (refuses to overwrite) or renamed
 * (replaces). Called by the offline commands. */
#include "kubeproxyd/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmem.h"

static bool fail(const char *path, char **error)
{
	*error = xasprintf("%s: %s", path, strerror(errno));
	return false;
}

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len > 0) {
		ssize_t written = write(fd, text, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		text += written;
		len -= (size_t)written;
	}
	return true;
}

char *new_file_directory(const char *path)
{
	char *copy = xstrdup(path);
	char *directory = xstrdup(dirname(copy));
	free(copy);
	return directory;
}

static bool sync_directory(const char *path)
{
	char *directory = new_file_directory(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	free(directory);
	return is_synced;
}

/* The temporary file (free()), or NULL. */
static char *write_temporary(const char *path, const char *text, mode_t mode, char **error)
{
	char *temporary = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd >= 0 && fchmod(fd, mode) == 0 && write_all(fd, text) && fsync(fd) == 0 &&
	    close(fd) == 0)
		return temporary;
	(void)fail(path, error);
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	free(temporary);
	return NULL;
}

bool new_file_write(const char *path, const char *text, mode_t mode, char **error)
{
	char *temporary = write_temporary(path, text, mode, error);
	if (temporary == NULL)
		return false;
	bool is_made = link(temporary, path) == 0 && sync_directory(path);
	if (!is_made)
		(void)fail(path, error);
	unlink(temporary);
	free(temporary);
	return is_made;
}

bool new_file_replace(const char *path, const char *text, mode_t mode, char **error)
{
	char *temporary = write_temporary(path, text, mode, error);
	if (temporary == NULL)
		return false;
	bool is_made = rename(temporary, path) == 0 && sync_directory(path);
	if (!is_made) {
		(void)fail(path, error);
		unlink(temporary);
	}
	free(temporary);
	return is_made;
}

bool new_file_append(const char *path, const char *line, mode_t mode, char **error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail(path, error);
	bool is_written = write_all(fd, line) && fsync(fd) == 0;
	if (!is_written)
		(void)fail(path, error);
	close(fd);
	return is_written;
}

char *new_file_read(const char *path, size_t max, char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)fail(path, error);
		return NULL;
	}
	char *text = xcalloc(1, max + 1);
	size_t used = 0;
	ssize_t len;
	do {
		len = read(fd, text + used, max + 1 - used);
		used += len > 0 ? (size_t)len : 0;
	} while ((len > 0 && used <= max) || (len < 0 && errno == EINTR));
	close(fd);
	if (len == 0 && strlen(text) == used)
		return text;
	*error = len < 0 ? xasprintf("%s: %s", path, strerror(errno))
			 : xasprintf("%s: is no text of at most %zu bytes", path, max);
	explicit_bzero(text, used);
	free(text);
	return NULL;
}

bool new_file_make_directory(const char *path, mode_t mode, char **error)
{
	char *copy = xstrdup(path);
	bool is_made = true;
	for (char *slash = strchr(copy + 1, '/'); is_made && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		is_made = mkdir(copy, 0755) == 0 || errno == EEXIST;
		if (!is_made)
			(void)fail(copy, error);
		*slash = '/';
	}
	if (is_made && mkdir(copy, mode) != 0 && errno != EEXIST)
		is_made = fail(copy, error);
	free(copy);
	return is_made;
}
