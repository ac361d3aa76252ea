/* Turns messages into events: one each, cut at EVENT_MAX, characters whole. Of the sizes only
 * numbers pass, of the Status only how it ended. Called by
 * recording_task.c. */
#include "kubeproxyd/record/cast_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/record/json_line.h"

/* Of one event, as it came. */
#define EVENT_MAX      ((size_t)32 * 1024)
#define SIZE_MAX_BYTES 256
#define STATUS_MAX     ((size_t)64 * 1024)
#define COLUMNS_MAX    65535
/* Of a terminal that does not tell. */
#define COLUMNS_USUAL 80
#define ROWS_USUAL    24
#define CHARACTER_MAX 4
/* Of a line besides its text, and of a byte of that. */
#define FRAME_MAX   64
#define ESCAPED_MAX 6

struct cast_writer {
	struct buf *out;
	struct buf rest_of_header; /* behind the size */
	size_t header_len; /* of the first line while its size is a guess; 0: it stays */
	bool has_begun, has_input;
	struct buf pending[REMOTE_ERROR]; /* of an event, and a character that goes on */
	struct buf size; /* of one message of sizes */
	struct buf status;
	bool is_status_too_long;
	char *ending;
	struct mono last; /* times do not run backwards */
};

/* --- UTF-8 ----------------------------------------------------------------------------------- */

static size_t length_by_lead(uint8_t lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? CHARACTER_MAX : 0;
}

/* What may stand behind the lead (RFC 3629, 4). */
static bool is_second(uint8_t lead, uint8_t second)
{
	uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	return second >= low && second <= high;
}

size_t cast_partial_tail(const uint8_t *data, size_t len)
{
	for (size_t back = 1; back < CHARACTER_MAX && back <= len; back++) {
		uint8_t byte = data[len - back];
		if ((byte & 0xc0) == 0x80)
			continue;
		if (length_by_lead(byte) <= back)
			return 0;
		return back == 1 || is_second(byte, data[len - back + 1]) ? back : 0;
	}
	return 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *key, const char *text)
{
	if (text == NULL)
		text = "";
	buf_printf(out, ",\"%s\":", key);
	json_line_string(out, text, strlen(text));
}

static void add_title(struct buf *out, const struct cast_about *about)
{
	char *title = xasprintf("%s: %s %s/%s in %s", about->user, about->kind, about->namespace,
	    about->pod, about->cluster);
	add_text(out, "title", title);
	free(title);
}

static void write_rest_of_header(struct buf *out, const struct cast_about *about)
{
	buf_printf(out, ",\"timestamp\":%" PRId64, about->started.ms / 1000);
	add_title(out, about);
	add_text(out, "command", about->command);
	buf_append_text(out, ",\"eksgate\":{\"session\":");
	json_line_string(out, about->session, strlen(about->session));
	add_text(out, "kind", about->kind);
	add_text(out, "user", about->user);
	add_text(out, "cluster", about->cluster);
	add_text(out, "arn", about->arn);
	add_text(out, "namespace", about->namespace);
	add_text(out, "pod", about->pod);
	add_text(out, "container", about->container);
	add_text(out, "client", about->client);
	add_text(out, "instance", about->instance);
	add_text(out, "protocol", about->protocol);
	add_text(out, "mode", about->mode);
	buf_append_text(out, "}}\n");
}

static void write_header(struct cast_writer *writer, int64_t columns, int64_t rows)
{
	buf_printf(
	    writer->out, "{\"version\":2,\"width\":%" PRId64 ",\"height\":%" PRId64, columns, rows);
	buf_append(writer->out, writer->rest_of_header.data, writer->rest_of_header.len);
	writer->has_begun = true;
}

static void guess_header(struct cast_writer *writer)
{
	write_header(writer, COLUMNS_USUAL, ROWS_USUAL);
	writer->header_len = writer->out->len;
}

/* Before the lines that were written behind the guess. */
static void correct_header(struct cast_writer *writer, int64_t columns, int64_t rows)
{
	struct buf lines = *writer->out;
	*writer->out = (struct buf){0};
	write_header(writer, columns, rows);
	buf_append(writer->out, lines.data + writer->header_len, lines.len - writer->header_len);
	buf_free_secret(&lines);
	writer->header_len = 0;
}

/* Times are not before the beginning. */
static void begin_event(struct buf *out, struct mono at, char code)
{
	const uint64_t us = (uint64_t)at.ns / 1000;
	char *start = buf_reserve(out, FRAME_MAX), *to = start;
	*to++ = '[';
	to += decimal_write(to, us / 1000000);
	/* Six digits, of which the first is none of the number's. */
	(void)decimal_write(to, 1000000 + us % 1000000);
	*to = '.';
	to += strlen(".000000");
	to = mempcpy(to, ",\"", 2);
	*to++ = code;
	to = mempcpy(to, "\",", 2);
	buf_commit(out, (size_t)(to - start));
}

