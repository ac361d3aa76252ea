/* See h2_stage.h. */
#include "tests/unit/h2_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/http/field_traits.h"
#include "kubeproxyd/http/hpack.h"
#include "tests/unit/h2_script.h"
#include "tests/unit/hpack_text.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static struct stage_request *request_of(struct h2_stream *stream)
{
	return (struct stage_request *)stream;
}

struct stage_request *stage_request(struct stage *stage, unsigned number)
{
	if (number == 0 || number > stage->count)
		abort();
	return stage->requests[number - 1];
}

static struct stage_request *new_request(struct stage *stage)
{
	struct stage_request *request = xcalloc(1, sizeof *request);
	if (stage->count == STAGE_REQUESTS)
		abort();
	request->stage = stage;
	stage->requests[stage->count++] = request;
	request->number = (unsigned)stage->count;
	return request;
}

/* --- events -------------------------------------------------------------------------------------
 */

static void tell(struct stage *stage, const char *event, struct stage_request *request)
{
	if (stage->told.len > 0)
		buf_append_text(&stage->told, "; ");
	buf_append_text(&stage->told, event);
	if (request != NULL)
		buf_printf(&stage->told, " %u", request->number);
}

static void call_hook(struct stage *stage, const char *event, struct stage_request *request)
{
	if (stage->hook != NULL)
		stage->hook(stage, event, request);
}

static struct stage *stage_of(struct h2_stream *stream)
{
	if (request_of(stream)->is_over)
		abort(); /* an event behind the last one */
	return request_of(stream)->stage;
}

static void write_bytes(void *arg, const void *data, size_t len)
{
	struct stage *stage = arg;
	buf_append(&stage->wire, data, len);
	stage->room -= len < stage->room ? len : stage->room;
}

static bool is_full(void *arg)
{
	return ((struct stage *)arg)->room == 0;
}

static bool amend(void *arg, uint64_t back, uint8_t bits)
{
	struct stage *stage = arg;
	if (back > stage->wire.len)
		return false;
	((uint8_t *)stage->wire.data)[stage->wire.len - back] |= bits;
	return true;
}

static struct h2_stream *on_open(void *arg)
{
	struct stage_request *request = new_request(arg);
	call_hook(arg, "open", request);
	return &request->h2;
}

static void on_head_begin(struct h2_stream *stream)
{
	struct stage *stage = stage_of(stream);
	buf_clear(&request_of(stream)->fields);
	tell(stage, "begin", request_of(stream));
	call_hook(stage, "begin", request_of(stream));
}

static const char *on_field(
    struct h2_stream *stream, const struct hpack_field *field, uint32_t traits)
{
	struct stage *stage = stage_of(stream);
	struct buf *fields = &request_of(stream)->fields;
	/* What was found out about another field must not be told of this one. */
	if (traits != field_traits(field->name, field->name_len))
		abort();
	buf_append(fields, field->name, field->name_len);
	buf_append_text(fields, ": ");
	buf_append(fields, field->value, field->value_len);
	buf_append_text(fields, ", ");
	call_hook(stage, "field", request_of(stream));
	return stage->complaint;
}

static void on_head(struct h2_stream *stream, bool is_end)
{
	struct stage *stage = stage_of(stream);
	tell(stage, is_end ? "head/e" : "head", request_of(stream));
	call_hook(stage, "head", request_of(stream));
}

/* Pieces of a body are told as one. */
static void on_body(struct h2_stream *stream, const uint8_t *data, size_t len)
{
	struct stage *stage = stage_of(stream);
	struct stage_request *request = request_of(stream);
	struct buf *told = &stage->told;
	char line[64];
	if (data == NULL || len == 0)
		abort();
	snprintf(line, sizeof line, "body %u %zu", request->number, request->received);
	size_t tail = strlen(line);
	bool goes_on = told->len >= tail && strcmp(told->data + told->len - tail, line) == 0;
	request->received += len;
	stage->received += len;
	for (size_t i = 0; i < len; i++)
		request->digest = request->digest * 1099511628211u + data[i] + 1;
	if (goes_on)
		told->len -= tail;
	else if (told->len > 0)
		buf_append_text(told, "; ");
	buf_printf(told, "body %u %zu", request->number, request->received);
	struct h2 *h2 = stream->h2;
	if (stage->takes) {
		h2_consume(stream, len);
		h2_consume_connection(h2, len);
	}
	call_hook(stage, "body", request);
}

static void on_end(struct h2_stream *stream)
{
	struct stage *stage = stage_of(stream);
	tell(stage, "end", request_of(stream));
	call_hook(stage, "end", request_of(stream));
}

static void on_close(struct h2_stream *stream, uint32_t code)
{
	struct stage *stage = stage_of(stream);
	if (stream->h2 != NULL)
		abort(); /* it is no stream any more */
	tell(stage, "close", request_of(stream));
	buf_printf(&stage->told, " %s", h2_code_name(code));
	request_of(stream)->is_over = true;
	call_hook(stage, "close", request_of(stream));
}

