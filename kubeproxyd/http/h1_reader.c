/* The reader of HTTP/1 messages. A head is parsed when all of it is there, from one contiguous run
 * of bytes (the caller's own when it came in one piece), by llhttp in its strict mode and by
 * h1_rules; what the two read is one and the same or the message is refused. Bodies are counted
 * here or go through h1_chunked. Each head has a fresh parser, so nothing of one message reaches
 * into the next. */
#include "kubeproxyd/http/h1_reader.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/h1_chunked.h"
#include "kubeproxyd/http/h1_rules.h"

enum state {
	STATE_HEAD,
	STATE_LENGTH, /* body_left bytes of body are to come */
	STATE_CHUNKED,
	STATE_TO_CLOSE, /* the rest of the connection is body */
	STATE_END, /* H1_END is due, no bytes needed */
	STATE_CLOSED, /* behind the last message: what comes is dropped (RFC 9112, 9.6) */
	STATE_UPGRADED,
	STATE_FAILED,
};

struct span {
	const char *at;
	size_t len;
};

struct h1_reader {
	enum h1_kind kind;
	struct h1_limits limits;
	enum state state;
	llhttp_t parser;
	struct http_head head;
	struct h1_facts facts;
	struct h1_error error;
	bool expects_no_body; /* the next final answer */

	struct buf partial; /* of a head that came in several pieces */
	size_t scanned; /* how much of it was searched for line ends */
	bool is_first_line_checked;

	/* While llhttp runs. */
	struct span target, name, value;
	size_t field_count;

	const uint8_t *body;
	size_t body_len;
	uint64_t body_left;
	struct h1_chunked chunked;
	struct http_fields trailers;
};

static int refuse(struct h1_reader *reader, unsigned status, const char *message)
{
	if (reader->error.message == NULL)
		reader->error = (struct h1_error){.status = status, .message = message};
	return -1;
}

