/* See the header. Called by the default credential chain at each refresh, so that changed files
 * count without a restart, and once at start for the endpoints. */
#include "common/aws_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xmem.h"

#define MAX_FILE ((size_t)1024 * 1024)

const char *aws_variable(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && *value != '\0' ? value : NULL;
}

char *aws_expanded_path(const char *path)
{
	const char *home = aws_variable("HOME");
	if (strncmp(path, "~/", 2) == 0 && home != NULL)
		return xasprintf("%s/%s", home, path + 2);
	return xstrdup(path);
}

bool aws_read_file(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t got;
	do {
		char *room = buf_reserve(out, 65536);
		got = read(fd, room, 65536);
		if (got > 0)
			buf_commit(out, (size_t)got);
	} while (got > 0 && out->len <= max);
	int failure = got < 0 ? errno : out->len > max ? EFBIG : 0;
	close(fd);
	errno = failure;
	return failure == 0;
}

/* NULL when it is fine. */
static const char *token_flaw(const char *token, size_t len)
{
	if (len == 0)
		return "is empty";
	for (size_t i = 0; i < len; i++) {
		if (token[i] <= ' ' || token[i] > '~')
			return "is no token: it holds white space, a control character or "
			       "something that is not ASCII";
	}
	return NULL;
}

char *aws_read_token(const char *path, size_t max, char **error)
{
	struct buf text = {0};
	if (!aws_read_file(path, max, &text)) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		buf_free_secret(&text);
		return NULL;
	}
	const char *start = buf_text(&text);
	size_t len = text.len;
	for (; len > 0 && strchr(" \t\r\n", *start) != NULL && *start != '\0'; len--)
		start++;
	while (len > 0 && start[len - 1] != '\0' && strchr(" \t\r\n", start[len - 1]) != NULL)
		len--;
	const char *flaw = token_flaw(start, len);
	char *token = flaw == NULL ? xstrndup(start, len) : NULL;
	if (flaw != NULL)
		*error = xasprintf("%s: %s", path, flaw);
	buf_free_secret(&text);
	return token;
}

/* --- the shared files ------------------------------------------------------------------------ */

static bool load(struct aws_file *file, const char *name, const char *fallback,
    enum aws_ini_kind kind, char **error)
{
	const char *named = aws_variable(name);
	struct buf text = {0};
	file->path = aws_expanded_path(named != NULL ? named : fallback);
	if (aws_read_file(file->path, MAX_FILE, &text)) {
		file->ini = aws_ini_parse(file->path, kind, buf_text(&text), text.len);
		buf_free_secret(&text);
		return true;
	}
	int failure = errno;
	buf_free_secret(&text);
	file->is_missing = failure == ENOENT || failure == ENOTDIR;
	if (file->is_missing && named == NULL)
		return true;
	*error = xasprintf("cannot read %s%s%s%s: %s", file->path, named != NULL ? " (" : "",
	    named != NULL ? name : "", named != NULL ? ")" : "", strerror(failure));
	return false;
}

static void unload(struct aws_file *file)
{
	aws_ini_free(&file->ini);
	xfree(&file->path);
}

bool aws_files_load(struct aws_files *files, char **error)
{
	*files = (struct aws_files){0};
	return load(&files->credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials",
		   AWS_INI_CREDENTIALS, error) &&
	       load(&files->config, "AWS_CONFIG_FILE", "~/.aws/config", AWS_INI_CONFIG, error);
}

void aws_files_free(struct aws_files *files)
{
	unload(&files->config);
	unload(&files->credentials);
}

static struct aws_setting setting_in(
    const struct aws_ini *ini, const char *profile, const char *key)
{
	const struct aws_ini_property *property = aws_ini_get(ini, profile, key);
	if (property == NULL)
		return (struct aws_setting){0};
	return (struct aws_setting){property->value, ini->file, property->line};
}

struct aws_setting aws_setting_of(const struct aws_ini *config, const struct aws_ini *credentials,
    const char *profile, const char *key)
{
	struct aws_setting setting = setting_in(credentials, profile, key);
	if (setting.value == NULL)
		setting = setting_in(config, profile, key);
	if (setting.value != NULL && *setting.value == '\0')
		setting.value = NULL;
	return setting;
}
