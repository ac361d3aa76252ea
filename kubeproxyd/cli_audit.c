/* `audit`: the audit log of all instances here, merged, for people (a line an event) or programs
 * (the events as they are). Reads files only; nothing is asked of a running instance. Called by
 * main. */
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/record/audit_merge.h"

static const char usage[] = "kubeproxyd audit [FILE|-]... [--user NAME] [--cluster NAME] [--since "
			    "1h|2026-01-02T03:04:05Z]\n"
			    "           [--denied] [--format table|json] [--config FILE]";

struct options {
	const char *config, *user, *cluster;
	struct unix_time since; /* 0: all */
	bool only_denied, is_json, wants_help;
};

/* --- options --------------------------------------------------------------------------------- */

/* "90s", "15m", "12h", "7d", or a time. */
static bool parse_since(const char *text, struct unix_time *since)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	if (unix_time_parse(text, since))
		return true;
	long count = strtol(text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (end == text || count < 0 || count > 1000000 || end[0] != units[i].unit ||
		    end[1] != '\0')
			continue;
		*since = unix_add(unix_now(), duration_seconds(-count * units[i].seconds));
		return true;
	}
	return false;
}

static int read_option(int option, char **argv, struct options *options)
{
	switch (option) {
	case 'c':
		options->config = optarg;
		return CLI_DONE;
	case 'u':
		options->user = optarg;
		return CLI_DONE;
	case 'k':
		options->cluster = optarg;
		return CLI_DONE;
	case 'd':
		options->only_denied = true;
		return CLI_DONE;
	case 'h':
		options->wants_help = true;
		return CLI_DONE;
	case 's':
		if (parse_since(optarg, &options->since))
			return CLI_DONE;
		return cli_wrong_use(usage,
		    "--since \"%s\": a number with s, m, h or d, or a time such as "
		    "2026-01-02T03:04:05Z",
		    optarg);
	case 'f':
		options->is_json = strcmp(optarg, "json") == 0;
		if (options->is_json || strcmp(optarg, "table") == 0)
			return CLI_DONE;
		return cli_wrong_use(usage, "--format is table or json, not %s", optarg);
	default:
		return cli_wrong_use(
		    usage, "%s: unknown, or its value is missing", argv[optind - 1]);
	}
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"user", required_argument, NULL, 'u'},
	    {"cluster", required_argument, NULL, 'k'},
	    {"since", required_argument, NULL, 's'},
	    {"denied", no_argument, NULL, 'd'},
	    {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int option, status = CLI_DONE;
	opterr = 0;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
		status = read_option(option, argv, options);
	return status;
}

/* --- printing -------------------------------------------------------------------------------- */

/* Names come from clients: what would move a terminal's cursor is shown as '?'. */
static void print_plain(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
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
	print_note(event, "eksgate.io/duration-ms", "ms");
	print_note(event, "eksgate.io/bytes-in", "in");
	print_note(event, "eksgate.io/bytes-out", "out");
	putchar('\n');
}

static bool is_text(const char *text, const char *wanted)
{
	return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static bool is_wanted(struct json_object *event, const struct options *options)
{
	struct unix_time at;
	if (!is_text(audit_text(event, "user.username"), options->user) ||
	    !is_text(audit_annotation(event, "eksgate.io/cluster"), options->cluster))
		return false;
	if (!unix_time_parse(audit_text(event, "stageTimestamp"), &at) || at.ms < options->since.ms)
		return false;
	return !options->only_denied || code_of(event) == 401 ||
	       is_text(audit_annotation(event, "authorization.k8s.io/decision"), "forbid");
}

static void print_event(struct json_object *event, bool is_json)
{
	if (is_json)
		puts(json_object_to_json_string_ext(
		    event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print_line(event);
}

static void print_all(struct audit_merge *merge, const struct options *options)
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
}

/* --- files ----------------------------------------------------------------------------------- */

static bool is_compressed(const char *path)
{
	size_t len = strlen(path);
	return len > 3 && strcmp(path + len - 3, ".gz") == 0;
}

/* What stands in the audit directory, rotated files that are not compressed too. */
static int add_directory(struct audit_merge *merge, const struct settings *settings)
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
		error = xasprintf("%s: no such files, or not allowed", pattern);
	for (size_t i = 0; is_read && i < files.gl_pathc; i++)
		is_read = is_compressed(files.gl_pathv[i]) ||
			  audit_merge_add(merge, files.gl_pathv[i], &error);
	globfree(&files);
	free(pattern);
	return error != NULL ? cli_fail(error) : CLI_DONE;
}

static int add_files(
    struct audit_merge *merge, int count, char **paths, const struct options *options)
{
	char *error = NULL;
	for (int i = 0; i < count; i++) {
		if (!audit_merge_add(merge, paths[i], &error))
			return cli_fail(error);
	}
	if (count > 0)
		return CLI_DONE;
	struct settings *settings = cli_load_settings(options->config);
	if (settings == NULL)
		return CLI_NO;
	int status = add_directory(merge, settings);
	settings_free(&settings);
	return status;
}

int cli_audit(int argc, char **argv)
{
	struct options options = {.config = SETTINGS_DEFAULT_PATH};
	int status = read_options(argc, argv, &options);
	if (status != CLI_DONE)
		return status;
	if (options.wants_help) {
		printf("usage: %s\n", usage);
		return CLI_DONE;
	}
	struct audit_merge *merge = audit_merge_new();
	status = add_files(merge, argc - optind, argv + optind, &options);
	if (status == CLI_DONE)
		print_all(merge, &options);
	audit_merge_free(&merge);
	return status;
}