static enum h1_event fail(struct h1_reader *reader, unsigned status, const char *message)
{
	(void)refuse(reader, status, message);
	reader->state = STATE_FAILED;
	buf_free_secret(&reader->partial);
	return H1_ERROR;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* --- what llhttp tells ----------------------------------------------------------------------- */

/* A head lies in one run of bytes, so pieces of one span are neighbours. */
static void extend(struct span *span, const char *at, size_t len)
{
	if (span->at == NULL)
		span->at = at;
	span->len = (size_t)(at + len - span->at);
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *reader = parser->data;
	extend(&reader->target, at, len);
	return 0;
}

static int on_field_name(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *reader = parser->data;
	extend(&reader->name, at, len);
	return 0;
}

static int on_field_value(llhttp_t *parser, const char *at, size_t len)
{
	struct h1_reader *reader = parser->data;
	extend(&reader->value, at, len);
	return 0;
}

/* Widens the value to all that stands between colon and CRLF, tells whether a tab is in its
 * margins, and trims it. */
static bool trim(struct span *value)
{
	bool has_tab = false;
	for (const char *at = value->at - 1; is_space(*at); at--)
		has_tab |= *at == '\t';
	while (value->len > 0 && is_space(value->at[value->len - 1])) {
		has_tab |= value->at[value->len - 1] == '\t';
		value->len--;
	}
	return has_tab;
}

static int on_field_complete(llhttp_t *parser)
{
	struct h1_reader *reader = parser->data;
	struct span name = reader->name, value = reader->value;
	if (value.at == NULL)
		value.at = name.at + name.len + 1;
	reader->name = reader->value = (struct span){0};
	if (!h1_is_token(name.at, name.len))
		return refuse(reader, 400, "a field name is not a token");
	if (++reader->field_count > reader->limits.field_count)
		return refuse(reader, 431, "too many header fields");
	bool has_tab = trim(&value);
	if (!h1_note_field(&reader->facts, name.at, name.len, value.at, value.len, has_tab)) {
		fields_add(&reader->head.fields, name.at, name.len, value.at, value.len);
		return 0;
	}
	if (name.len == strlen("host"))
		http_head_set_authority(&reader->head, value.at, value.len);
	return 0;
}

static int on_pause(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field_name,
    .on_header_value = on_field_value,
    .on_header_value_complete = on_field_complete,
    .on_headers_complete = on_pause,
};

static enum h1_event fail_parse(struct h1_reader *reader)
{
	switch (llhttp_get_errno(&reader->parser)) {
	case HPE_INVALID_METHOD:
		return fail(reader, 501, "the request method is not known here");
	case HPE_INVALID_HEADER_TOKEN:
		return fail(
		    reader, 400, "a header field holds a character that may not stand there");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return fail(
		    reader, 400, "more than one Content-Length, or one beside Transfer-Encoding");
	case HPE_INVALID_CONTENT_LENGTH:
		return fail(reader, 400, "Content-Length is not a number of bytes");
	case HPE_INVALID_TRANSFER_ENCODING:
		return fail(reader, 400, "Transfer-Encoding is not exactly \"chunked\"");
	case HPE_INVALID_URL:
		return fail(reader, 400, "the request target is malformed");
	default:
		return fail(reader, 400, "the message does not follow the grammar of HTTP/1.1");
	}
}

/* --- the head -------------------------------------------------------------------------------- */

static bool check_first_line(struct h1_reader *reader, const char *line, size_t len)
{
	reader->is_first_line_checked = true;
	return reader->kind == H1_REQUESTS ? h1_check_request_line(line, len, &reader->error)
					   : h1_check_status_line(line, len, &reader->error);
}

/* Looks for the empty line, from where the last search stopped. False: a line is malformed. *end
 * stays 0 when there is no empty line yet. */
static bool find_head_end(struct h1_reader *reader, const char *head, size_t len, size_t *end)
{
	const char *lf;
	while ((lf = memchr(head + reader->scanned, '\n', len - reader->scanned)) != NULL) {
		size_t behind = (size_t)(lf - head) + 1;
		size_t line_len = behind - reader->scanned;
		if (line_len < 2 || lf[-1] != '\r') {
			(void)refuse(reader, 400, "a line does not end in CR LF");
			return false;
		}
		if (is_space(head[reader->scanned]) && reader->is_first_line_checked) {
			(void)refuse(reader, 400, "a header field is folded over two lines");
			return false;
		}
		if (line_len == 2 && reader->is_first_line_checked) {
			*end = behind;
			return true;
		}
		if (!reader->is_first_line_checked &&
		    !check_first_line(reader, head + reader->scanned, line_len - 2))
			return false;
		reader->scanned = behind;
	}
	return true;
}

static void begin_message(struct h1_reader *reader)
{
	struct http_head *head = &reader->head;
	http_head_clear(head);
	http_head_set_authority(head, "", 0);
	reader->facts = (struct h1_facts){0};
	reader->target = reader->name = reader->value = (struct span){0};
	buf_free_secret(&reader->chunked.line);
	reader->chunked = (struct h1_chunked){
	    .trailers = reader->kind == H1_RESPONSES ? &reader->trailers : NULL};
	fields_clear(&reader->trailers);
	reader->field_count = 0;
	llhttp_reset(&reader->parser);
}

static bool decide_request(struct h1_reader *reader)
{
	struct http_head *head = &reader->head;
	if (reader->parser.method == HTTP_CONNECT) {
		(void)refuse(reader, 501, "CONNECT is not offered");
		return false;
	}
	if (!h1_check_target(reader->target.at, reader->target.len, &reader->error))
		return false;
	http_head_set_target(head, reader->target.at, reader->target.len);
	http_head_set_method(head, llhttp_method_name((llhttp_method_t)reader->parser.method));
	return h1_decide_request(&reader->facts, head, &reader->error);
}

static bool decide_response(struct h1_reader *reader)
{
	reader->head.status = reader->parser.status_code;
	if (reader->head.status < 100 || reader->head.status > 599) {
		(void)refuse(reader, 400, "the status of the answer is not one of HTTP");
		return false;
	}
	reader->facts.expects_no_body = reader->expects_no_body;
	if (!h1_decide_response(&reader->facts, &reader->head, &reader->error))
		return false;
	if (reader->head.status >= 200)
		reader->expects_no_body = false;
	return true;
}

static enum state state_behind_head(const struct http_head *head)
{
	if (head->status == 101)
		return STATE_UPGRADED;
	if (head->status != 0 && head->status < 200)
		return STATE_HEAD;
	if (head->body == HTTP_BODY_CHUNKED)
		return STATE_CHUNKED;
	if (head->body == HTTP_BODY_TO_CLOSE)
		return STATE_TO_CLOSE;
	return head->body == HTTP_BODY_LENGTH && head->content_length > 0 ? STATE_LENGTH
									  : STATE_END;
}

static enum h1_event parse_head(struct h1_reader *reader, const char *bytes, size_t len)
{
	begin_message(reader);
	llhttp_errno_t result = llhttp_execute(&reader->parser, bytes, len);
	if (result != HPE_PAUSED)
		return fail_parse(reader);
	if (llhttp_get_error_pos(&reader->parser) != bytes + len)
		return fail(reader, 400, "the message does not follow the grammar of HTTP/1.1");
	reader->facts.is_http10 = reader->parser.http_minor == 0;
	bool is_good =
	    reader->kind == H1_REQUESTS ? decide_request(reader) : decide_response(reader);
	if (!is_good)
		return fail(reader, 400, "malformed");
	reader->body_left = reader->head.content_length;
	reader->state = state_behind_head(&reader->head);
	return H1_HEAD;
}

/* The empty lines that some clients send behind a body (RFC 9112, 2.2). */
static size_t skip_empty_lines(const struct h1_reader *reader, const uint8_t *data, size_t len)
{
	size_t at = 0;
	while (reader->kind == H1_REQUESTS && len - at >= 2 && memcmp(data + at, "\r\n", 2) == 0)
		at += 2;
	return at;
}

static enum h1_event next_head_whole(
    struct h1_reader *reader, const char *bytes, size_t len, size_t *end)
{
	*end = 0;
	if (!find_head_end(reader, bytes, len, end))
		return fail(reader, 400, "malformed");
	if (*end > reader->limits.head_bytes || (*end == 0 && len > reader->limits.head_bytes))
		return fail(reader, 431, "the message head is too large");
	if (*end == 0)
		return H1_MORE;
	reader->scanned = 0;
	reader->is_first_line_checked = false;
	return parse_head(reader, bytes, *end);
}

/* Goes on with a head whose beginning was kept. */
static enum h1_event next_head_partial(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used)
{
	size_t had = reader->partial.len, end;
	size_t room = reader->limits.head_bytes + 1 - had;
	size_t take = len < room ? len : room;
	buf_append(&reader->partial, data, take);
	*used = take;
	if (skip_empty_lines(reader, (const uint8_t *)reader->partial.data, reader->partial.len) >
	    0) {
		*used = 2 - had;
		buf_clear(&reader->partial);
		return H1_MORE;
	}
	enum h1_event event =
	    next_head_whole(reader, reader->partial.data, reader->partial.len, &end);
	if (event != H1_HEAD)
		return event;
	*used = end - had;
	buf_free_secret(&reader->partial);
	return event;
}

static enum h1_event next_head(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used)
{
	if (reader->partial.len > 0) {
		enum h1_event event = next_head_partial(reader, data, len, used);
		if (event != H1_MORE || *used == len)
			return event;
		data += *used;
		len -= *used;
	}
	size_t skipped = skip_empty_lines(reader, data, len), end;
	*used += skipped;
	if (skipped == len)
		return H1_MORE;
	enum h1_event event =
	    next_head_whole(reader, (const char *)data + skipped, len - skipped, &end);
	if (event == H1_MORE) {
		buf_append(&reader->partial, data + skipped, len - skipped);
		end = len - skipped;
	}
	*used += end;
	return event;
}

/* --- the body -------------------------------------------------------------------------------- */

static enum h1_event end_message(struct h1_reader *reader)
{
	reader->state = reader->head.keep_alive ? STATE_HEAD : STATE_CLOSED;
	return H1_END;
}

static enum h1_event next_counted(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used)
{
	if (len == 0)
		return H1_MORE;
	size_t take = len;
	if (reader->state == STATE_LENGTH) {
		take = reader->body_left < len ? (size_t)reader->body_left : len;
		reader->body_left -= take;
		if (reader->body_left == 0)
			reader->state = STATE_END;
	}
	reader->body = data;
	reader->body_len = take;
	*used = take;
	return H1_BODY;
}

static enum h1_event next_chunked(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used)
{
	enum h1_event event = h1_chunked_next(&reader->chunked, &reader->limits, data, len, used);
	if (event == H1_ERROR)
		return fail(reader, reader->chunked.error.status, reader->chunked.error.message);
	reader->body = reader->chunked.body;
	reader->body_len = reader->chunked.body_len;
	return event == H1_END ? end_message(reader) : event;
}

/* --- public ---------------------------------------------------------------------------------- */

struct h1_reader *h1_reader_new(enum h1_kind kind, const struct h1_limits *limits)
{
	struct h1_reader *reader = xcalloc(1, sizeof *reader);
	reader->kind = kind;
	reader->limits = *limits;
	llhttp_init(&reader->parser, kind == H1_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
	reader->parser.data = reader;
	return reader;
}

void h1_reader_free(struct h1_reader **reader)
{
	if (*reader == NULL)
		return;
	http_head_free(&(*reader)->head);
	fields_free(&(*reader)->trailers);
	buf_free_secret(&(*reader)->chunked.line);
	buf_free_secret(&(*reader)->partial);
	xfree(reader);
}

enum h1_event h1_reader_next(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used)
{
	*used = 0;
	switch (reader->state) {
	case STATE_HEAD:
		return len > 0 ? next_head(reader, data, len, used) : H1_MORE;
	case STATE_LENGTH:
	case STATE_TO_CLOSE:
		return next_counted(reader, data, len, used);
	case STATE_CHUNKED:
		return next_chunked(reader, data, len, used);
	case STATE_END:
		return end_message(reader);
	case STATE_CLOSED:
		*used = len;
		return H1_MORE;
	case STATE_UPGRADED:
		return H1_UPGRADED;
	case STATE_FAILED:
		return H1_ERROR;
	}
	abort();
}

struct http_head *h1_reader_head(struct h1_reader *reader)
{
	return &reader->head;
}

void h1_reader_body(const struct h1_reader *reader, const uint8_t **data, size_t *len)
{
	*data = reader->body;
	*len = reader->body_len;
}

const struct http_fields *h1_reader_trailers(const struct h1_reader *reader)
{
	return &reader->trailers;
}

struct h1_error h1_reader_error(const struct h1_reader *reader)
{
	return reader->error;
}

void h1_reader_expect_no_body(struct h1_reader *reader)
{
	reader->expects_no_body = true;
}

enum h1_event h1_reader_finish(struct h1_reader *reader)
{
	switch (reader->state) {
	case STATE_TO_CLOSE:
	case STATE_END:
		return end_message(reader);
	case STATE_HEAD:
		if (reader->partial.len == 0)
			return H1_MORE;
		return fail(reader, 400, "the connection ended in the middle of a head");
	case STATE_LENGTH:
	case STATE_CHUNKED:
		return fail(reader, 400, "the connection ended in the middle of a body");
	case STATE_CLOSED:
		return H1_MORE;
	case STATE_UPGRADED:
		return H1_UPGRADED;
	case STATE_FAILED:
		return H1_ERROR;
	}
	abort();
}

bool h1_reader_is_idle(const struct h1_reader *reader)
{
	return (reader->state == STATE_HEAD || reader->state == STATE_CLOSED) &&
	       reader->partial.len == 0;
}
