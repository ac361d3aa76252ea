/* `audit`: the audit log of all instances here, merged, for people (a line an event) or programs
 * (the events as they are). Reads files only; nothing is asked of a running instance. Called by
 * main. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/record/audit_merge.h"

struct options {
	const char *config, *user, *cluster;
	struct unix_time since; /* 0: all */
	bool only_denied, is_json;
};

/* One event a line, or the events as they are. */
static bool take_format(void *field, const char *value, char **error)
{
	*(bool *)field = strcmp(value, "json") == 0;
	if (strcmp(value, "json") == 0 || strcmp(value, "table") == 0)
		return true;
	*error = xstrdup("must be table or json");
	return false;
}

static const struct verb_option rows[] = {
    {"user", "NAME", option_text, offsetof(struct options, user), "only what this user did"},
    {"cluster", "NAME", option_text, offsetof(struct options, cluster), "only in this cluster"},
    {"since", "TIME", cli_option_since, offsetof(struct options, since),
	"only from then on: 1h, 7d, or 2026-01-02T03:04:05Z"},
    {"denied", NULL, option_flag, offsetof(struct options, only_denied), "only what was refused"},
    {"format", "table|json", take_format, offsetof(struct options, is_json),
	"a line for people, or the events themselves"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_audit_verb = {
    .name = "audit",
    .operands = "[FILE|-]...",
    .most = -1,
    VERB_OPTIONS(rows),
    .help = "print the audit log of all instances here",
};

/* --- printing -------------------------------------------------------------------------------- */

/* Names come from clients. */
static void print_plain(const char *text)
{
	struct buf out = {0};
	render_text(&out, text);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
}

static void print_word(const char *text)
{
	putchar(' ');
	print_plain(text != NULL && *text != '\0' ? text : "-");
}

/* "pods/exec web/p", "nodes n", or the path. */
static void print_object(struct json_object *event)
{
	const char *resource = audit_text(event, "objectRef.resource");
	const char *subresource = audit_text(event, "objectRef.subresource");
	const char *namespace = audit_text(event, "objectRef.namespace");
	const char *name = audit_text(event, "objectRef.name");
	if (resource == NULL) {
		print_word(audit_text(event, "requestURI"));
		return;
	}
	print_word(resource);
	if (subresource != NULL) {
		putchar('/');
		print_plain(subresource);
	}
	print_word(namespace != NULL ? namespace : name);
	if (namespace != NULL && name != NULL) {
		putchar('/');
		print_plain(name);
	}
}

static void print_note(struct json_object *event, const char *key, const char *label)
{
	const char *text = audit_annotation(event, key);
	if (text == NULL)
		return;
	printf("  %s=", label);
	print_plain(text);
}

static int code_of(struct json_object *event)
{
	struct json_object *status = NULL, *code = NULL;
	if (!json_object_object_get_ex(event, "responseStatus", &status) ||
	    !json_object_object_get_ex(status, "code", &code))
		return 0;
	return json_object_get_int(code);
}

static void print_line(struct json_object *event)
{
	int code = code_of(event);
	const char *time = audit_text(event, "stageTimestamp");
	const char *stage = audit_text(event, "stage");
	printf("%.23sZ ", time);
	if (code != 0)
		printf("%d", code);
	else
		printf("-");
	print_word(stage);
	print_word(audit_text(event, "user.username"));
	print_word(audit_annotation(event, "eksgate.io/cluster"));
	print_word(audit_text(event, "verb"));
	print_object(event);
	print_note(event, "authorization.k8s.io/decision", "decision");
	print_note(event, "authorization.k8s.io/reason", "rule");
	print_note(event, "eksgate.io/exec-command", "command");
	print_note(event, "eksgate.io/ports", "ports");
	print_note(event, "eksgate.io/attempts", "attempts");
	print_note(event, "eksgate.io/ending", "ending");
	print_note(event, "eksgate.io/terminated-by", "terminated-by");
	print_note(event, "eksgate.io/recording", "recording");
	print_note(event, "eksgate.io/recorded", "recorded");
	print_note(event, "eksgate.io/duration-ms", "ms");
	print_note(event, "eksgate.io/bytes-in", "in");
	print_note(event, "eksgate.io/bytes-out", "out");
	putchar('\n');
}

static bool is_text(const char *text, const char *wanted)
{
	return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

/* By this proxy, for whatever reason, or by the cluster. */
static bool is_denied(struct json_object *event)
{
	int code = code_of(event);
	return code == 401 || code == 403 ||
	       is_text(audit_annotation(event, "authorization.k8s.io/decision"), "forbid");
}

static bool is_wanted(struct json_object *event, const struct options *options)
{
	struct unix_time at;
	if (!is_text(audit_text(event, "user.username"), options->user) ||
	    !is_text(audit_annotation(event, "eksgate.io/cluster"), options->cluster))
		return false;
	if (!unix_time_parse(audit_text(event, "stageTimestamp"), &at) || at.ms < options->since.ms)
		return false;
	return !options->only_denied || is_denied(event);
}

static void print_event(struct json_object *event, bool is_json)
{
	if (is_json)
		puts(json_object_to_json_string_ext(
		    event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print_line(event);
}

static int print_all(struct audit_merge *merge, const struct options *options)
{
	struct json_object *event;
	while ((event = audit_merge_next(merge)) != NULL) {
		if (is_wanted(event, options))
			print_event(event, options->is_json);
		json_object_put(event);
	}
	const char *first;
	size_t bad = audit_merge_bad_lines(merge, &first);
	if (bad > 0)
		fprintf(stderr,
		    "kubeproxyd: %zu lines are no audit events and were left out, %s first\n", bad,
		    first);
	const char *problem = audit_merge_problem(merge);
	if (problem == NULL)
		return CLI_DONE;
	cli_tell(problem);
	return CLI_NO;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool is_compressed(const char *path)
{
	size_t len = strlen(path);
	return len > 3 && strcmp(path + len - 3, ".gz") == 0;
}

/* Those that may hold what was asked for: their times are those of the last event. */
static void tell_compressed(const glob_t *files, const struct options *options)
{
	size_t count = 0;
	struct stat status;
	for (size_t i = 0; i < files->gl_pathc; i++)
		count += is_compressed(files->gl_pathv[i]) &&
			 stat(files->gl_pathv[i], &status) == 0 &&
			 status.st_mtim.tv_sec >= options->since.ms / 1000;
	if (count > 0)
		fprintf(stderr,
		    "kubeproxyd: %zu compressed files were left out: pipe them in, as in \"zcat "
		    "FILE.gz | kubeproxyd audit -\"\n",
		    count);
}

/* What stands in the audit directory, rotated files that are not compressed too. */
static int add_directory(
    struct audit_merge *merge, const struct settings *settings, const struct options *options)
{
	const struct audit_settings *audit = &settings->proxy.audit;
	char *error = NULL;
	glob_t files;
	if (strcmp(audit->destination, "file") != 0)
		return cli_fail(xasprintf("eksgate.proxy.audit.destination is %s, not file: pipe "
					  "the events in, as in \"journalctl -o cat -t "
					  "kubeproxyd-audit | kubeproxyd audit -\"",
		    audit->destination));
	char *pattern = xasprintf("%s/*.jsonl*", audit->directory);
	int result = glob(pattern, 0, NULL, &files);
	bool is_read = result == 0;
	if (!is_read)
		error = cli_why_nothing(
		    audit->directory, xasprintf("%s: there are no such files", pattern));
	for (size_t i = 0; is_read && i < files.gl_pathc; i++)
		is_read = is_compressed(files.gl_pathv[i]) ||
			  audit_merge_add(merge, files.gl_pathv[i], &error);
	if (is_read)
		tell_compressed(&files, options);
	globfree(&files);
	free(pattern);
	return error != NULL ? cli_fail(error) : CLI_DONE;
}

static int add_files(struct audit_merge *merge, char **paths, const struct options *options)
{
	char *error = NULL;
	for (char **path = paths; *path != NULL; path++) {
		if (!audit_merge_add(merge, *path, &error))
			return cli_fail(error);
	}
	if (*paths != NULL)
		return CLI_DONE;
	bool is_whole;
	struct settings *settings = cli_load_readable(options->config, &is_whole);
	if (settings == NULL)
		return CLI_NO;
	int status = add_directory(merge, settings, options);
	settings_free(&settings);
	return status;
}

int cli_audit(int argc, char **argv)
{
	struct options options = {0};
	char **paths;
	int status;
	if (!cli_read(&cli_audit_verb, argc, argv, &options, &paths, &status))
		return status;
	struct audit_merge *merge = audit_merge_new();
	status = add_files(merge, paths, &options);
	if (status == CLI_DONE)
		status = print_all(merge, &options);
	audit_merge_free(&merge);
	return status;
}