static void on_malformed(void *arg, struct h2_stream *stream, const char *why)
{
	struct stage *stage = arg;
	stage->why = why;
	tell(stage, stream != NULL ? "bad" : "bad 0", stream != NULL ? request_of(stream) : NULL);
	call_hook(stage, "bad", stream != NULL ? request_of(stream) : NULL);
}

static void on_frame(void *arg, const struct h2_frame *frame)
{
	if (frame->len > H2_FRAME_PAYLOAD_MAX)
		abort();
	call_hook(arg, "frame", NULL);
}

static void on_reset(void *arg)
{
	tell(arg, "reset", NULL);
	call_hook(arg, "reset", NULL);
}

static void on_stray(void *arg)
{
	tell(arg, "stray", NULL);
	call_hook(arg, "stray", NULL);
}

static size_t body(struct h2_stream *stream, enum h2_body *state)
{
	struct stage_request *request = request_of(stream);
	struct stage *stage = stage_of(stream);
	if (request->is_last)
		*state = request->has_trailers ? H2_BODY_ENDS_IN_TRAILERS : H2_BODY_ENDS;
	size_t there = request->to_send;
	call_hook(stage, "ask", request);
	return there;
}

static void write_body(struct h2_stream *stream, size_t len)
{
	static const char data[H2_FRAME_PAYLOAD_MAX];
	struct stage_request *request = request_of(stream);
	struct stage *stage = stage_of(stream);
	if (len > request->to_send || len > sizeof data)
		abort();
	request->to_send -= len;
	write_bytes(stage, data, len);
	call_hook(stage, "write", request);
}

static void write_trailers(struct h2_stream *stream)
{
	struct stage *stage = stage_of(stream);
	h2_script_block(h2_head_open(stream), "t: v", 4);
	h2_head_close(stream, true);
	call_hook(stage, "trailers", request_of(stream));
}

static const struct h2_events events = {
    .write = write_bytes,
    .is_full = is_full,
    .amend = amend,
    .on_open = on_open,
    .on_head_begin = on_head_begin,
    .on_field = on_field,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_close = on_close,
    .on_malformed = on_malformed,
    .on_frame = on_frame,
    .on_reset = on_reset,
    .on_stray = on_stray,
    .body = body,
    .write_body = write_body,
    .write_trailers = write_trailers,
};

/* --- verbs --------------------------------------------------------------------------------------
 */

struct stage_request *stage_submit(struct stage *stage, bool is_end, bool is_of_head)
{
	struct stage_request *request = new_request(stage);
	h2_submit(&stage->h2, &request->h2, is_of_head);
	const char *fields = ":method: GET, :path: /";
	h2_script_block(h2_head_open(&request->h2), fields, strlen(fields));
	h2_head_close(&request->h2, is_end);
	return request;
}

static void answer(struct stage_request *request, unsigned status, bool is_end)
{
	hpack_append_status(h2_head_open(&request->h2), status);
	h2_head_close(&request->h2, is_end);
}

static void send(struct stage_request *request, size_t len, bool is_last)
{
	request->to_send += len;
	request->is_last = is_last;
	h2_resume(&request->h2);
}

struct verb {
	const char *name;
	void (*act)(struct stage *stage, unsigned number, uint32_t value, const char *letters);
};

static bool has_letter(const char *letters, char letter)
{
	return strchr(letters, letter) != NULL;
}

static void act_answer(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	answer(stage_request(stage, number), value, has_letter(letters, 'e'));
}

static void act_submit(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	(void)number;
	(void)value;
	stage_submit(stage, has_letter(letters, 'e'), has_letter(letters, 'h'));
}

static void act_send(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	send(stage_request(stage, number), value, has_letter(letters, 'e'));
}

static void act_offer(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	static const uint8_t data[4 * H2_FRAME_PAYLOAD_MAX];
	struct stage_request *request = stage_request(stage, number);
	if (value > sizeof data)
		abort();
	size_t sent = h2_offer(&request->h2, data, value);
	send(request, value - sent, has_letter(letters, 'e'));
}

static void act_trailers(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	(void)letters;
	stage_request(stage, number)->has_trailers = true;
	send(stage_request(stage, number), value, true);
}

static void act_take(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	(void)letters;
	if (number == 0)
		h2_consume_connection(&stage->h2, value);
	else
		h2_consume(&stage_request(stage, number)->h2, value);
}

static void act_widen(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	(void)letters;
	if (number == 0)
		h2_widen_connection(&stage->h2, value);
	else
		h2_widen(&stage_request(stage, number)->h2, value);
}

static void act_reset(struct stage *stage, unsigned number, uint32_t value, const char *letters)
{
	(void)letters;
	h2_reset(&stage_request(stage, number)->h2, value);
	stage_request(stage, number)->is_over = true;
}

