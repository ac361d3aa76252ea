/* The outer half of aws_profile.h: reads the environment and the shared files, and explains what
 * was looked at when neither has anything. Called by the default credential provider at each
 * refresh, so that changed files count without a restart. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/aws_profile.h"
#include "common/buf.h"
#include "common/xmem.h"

#define MAX_FILE ((size_t)1024 * 1024)

/* One of the two shared files. */
struct shared_file {
	char *path;
	bool is_named; /* by an environment variable: then it must exist */
	bool is_missing;
	struct aws_ini *ini;
};

/* NULL also for an empty one. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && *value != '\0' ? value : NULL;
}

const char *aws_profile_name(void)
{
	const char *name = variable("AWS_PROFILE");
	if (name == NULL)
		name = variable("AWS_DEFAULT_PROFILE");
	return name != NULL ? name : "default";
}

bool aws_environment_has_keys(void)
{
	return variable("AWS_ACCESS_KEY_ID") != NULL || variable("AWS_SECRET_ACCESS_KEY") != NULL;
}

static bool take_environment(struct aws_plan *plan, char **error)
{
	const char *key = variable("AWS_ACCESS_KEY_ID");
	const char *secret = variable("AWS_SECRET_ACCESS_KEY");
	if (key == NULL || secret == NULL) {
		*error = xasprintf("%s is set but %s is not: both are needed",
		    key != NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
		    key != NULL ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
		return false;
	}
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xstrdup(key);
	credentials->secret_access_key = xstrdup(secret);
	credentials->session_token = xstrdup_or_null(variable("AWS_SESSION_TOKEN"));
	credentials->source = xstrdup("environment");
	plan->credentials = credentials;
	char *why = NULL;
	if (aws_credentials_are_sound(credentials, &why))
		return true;
	*error = xasprintf("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: %s", why);
	xfree(&why);
	return false;
}

/* --- files ----------------------------------------------------------------------------------- */

/* "~/x" is below HOME. */
static char *expanded(const char *path)
{
	const char *home = variable("HOME");
	if (strncmp(path, "~/", 2) == 0 && home != NULL)
		return xasprintf("%s/%s", home, path + 2);
	return xstrdup(path);
}

/* All of a file, at most MAX_FILE bytes. False: errno says why. */
static bool read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got;
	do {
		char *room = buf_reserve(out, 65536);
		got = read(fd, room, 65536);
		if (got > 0)
			buf_commit(out, (size_t)got);
	} while (got > 0 && out->len <= MAX_FILE);
	int failure = got < 0 ? errno : out->len > MAX_FILE ? EFBIG : 0;
	close(fd);
	errno = failure;
	return failure == 0;
}

/* A file that is not there is fine unless a variable names it. */
static bool load(struct shared_file *file, const char *name, const char *fallback,
    enum aws_ini_kind kind, char **error)
{
	const char *named = variable(name);
	struct buf text = {0};
	file->is_named = named != NULL;
	file->path = expanded(named != NULL ? named : fallback);
	if (read_file(file->path, &text)) {
		file->ini = aws_ini_parse(file->path, kind, buf_text(&text), text.len);
		buf_free_secret(&text);
		return true;
	}
	int failure = errno;
	buf_free_secret(&text);
	file->is_missing = failure == ENOENT || failure == ENOTDIR;
	if (file->is_missing && !file->is_named)
		return true;
	*error = xasprintf("cannot read %s%s%s%s: %s", file->path, file->is_named ? " (" : "",
	    file->is_named ? name : "", file->is_named ? ")" : "", strerror(failure));
	return false;
}

static void unload(struct shared_file *file)
{
	aws_ini_free(&file->ini);
	xfree(&file->path);
}

static const char *absence(const struct shared_file *file)
{
	return file->is_missing ? " (no such file)" : "";
}

/* What was looked at, for the one who has to set something. */
static char *nothing_text(
    const char *profile, const struct shared_file *credentials, const struct shared_file *config)
{
	bool exists = aws_ini_find(credentials->ini, profile) != NULL ||
		      aws_ini_find(config->ini, profile) != NULL;
	char *text = xasprintf(
	    "no AWS credentials: AWS_ACCESS_KEY_ID is not set, and profile %s %s %s%s %s %s%s; set "
	    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE%s%s%s",
	    profile, exists ? "has none in" : "is neither in", credentials->path,
	    absence(credentials), exists ? "and" : "nor in", config->path, absence(config),
	    credentials->ini != NULL && credentials->ini->note_count > 0 ? "; " : "",
	    credentials->ini != NULL ? buf_text(&credentials->ini->notes) : "",
	    config->ini != NULL ? buf_text(&config->ini->notes) : "");
	for (char *p = text + strlen(text); p > text && p[-1] == '\n';)
		*--p = '\0';
	return text;
}

static const char *container_variable(void)
{
	static const char *const names[] = {
	    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
	for (size_t i = 0; i < 2; i++) {
		if (variable(names[i]) != NULL)
			return names[i];
	}
	return NULL;
}

static bool take_profile(struct aws_plan *plan, const struct shared_file *credentials,
    const struct shared_file *config, char **error)
{
	const char *profile = aws_profile_name();
	enum aws_profile_result result =
	    aws_profile_resolve(config->ini, credentials->ini, profile, plan, error);
	if (result != AWS_PROFILE_EMPTY)
		return result == AWS_PROFILE_OK;
	const char *container = container_variable();
	if (container != NULL)
		*error = xasprintf(
		    "%s is set: credentials of containers are not supported by this version; set "
		    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
		    container);
	else
		*error = nothing_text(profile, credentials, config);
	return false;
}

static bool take_files(struct aws_plan *plan, char **error)
{
	struct shared_file credentials = {0}, config = {0};
	bool is_taken = load(&credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials",
			    AWS_INI_CREDENTIALS, error) &&
			load(&config, "AWS_CONFIG_FILE", "~/.aws/config", AWS_INI_CONFIG, error) &&
			take_profile(plan, &credentials, &config, error);
	unload(&credentials);
	unload(&config);
	return is_taken;
}

static void set_region(struct aws_plan *plan)
{
	const char *region = variable("AWS_REGION");
	if (region == NULL)
		region = variable("AWS_DEFAULT_REGION");
	if (region == NULL)
		return;
	xfree(&plan->region);
	plan->region = xstrdup(region);
}

bool aws_plan_make(struct aws_plan *plan, char **error)
{
	*plan = (struct aws_plan){0};
	*error = NULL;
	bool is_made;
	if (aws_environment_has_keys()) {
		is_made = take_environment(plan, error);
	} else if (variable("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL) {
		*error = xstrdup(
		    "AWS_WEB_IDENTITY_TOKEN_FILE is set: web identities are not supported by this "
		    "version; set "
		    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or unset it and use AWS_PROFILE");
		is_made = false;
	} else {
		is_made = take_files(plan, error);
	}
	if (is_made)
		set_region(plan);
	else
		aws_plan_free(plan);
	return is_made;
}
