/* Writes log lines. Level, form and the lines that wait are the process-wide state here: every
 * module logs, and threading a logger through each call would say nothing. Lines are put together
 * in one buffer, which is used again; those that wait leave in one write(2) of whole lines, at most
 * PIPE_BUF bytes, so that nobody else's lines on the same pipe get between. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/bytes16.h"
#include "common/decimal.h"
#include "common/mono.h"

/* With a sign. */
#define INTEGER_TEXT (1 + DECIMAL_TEXT)
/* One byte of a value becomes at most "\x1b". */
#define ESCAPED_MAX 4
/* A buffer that one long line made larger is not kept. */
#define KEEP_MAX ((size_t)64 * 1024)
/* Lines that wait are written when they are more than this; when they are more than what stays
 * together in a pipe, where others write into it too, or where what does not go at once is lost. */
#define WRITE_AT ((size_t)32 * 1024)

static enum log_level current_level = LOG_LEVEL_INFO;
static enum { FORM_UNKNOWN, FORM_TIME, FORM_PRIORITY } form;
static struct buf waiting;
static size_t waiting_max = PIPE_BUF;
static log_wait_fn *on_wait;
static void *on_wait_arg;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_words[] = {
    " level=debug", " level=info", " level=warn", " level=error"};
/* With syslog's priorities, for the journal. */
static const char *const level_priorities[] = {
    "<7>level=debug", "<6>level=info", "<4>level=warn", "<3>level=error"};

/* --- values ---------------------------------------------------------------------------------- */

/* These write at `at`, where there is room, and return what stands behind. */

/* What needs quotes: all but visible ASCII, and what means something in a line. */
static inline bytes16 find_special(bytes16 bytes)
{
	return (bytes < '!') | (bytes == 0x7f) | (bytes == '"') | (bytes == '=') | (bytes == '\\');
}

/* What needs more than quotes. */
static inline bytes16 find_escaped(bytes16 bytes)
{
	return ((bytes >= 0) & (bytes < ' ')) | (bytes == 0x7f) | (bytes == '"') | (bytes == '\\');
}

static char *put_escaped(char *at, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	*at++ = '\\';
	if (c == '"' || c == '\\') {
		*at++ = (char)c;
	} else if (c == '\n') {
		*at++ = 'n';
	} else {
		*at++ = 'x';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	return at;
}

static char *put_quoted(char *at, const char *text, size_t len)
{
	*at++ = '"';
	if (bytes16_are_free_of(find_escaped, text, len)) {
		at = mempcpy(at, text, len);
		len = 0;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\' || c < ' ' || c == 0x7f)
			at = put_escaped(at, c);
		else
			*at++ = (char)c;
	}
	*at++ = '"';
	return at;
}

/* Most values stand as they are, and are copied as they are looked at. */
static char *put_text(char *at, const char *text, size_t len)
{
	bool is_plain = len > 0 && bytes16_copy_free_of(find_special, at, text, len);
	return is_plain ? at + len : put_quoted(at, text, len);
}

static char *put_integer(char *at, int64_t value)
{
	if (value < 0)
		*at++ = '-';
	return at + decimal_write(at, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* --- lines ----------------------------------------------------------------------------------- */

/* What is written goes on at `at`: room there for `len` bytes and a NUL. */
static char *make_room(char *at, size_t len)
{
	if (len < (size_t)(waiting.data + waiting.cap - at))
		return at;
	waiting.len = (size_t)(at - waiting.data);
	return buf_reserve(&waiting, len);
}

static char *append_string(char *at, const struct log_field *field)
{
	const char *value = field->string;
	size_t len = value != NULL ? strlen(value) : 0;
	at = make_room(at, field->begin_len + 2 + ESCAPED_MAX * len);
	at = bytes16_copy(at, field->begin, field->begin_len);
	if (value != NULL)
		return put_text(at, value, len);
	*at++ = '-';
	return at;
}

static char *append_field(char *at, const struct log_field *field)
{
	if (field->kind == LOG_KIND_STRING)
		return append_string(at, field);
	at = make_room(at, field->begin_len + INTEGER_TEXT);
	at = bytes16_copy(at, field->begin, field->begin_len);
	if (field->kind == LOG_KIND_INT)
		return put_integer(at, field->integer);
	return stpcpy(at, field->integer != 0 ? "true" : "false");
}

/* `now` of 0: the clock is asked. */
static void append_beginning(enum log_level level, struct unix_time now)
{
	if (form == FORM_UNKNOWN)
		form = getenv("JOURNAL_STREAM") != NULL ? FORM_PRIORITY : FORM_TIME;
	if (form == FORM_PRIORITY) {
		buf_append_text(&waiting, level_priorities[level]);
		return;
	}
	char *text = buf_reserve(&waiting, UNIX_TIME_TEXT);
	buf_commit(&waiting, unix_time_write(now.ms != 0 ? now : unix_now(), text));
	buf_append_text(&waiting, level_words[level]);
}

/* --- out ------------------------------------------------------------------------------------- */

static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDERR_FILENO, data, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* nowhere left to report it */
		data += written;
		len -= (size_t)written;
	}
}

void log_flush(void)
{
	if (waiting.len == 0)
		return;
	write_all(waiting.data, waiting.len);
	if (waiting.cap > KEEP_MAX)
		buf_free(&waiting);
	else
		buf_clear(&waiting);
}

void log_write_at(enum log_level level, struct unix_time now, const struct log_field *fields)
{
	if (level < current_level)
		return;
	size_t start = waiting.len;
	append_beginning(level, now);
	char *at = waiting.data + waiting.len;
	for (; fields->kind != LOG_KIND_END; fields++)
		at = append_field(at, fields);
	waiting.len = (size_t)(at - waiting.data);
	buf_append_char(&waiting, '\n');
	if (waiting.len > waiting_max) {
		write_all(waiting.data, start);
		buf_consume(&waiting, start);
	}
	if (on_wait == NULL || level >= LOG_LEVEL_WARN || waiting.len > waiting_max)
		log_flush();
	else if (start == 0)
		on_wait(on_wait_arg);
}

void log_write(enum log_level level, const struct log_field *fields)
{
	log_write_at(level, (struct unix_time){0}, fields);
}

/* What waits goes out before the process dies of the signal. One that somebody sent, as systemd's
 * watchdog sends SIGABRT, does not come again by itself. */
static void on_death(int number)
{
	if (waiting.data != NULL)
		write_all(waiting.data, waiting.len);
	(void)raise(number);
}

static void flush_before_death(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	struct sigaction flush = {.sa_handler = on_death, .sa_flags = (int)SA_RESETHAND};
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct sigaction set;
		if (sigaction(signals[i], NULL, &set) == 0 && set.sa_handler == SIG_DFL)
			(void)sigaction(signals[i], &flush, NULL);
	}
}

static bool takes_much(void)
{
	struct stat status;
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	return flags >= 0 && (flags & O_NONBLOCK) == 0 && fstat(STDERR_FILENO, &status) == 0 &&
	       !S_ISFIFO(status.st_mode);
}

void log_set_waiting(log_wait_fn *fn, void *arg)
{
	log_flush();
	waiting_max = takes_much() ? WRITE_AT : PIPE_BUF;
	on_wait = fn;
	on_wait_arg = arg;
	if (fn != NULL)
		flush_before_death();
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