static void act_on_connection(
    struct stage *stage, unsigned number, uint32_t value, const char *verb)
{
	(void)value;
	switch (verb[0]) {
	case 'f':
		h2_flush(&stage->h2);
		break;
	case 'g':
		h2_goaway(&stage->h2);
		break;
	case 'n':
		h2_notice(&stage->h2);
		break;
	case 'p':
		h2_ping(&stage->h2);
		break;
	case 'r':
		stage->room = number;
		break;
	case 't':
		h2_terminate(&stage->h2, number);
		break;
	default:
		abort();
	}
}

static const struct verb verbs[] = {
    {"answer", act_answer},
    {"submit", act_submit},
    {"send", act_send},
    {"offer", act_offer},
    {"trailers", act_trailers},
    {"take", act_take},
    {"widen", act_widen},
    {"reset", act_reset},
};

static void perform(struct stage *stage, const char *text, size_t len)
{
	char name[16] = "", copy[64];
	unsigned number = 0, value = 0;
	snprintf(copy, sizeof copy, "%.*s", (int)len, text);
	sscanf(copy, "%15s %u %u", name, &number, &value);
	char *slash = strchr(name, '/');
	const char *letters = slash != NULL ? slash + 1 : "";
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(name, verbs[i].name) == 0) {
			verbs[i].act(stage, number, value, letters);
			return;
		}
	}
	if (strcmp(name, "start") == 0)
		h2_start(&stage->h2);
	else if (strcmp(name, "stop") == 0)
		h2_stop(&stage->h2);
	else
		act_on_connection(stage, number, value, name);
}

/* --- the play -----------------------------------------------------------------------------------
 */

void stage_hear(struct stage *stage, const void *data, size_t len)
{
	size_t piece = stage->piece > 0 ? stage->piece : len;
	for (size_t at = 0; at < len && !stage->is_refused; at += piece) {
		size_t part = len - at < piece ? len - at : piece;
		/* Exactly as long, so that a sanitizer sees a read beyond it. */
		uint8_t *copy = xmalloc(part);
		memcpy(copy, (const uint8_t *)data + at, part);
		stage->is_refused = !h2_receive(&stage->h2, copy, part);
		free(copy);
	}
}

void stage_play_on(struct stage *stage, const char *script)
{
	struct buf bytes = {0};
	while (script != NULL && *script != '\0') {
		script += strspn(script, " ;");
		size_t len = strcspn(script, ";");
		bool is_verb = *script == '>';
		if (!is_verb && len > 0)
			h2_script_write(&bytes, script, len);
		bool is_over = is_verb || script[len] == '\0';
		if (is_over && bytes.len > 0) {
			stage_hear(stage, bytes.data, bytes.len);
			buf_clear(&bytes);
		}
		if (is_verb)
			perform(stage, script + 1, len - 1);
		script += len;
	}
	buf_free(&bytes);
}

void stage_play(struct stage *stage, const char *script)
{
	stage_play_on(stage, script);
	h2_flush(&stage->h2);
}

const char *stage_told(struct stage *stage)
{
	static char text[65536];
	snprintf(text, sizeof text, "%s", buf_text(&stage->told));
	buf_clear(&stage->told);
	return text;
}

const char *stage_said(struct stage *stage)
{
	buf_clear(&stage->said);
	size_t skipped = 0;
	const struct buf *wire = &stage->wire;
	if (wire->len >= strlen(PREFACE) && memcmp(wire->data, PREFACE, strlen(PREFACE)) == 0)
		skipped = strlen(PREFACE);
	h2_script_read(&stage->said, stage->reader, wire->data + skipped, wire->len - skipped);
	buf_clear(&stage->wire);
	return buf_text(&stage->said);
}

void stage_open_with(struct stage *stage, const struct h2_options *options)
{
	*stage = (struct stage){.room = SIZE_MAX};
	stage->reader = hpack_text_reader();
	h2_init(&stage->h2, options, &events, stage);
}

void stage_open(struct stage *stage, bool is_server)
{
	stage_open_with(stage, &(struct h2_options){.is_server = is_server,
				   .streams_max = 100,
				   .stream_window = 65535,
				   .connection_window = 65535,
				   .header_list_max = 65536,
				   .continuations_max = 5});
	if (is_server)
		stage_hear(stage, PREFACE, strlen(PREFACE));
	else
		h2_start(&stage->h2);
	stage_play(stage, "SETTINGS 0; SETTINGS/e 0");
	(void)stage_said(stage);
}

void stage_close(struct stage *stage)
{
	h2_stop(&stage->h2);
	h2_free(&stage->h2);
	for (size_t i = 0; i < stage->count; i++) {
		buf_free(&stage->requests[i]->h2.waiting);
		buf_free(&stage->requests[i]->fields);
		free(stage->requests[i]);
	}
	nghttp2_hd_inflate_del(stage->reader);
	buf_free(&stage->wire);
	buf_free(&stage->told);
	buf_free(&stage->said);
}
