/* `lock`, `unlock` and `locks`: the file of locks, which every instance on the host follows. Each
 * change is made under a lock of its own and replaces the file as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/lock_file.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/utf8.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/gate/locks.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/policy/principal.h"

#define MESSAGE_MAX_BYTES 512

struct options {
	const char *config;
	const struct verb *verb;
	enum render_format format;
	struct lock lock; /* name is owned, message points into argv */
	struct duration ttl; /* 0: none */
};

static bool take_message(void *field, const char *value, char **error)
{
	size_t len = strlen(value);
	*(const char **)field = value;
	/* Other bytes would make the file of locks unreadable. */
	if (len <= MESSAGE_MAX_BYTES && utf8_is_sound(value, len))
		return true;
	*error = xasprintf("must be a text of at most %d bytes, in UTF-8", MESSAGE_MAX_BYTES);
	return false;
}

static const struct verb_option lock_rows[] = {
    {"ttl", "TIME", cli_option_ttl, offsetof(struct options, ttl),
	"until then, from 1m to 30d; for good"},
    {"message", "TEXT", take_message, offsetof(struct options, lock.message),
	"what those who are kept out are told"},
    CLI_CONFIG_OPTION(struct options),
};

static const struct verb_option unlock_rows[] = {CLI_CONFIG_OPTION(struct options)};

static const struct verb_option locks_rows[] = {
    {"format", "table|json|yaml", option_format, offsetof(struct options, format),
	"for people, or one document"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_lock_verb = {
    .name = "lock",
    .operands = "user|group|role|certificate NAME",
    .least = 2,
    .most = 2,
    VERB_OPTIONS(lock_rows),
    .help = "keep a user, a group, a role or a certificate out, at once",
};

const struct verb cli_unlock_verb = {
    .name = "unlock",
    .operands = "user|group|role|certificate NAME",
    .least = 2,
    .most = 2,
    VERB_OPTIONS(unlock_rows),
    .help = "take a lock away",
};

const struct verb cli_locks_verb = {
    .name = "locks",
    .operands = "",
    VERB_OPTIONS(locks_rows),
    .help = "print the locks that are in force",
};

/* KIND and NAME. */
static int take_operands(char **operands, struct options *options)
{
	struct lock *lock = &options->lock;
	if (!lock_kind_parse(operands[0], &lock->kind))
		return cli_wrong_use(options->verb,
		    "\"%s\" cannot be locked: user, group, role or certificate can", operands[0]);
	if (lock->kind == LOCK_CERTIFICATE) {
		lock->name = lock_serial(operands[1]);
		if (lock->name == NULL)
			return cli_wrong_use(options->verb,
			    "\"%s\" is no serial number: hexadecimal digits, as in "
			    "issued-certificates.jsonl",
			    operands[1]);
		return CLI_DONE;
	}
	const char *refusal = principal_refuse(operands[1], strlen(operands[1]));
	if (refusal != NULL)
		return cli_wrong_use(options->verb, "the name %s", refusal);
	lock->name = xstrdup(operands[1]);
	return CLI_DONE;
}

/* --- changes --------------------------------------------------------------------------------- */

static bool change(const struct options *options, struct locks *locks, char **error)
{
	const struct lock *lock = &options->lock;
	if (options->verb == &cli_lock_verb) {
		struct lock made = *lock;
		made.created = unix_now();
		if (options->ttl.ms > 0)
			made.expires = unix_add(made.created, options->ttl);
		locks_add(locks, &made);
		return true;
	}
	if (locks_remove(locks, lock->kind, lock->name))
		return true;
	*error = xasprintf("the %s \"%s\" is not locked: `kubeproxyd locks` lists what is",
	    lock_kind_text(lock->kind), lock->name);
	return false;
}

static bool rewrite(const struct options *options, const char *path, char **error)
{
	struct locks *locks = locks_load(path, error);
	if (locks == NULL)
		return false;
	bool is_done = change(options, locks, error);
	if (is_done) {
		char *text = locks_text(locks, unix_now());
		is_done = new_file_replace(path, text, 0644, error);
		free(text);
	}
	locks_free(&locks);
	return is_done;
}

static int run_change(const struct options *options)
{
	bool is_whole;
	struct settings *settings = cli_load_readable(options->config, &is_whole);
	char *error = NULL;
	if (settings == NULL)
		return CLI_NO;
	if (!is_whole)
		fprintf(
		    stderr, "kubeproxyd: the locks are those of %s\n", settings->proxy.locks_file);
	char *guard = xasprintf("%s.lock", settings->proxy.locks_file);
	int fd = lock_file_take(guard, &error);
	bool is_done = fd >= 0 && rewrite(options, settings->proxy.locks_file, &error);
	if (fd >= 0)
		close(fd);
	free(guard);
	settings_free(&settings);
	if (is_done)
		return CLI_DONE;
	if (geteuid() != 0)
		cli_tell("not root: locks are root's unless the configuration puts them elsewhere");
	return cli_fail(error);
}

static int change_verb(const struct verb *verb, int argc, char **argv)
{
	struct options options = {.verb = verb};
	char **operands;
	int status;
	if (!cli_read(verb, argc, argv, &options, &operands, &status))
		return status;
	status = take_operands(operands, &options);
	if (status == CLI_DONE)
		status = run_change(&options);
	free(options.lock.name);
	return status;
}

int cli_lock(int argc, char **argv)
{
	return change_verb(&cli_lock_verb, argc, argv);
}

int cli_unlock(int argc, char **argv)
{
	return change_verb(&cli_unlock_verb, argc, argv);
}

/* --- locks ----------------------------------------------------------------------------------- */

static void print(const struct locks *locks, enum render_format format)
{
	static const struct render_column columns[] = {
	    {"KIND", "kind"},
	    {"NAME", "name"},
	    {"CREATED", "created"},
	    {"EXPIRES", "expires"},
	    {"MESSAGE", "message"},
	};
	char problem[JSON_ERROR_TEXT];
	struct json_object *list = NULL;
	char *text = locks_text(locks, unix_now());
	struct json_object *document = json_parse(text, strlen(text), problem);
	json_object_object_get_ex(document, "locks", &list);
	struct buf out = {0};
	if (format == RENDER_TABLE)
		render_table(&out, list, columns, sizeof columns / sizeof columns[0]);
	else
		render_document(&out, list, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
	json_object_put(document);
	free(text);
}

int cli_locks(int argc, char **argv)
{
	struct options options = {0};
	char **operands, *error = NULL;
	int status;
	if (!cli_read(&cli_locks_verb, argc, argv, &options, &operands, &status))
		return status;
	bool is_whole;
	struct settings *settings = cli_load_readable(options.config, &is_whole);
	if (settings == NULL)
		return CLI_NO;
	struct locks *locks = locks_load(settings->proxy.locks_file, &error);
	settings_free(&settings);
	if (locks == NULL)
		return cli_fail(error);
	print(locks, options.format);
	locks_free(&locks);
	return CLI_DONE;
}
