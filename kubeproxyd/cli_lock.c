/* `lock`, `unlock` and `locks`: the file of locks, which every instance on the host follows. Each
 * change is made under a lock of its own and replaces the file as a whole. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/lock_file.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"
#include "kubeproxyd/gate/locks.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/policy/principal.h"

static const char lock_usage[] = "kubeproxyd lock user|group|role|certificate NAME [--ttl 8h] "
				 "[--message TEXT] [--config FILE]";
static const char unlock_usage[] =
    "kubeproxyd unlock user|group|role|certificate NAME [--config FILE]";
static const char locks_usage[] = "kubeproxyd locks [--format table|json|yaml] [--config FILE]";

#define MESSAGE_MAX_BYTES 512

struct options {
	const char *usage, *config;
	enum render_format format;
	struct lock lock; /* name is owned, message points into argv */
	struct duration ttl; /* 0: none */
	bool wants_help, may_lock, may_list;
};

static int take_option(int option, struct options *options)
{
	switch (option) {
	case 'c':
		options->config = optarg;
		return CLI_DONE;
	case 'h':
		options->wants_help = true;
		return CLI_DONE;
	case 'm':
		options->lock.message = optarg;
		if (options->may_lock && strlen(optarg) <= MESSAGE_MAX_BYTES)
			return CLI_DONE;
		return cli_wrong_use(options->usage,
		    "--message: a text of at most %d bytes, for "
		    "lock",
		    MESSAGE_MAX_BYTES);
	case 't':
		if (options->may_lock && client_certificate_parse_ttl(optarg, &options->ttl))
			return CLI_DONE;
		return cli_wrong_use(options->usage,
		    "--ttl \"%s\": a number with s, m, h or d, from 1m to 30d, for lock", optarg);
	case 'f':
		if (options->may_list && render_format_parse(optarg, &options->format))
			return CLI_DONE;
		return cli_wrong_use(
		    options->usage, "--format is table, json or yaml, not %s", optarg);
	default:
		return cli_wrong_use(options->usage, "unknown option, or a value is missing");
	}
}

/* KIND and NAME. */
static int take_operands(char **operands, struct options *options)
{
	struct lock *lock = &options->lock;
	if (!lock_kind_parse(operands[0], &lock->kind))
		return cli_wrong_use(options->usage,
		    "\"%s\" cannot be locked: user, group, role or certificate can", operands[0]);
	if (lock->kind == LOCK_CERTIFICATE) {
		lock->name = lock_serial(operands[1]);
		if (lock->name == NULL)
			return cli_wrong_use(options->usage,
			    "\"%s\" is no serial number: hexadecimal digits, as in "
			    "issued-certificates.jsonl",
			    operands[1]);
		return CLI_DONE;
	}
	const char *refusal = principal_refuse(operands[1], strlen(operands[1]));
	if (refusal != NULL)
		return cli_wrong_use(options->usage, "the name %s", refusal);
	lock->name = xstrdup(operands[1]);
	return CLI_DONE;
}

static int read_options(int argc, char **argv, int operands, struct options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"format", required_argument, NULL, 'f'},
	    {"message", required_argument, NULL, 'm'},
	    {"ttl", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int option, status = CLI_DONE;
	opterr = 0;
	optind = 0;
	options->config = SETTINGS_DEFAULT_PATH;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
		status = take_option(option, options);
	if (status != CLI_DONE || options->wants_help)
		return status;
	if (argc - optind != operands)
		return cli_wrong_use(options->usage,
		    operands == 0 ? "%s takes no operand" : "%s takes a kind and a name", argv[0]);
	return operands > 0 ? take_operands(argv + optind, options) : CLI_DONE;
}

/* --- changes --------------------------------------------------------------------------------- */

static bool change(const struct options *options, struct locks *locks, char **error)
{
	const struct lock *lock = &options->lock;
	if (options->may_lock) {
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
	struct settings *settings = cli_load_settings(options->config);
	char *error = NULL;
	if (settings == NULL)
		return CLI_NO;
	char *guard = xasprintf("%s.lock", settings->proxy.locks_file);
	int fd = lock_file_take(guard, &error);
	bool is_done = fd >= 0 && rewrite(options, settings->proxy.locks_file, &error);
	if (fd >= 0)
		close(fd);
	free(guard);
	settings_free(&settings);
	return is_done ? CLI_DONE : cli_fail(error);
}

static int change_verb(int argc, char **argv, struct options *options)
{
	int status = read_options(argc, argv, 2, options);
	if (status == CLI_DONE && options->wants_help)
		printf("usage: %s\n", options->usage);
	else if (status == CLI_DONE)
		status = run_change(options);
	free(options->lock.name);
	return status;
}

int cli_lock(int argc, char **argv)
{
	struct options options = {.usage = lock_usage, .may_lock = true};
	return change_verb(argc, argv, &options);
}

int cli_unlock(int argc, char **argv)
{
	struct options options = {.usage = unlock_usage};
	return change_verb(argc, argv, &options);
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
	struct options options = {.usage = locks_usage, .may_list = true};
	int status = read_options(argc, argv, 0, &options);
	char *error = NULL;
	if (status == CLI_DONE && options.wants_help)
		printf("usage: %s\n", options.usage);
	if (status != CLI_DONE || options.wants_help)
		return status;
	struct settings *settings = cli_load_settings(options.config);
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
