/* What verbs have in common: how they read their options, how they complain, and how they read the
 * configuration. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mono.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/client_certificate.h"

#define PROGRAM		"kubeproxyd"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define INSTANCE_MAX	64
#define SINCE_MAX	1000000L

/* --- kinds of values ------------------------------------------------------------------------- */

static bool parse_ago(const char *text, struct unix_time *since)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	long count = strtol(text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (end == text || count < 0 || count > SINCE_MAX || end[0] != units[i].unit ||
		    end[1] != '\0')
			continue;
		*since = unix_add(unix_now(), duration_seconds(-count * units[i].seconds));
		return true;
	}
	return false;
}

bool cli_option_since(void *field, const char *value, char **error)
{
	if (unix_time_parse(value, field) || parse_ago(value, field))
		return true;
	*error =
	    xstrdup("must be a number with s, m, h or d, or a time such as 2026-01-02T03:04:05Z");
	return false;
}

bool cli_option_ttl(void *field, const char *value, char **error)
{
	if (client_certificate_parse_ttl(value, field))
		return true;
	*error = xstrdup("must be a number with s, m, h or d, from 1m to 30d");
	return false;
}

bool cli_option_instance(void *field, const char *value, char **error)
{
	size_t len = strlen(value);
	*(const char **)field = value;
	if (len > 0 && len <= INSTANCE_MAX && value[0] != '.' &&
	    strspn(value, NAME_CHARACTERS) == len)
		return true;
	*error = xasprintf("must be letters, digits, '.', '_' and '-', at most %d", INSTANCE_MAX);
	return false;
}

/* --- complaints ------------------------------------------------------------------------------ */

static int print_mistake(const struct verb *verb, char *sentence)
{
	struct buf out = {0};
	verb_complain(verb, PROGRAM, sentence, &out);
	fputs(buf_text(&out), stderr);
	buf_free(&out);
	free(sentence);
	return CLI_USAGE;
}

bool cli_read(
    const struct verb *verb, int argc, char **argv, void *fields, char ***operands, int *status)
{
	char *error = NULL;
	struct buf help = {0};
	switch (verb_read(verb, argc, argv, fields, operands, &error)) {
	case VERB_READ:
		return true;
	case VERB_HELP:
		verb_help(verb, PROGRAM, &help);
		fputs(buf_text(&help), stdout);
		buf_free(&help);
		*status = CLI_DONE;
		return false;
	case VERB_WRONG:
		break;
	}
	*status = print_mistake(verb, error);
	return false;
}

int cli_wrong_use(const struct verb *verb, const char *format, ...)
{
	char *text = NULL;
	va_list values;
	va_start(values, format);
	if (vasprintf(&text, format, values) < 0)
		abort();
	va_end(values);
	return print_mistake(verb, text);
}

void cli_tell(const char *text)
{
	struct buf out = {0};
	render_text(&out, text);
	fprintf(stderr, PROGRAM ": %s\n", buf_text(&out));
	buf_free(&out);
}

int cli_fail(char *error)
{
	struct buf out = {0};
	render_lines(&out, error);
	fprintf(stderr, PROGRAM ": %s\n", buf_text(&out));
	buf_free(&out);
	free(error);
	return CLI_NO;
}

char *cli_why_nothing(const char *directory, char *otherwise)
{
	if (access(directory, R_OK | X_OK) == 0 || errno != EACCES)
		return otherwise;
	free(otherwise);
	return xasprintf("cannot look into %s: %s (try as root)", directory, strerror(errno));
}

struct settings *cli_load_settings(const char *path)
{
	char *error = NULL;
	struct settings *settings =
	    settings_load(path != NULL ? path : SETTINGS_DEFAULT_PATH, &error);
	if (settings == NULL)
		(void)cli_fail(error);
	return settings;
}

struct settings *cli_load_readable(const char *path, bool *is_whole)
{
	if (path == NULL)
		path = SETTINGS_DEFAULT_PATH;
	char *findings = NULL;
	struct settings *settings = settings_load_readable(path, &findings);
	*is_whole = findings == NULL;
	if (findings == NULL)
		return settings;
	(void)cli_fail(findings);
	if (settings != NULL)
		fprintf(stderr,
		    PROGRAM ": what could be read of %s counts, and defaults for the rest\n", path);
	return settings;
}