void cast_write_event(struct buf *out, struct mono at, char code, const char *text, size_t len)
{
	begin_event(out, at, code);
	json_line_string(out, text, len);
	buf_append(out, "]\n", 2);
}

static void write_event(
    struct cast_writer *writer, struct mono at, char code, const char *text, size_t len)
{
	if (!writer->has_begun)
		guess_header(writer);
	if (at.ns > writer->last.ns)
		writer->last = at;
	cast_write_event(writer->out, writer->last, code, text, len);
}

/* --- output and input ------------------------------------------------------------------------ */

static char code_of(enum remote_stream stream)
{
	return stream == REMOTE_STDIN ? 'i' : 'o';
}

/* All but a character that goes on, which begins the next event. */
static size_t write_piece(struct cast_writer *writer, enum remote_stream stream,
    const uint8_t *data, size_t len, struct mono at)
{
	size_t whole = len - cast_partial_tail(data, len);
	if (whole > 0)
		write_event(writer, at, code_of(stream), (const char *)data, whole);
	return whole;
}

static void end_event(struct cast_writer *writer, enum remote_stream stream, struct mono at)
{
	struct buf *pending = &writer->pending[stream];
	if (pending->len > 0)
		buf_consume(pending,
		    write_piece(writer, stream, (const uint8_t *)pending->data, pending->len, at));
}

static void add_data(struct cast_writer *writer, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last, struct mono at)
{
	struct buf *pending = &writer->pending[stream];
	while (len > 0) {
		size_t room = EVENT_MAX - pending->len;
		size_t count = len < room ? len : room;
		bool is_whole = count == room || (count == len && is_last);
		if (pending->len == 0 && is_whole) {
			size_t written = write_piece(writer, stream, data, count, at);
			buf_append(pending, data + written, count - written);
		} else {
			buf_append(pending, data, count);
			if (is_whole)
				end_event(writer, stream, at);
		}
		data += count;
		len -= count;
	}
	if (is_last)
		end_event(writer, stream, at);
}

/* --- sizes ----------------------------------------------------------------------------------- */

static void take_size(struct cast_writer *writer, int64_t columns, int64_t rows, struct mono at)
{
	if (columns < 1 || columns > COLUMNS_MAX || rows < 1 || rows > COLUMNS_MAX)
		return;
	if (!writer->has_begun) {
		write_header(writer, columns, rows);
		return;
	}
	if (writer->header_len > 0) {
		correct_header(writer, columns, rows);
		return;
	}
	char text[32];
	int len = snprintf(text, sizeof text, "%" PRId64 "x%" PRId64, columns, rows);
	write_event(writer, at, 'r', text, (size_t)len);
}

static void parse_size(struct cast_writer *writer, struct mono at)
{
	char error[JSON_ERROR_TEXT];
	int64_t columns = 0, rows = 0;
	struct json_object *size = json_parse(writer->size.data, writer->size.len, error);
	if (size != NULL && json_get_int(size, "", "Width", &columns, error) &&
	    json_get_int(size, "", "Height", &rows, error))
		take_size(writer, columns, rows, at);
	json_object_put(size);
}

/* JSON documents without any in them, one behind the other (client-go: remotecommand resize.go). */
static void add_sizes(struct cast_writer *writer, const uint8_t *data, size_t len, struct mono at)
{
	for (size_t i = 0; i < len; i++) {
		if (writer->size.len == SIZE_MAX_BYTES)
			buf_clear(&writer->size);
		buf_append_char(&writer->size, (char)data[i]);
		if (data[i] != '}')
			continue;
		parse_size(writer, at);
		buf_clear(&writer->size);
	}
}

/* --- the end --------------------------------------------------------------------------------- */

/* The exit code of a Status whose reason is NonZeroExitCode (apimachinery: StatusCause), or NULL.
 */
static const char *exit_code_in(struct json_object *status)
{
	struct json_object *details, *causes, *cause, *code;
	if (!json_object_object_get_ex(status, "details", &details) ||
	    !json_object_object_get_ex(details, "causes", &causes) ||
	    !json_object_is_type(causes, json_type_array) || json_object_array_length(causes) == 0)
		return NULL;
	cause = json_object_array_get_idx(causes, 0);
	if (!json_object_object_get_ex(cause, "message", &code) ||
	    !json_object_is_type(code, json_type_string))
		return NULL;
	const char *text = json_object_get_string(code);
	size_t digits = strspn(text, "0123456789");
	return digits > 0 && digits < 6 && text[digits] == '\0' ? text : NULL;
}

