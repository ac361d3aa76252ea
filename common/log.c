/* Writes log lines. The level is the one piece of process-wide state here: every module logs, and
 * threading a logger through each call would say nothing. A line is built in memory and leaves in
 * one write(2). */
#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mono.h"

static enum log_level current_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
/* Syslog priorities, for the journal. */
static const char *const level_priorities[] = {"<7>", "<6>", "<4>", "<3>"};

static bool needs_quotes(const char *text)
{
	if (*text == '\0')
		return true;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return true;
	}
	return false;
}

static void append_quoted(struct buf *line, const char *text)
{
	buf_append_char(line, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			buf_printf(line, "\\%c", c);
		else if (c == '\n')
			buf_append_text(line, "\\n");
		else if (c < ' ' || c == 0x7f)
			buf_printf(line, "\\x%02x", c);
		else
			buf_append_char(line, (char)c);
	}
	buf_append_char(line, '"');
}

static void append_field(struct buf *line, const struct log_field *field)
{
	buf_printf(line, " %s=", field->key);
	if (field->kind == LOG_KIND_INT)
		buf_printf(line, "%lld", (long long)field->integer);
	else if (field->kind == LOG_KIND_BOOL)
		buf_append_text(line, field->integer != 0 ? "true" : "false");
	else if (field->string == NULL)
		buf_append_char(line, '-');
	else if (needs_quotes(field->string))
		append_quoted(line, field->string);
	else
		buf_append_text(line, field->string);
}

void log_write(enum log_level level, const struct log_field *fields)
{
	if (level < current_level)
		return;
	struct buf line = {0};
	char now[UNIX_TIME_TEXT];
	if (getenv("JOURNAL_STREAM") != NULL)
		buf_append_text(&line, level_priorities[level]);
	else
		buf_printf(&line, "%s ", unix_time_text(unix_now(), now));
	buf_printf(&line, "level=%s", level_names[level]);
	for (; fields->kind != LOG_KIND_END; fields++)
		append_field(&line, fields);
	buf_append_char(&line, '\n');
	ssize_t written = write(STDERR_FILENO, line.data, line.len);
	(void)written; /* nowhere left to report it */
	buf_free(&line);
}

void log_set_level(enum log_level level)
{
	current_level = level;
}

bool log_is_on(enum log_level level)
{
	return level >= current_level;
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}