static char *ending_of(struct json_object *status)
{
	char error[JSON_ERROR_TEXT];
	const char *word = NULL, *reason = NULL, *message = NULL;
	if (!json_get_optional_string(status, "", "status", &word, error) || word == NULL)
		return NULL;
	if (strcmp(word, "Success") == 0)
		return xstrdup("exit 0");
	const char *code = exit_code_in(status);
	if (json_get_optional_string(status, "", "reason", &reason, error) && reason != NULL &&
	    strcmp(reason, "NonZeroExitCode") == 0 && code != NULL)
		return xasprintf("exit %s", code);
	if (!json_get_optional_string(status, "", "message", &message, error) || message == NULL)
		return NULL;
	return xasprintf("ended: %s", message);
}

/* Before v4 the stream of errors has a plain text, or nothing. */
static char *read_status(const struct cast_writer *writer)
{
	char error[JSON_ERROR_TEXT];
	if (writer->status.len == 0 || writer->is_status_too_long)
		return NULL;
	struct json_object *status = json_parse(writer->status.data, writer->status.len, error);
	char *ending = json_object_is_type(status, json_type_object) ? ending_of(status) : NULL;
	json_object_put(status);
	return ending != NULL ? ending : xasprintf("ended: %s", buf_text(&writer->status));
}

static void add_status(struct cast_writer *writer, const uint8_t *data, size_t len)
{
	writer->is_status_too_long |= writer->status.len + len > STATUS_MAX;
	if (!writer->is_status_too_long)
		buf_append(&writer->status, data, len);
}

/* --- public ---------------------------------------------------------------------------------- */

struct cast_writer *cast_writer_new(const struct cast_about *about, struct buf *out)
{
	struct cast_writer *writer = xcalloc(1, sizeof *writer);
	writer->out = out;
	writer->has_input = about->has_input;
	write_rest_of_header(&writer->rest_of_header, about);
	return writer;
}

void cast_writer_free(struct cast_writer **writer)
{
	if (*writer == NULL)
		return;
	cast_writer_forget(*writer);
	buf_free(&(*writer)->rest_of_header);
	buf_free(&(*writer)->size);
	buf_free(&(*writer)->status);
	free((*writer)->ending);
	xfree(writer);
}

void cast_writer_add(struct cast_writer *writer, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last, struct mono at)
{
	switch (stream) {
	case REMOTE_STDIN:
		if (!writer->has_input)
			return;
		add_data(writer, stream, data, len, is_last, at);
		return;
	case REMOTE_STDOUT:
	case REMOTE_STDERR:
		add_data(writer, stream, data, len, is_last, at);
		return;
	case REMOTE_ERROR:
		add_status(writer, data, len);
		return;
	case REMOTE_RESIZE:
		add_sizes(writer, data, len, at);
		return;
	case REMOTE_STREAMS:
		return;
	}
}

void cast_writer_begin(struct cast_writer *writer)
{
	if (!writer->has_begun)
		guess_header(writer);
	writer->header_len = 0;
}

size_t cast_writer_owed(const struct cast_writer *writer)
{
	size_t owed = writer->has_begun ? 0 : writer->rest_of_header.len + FRAME_MAX;
	for (int stream = 0; stream < REMOTE_ERROR; stream++)
		if (writer->pending[stream].len > 0)
			owed += writer->pending[stream].len * ESCAPED_MAX + FRAME_MAX;
	return owed;
}

void cast_writer_flush(struct cast_writer *writer, struct mono at)
{
	for (enum remote_stream stream = 0; stream < REMOTE_ERROR; stream++) {
		struct buf *pending = &writer->pending[stream];
		if (pending->len > 0)
			write_event(writer, at, code_of(stream), pending->data, pending->len);
		buf_clear(pending);
	}
}

void cast_writer_forget(struct cast_writer *writer)
{
	for (int stream = 0; stream < REMOTE_ERROR; stream++)
		buf_free_secret(&writer->pending[stream]);
}

void cast_writer_mark(struct cast_writer *writer, const char *text, struct mono at)
{
	write_event(writer, at, 'm', text, strlen(text));
}

void cast_writer_end(struct cast_writer *writer, const char *reason, struct mono at)
{
	cast_writer_flush(writer, at);
	free(writer->ending);
	writer->ending = read_status(writer);
	if (writer->ending == NULL)
		writer->ending = xasprintf("ended: %s", reason);
	cast_writer_mark(writer, writer->ending, at);
}

const char *cast_writer_ending(const struct cast_writer *writer)
{
	return writer->ending;
}
