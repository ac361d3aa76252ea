/* Heads as values, and their form on the wire in HTTP/1.1. Whatever came in is written anew from
 * its parsed parts, so nothing that a peer's leniency would read differently gets through. What
 * would break a message apart, a control character or a second framing field, cannot be written: it
 * aborts, since whoever put it there did not check. */
#include "kubeproxyd/http/head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/decimal.h"
#include "common/log.h"
#include "common/xmem.h"

/* Request or status line, Host, framing and Connection, without what is in `target` and
 * `authority`. */
#define OWN_LINES_MAX 256

static const struct {
	unsigned status;
	const char *phrase;
} phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

void http_head_clear(struct http_head *head)
{
	fields_clear(&head->fields);
	memset(head->method, 0, sizeof head->method);
	head->target = head->authority = NULL;
	head->status = 0;
	head->body = HTTP_BODY_NONE;
	head->content_length = 0;
	head->keep_alive = head->is_upgrade = head->expects_continue = head->is_http10 = false;
}

void http_head_free(struct http_head *head)
{
	http_head_clear(head);
	fields_free(&head->fields);
	buf_free(&head->target_text);
	buf_free(&head->authority_text);
}

static const char *trim_text(struct buf *member)
{
	if (member->cap > member->len + 1) {
		member->cap = member->len + 1;
		member->data = xrealloc(member->data, member->cap);
	}
	return member->data;
}

void http_head_trim(struct http_head *head)
{
	fields_trim(&head->fields);
	if (head->target != NULL)
		head->target = trim_text(&head->target_text);
	if (head->authority != NULL)
		head->authority = trim_text(&head->authority_text);
}

static const char *set_text(struct buf *member, const char *text, size_t len)
{
	buf_clear(member);
	buf_append(member, text, len);
	return member->data;
}

void http_head_set_target(struct http_head *head, const char *target, size_t len)
{
	head->target = set_text(&head->target_text, target, len);
}

void http_head_set_authority(struct http_head *head, const char *authority, size_t len)
{
	head->authority = set_text(&head->authority_text, authority, len);
}

void http_head_set_method(struct http_head *head, const char *method)
{
	size_t len = strlen(method);
	if (len >= sizeof head->method)
		len = sizeof head->method - 1;
	memcpy(head->method, method, len);
	head->method[len] = '\0';
}

bool http_is_authority(const char *host, size_t len, const char *authority)
{
	static const char port[] = ":443";
	size_t wanted = strlen(authority);
	if (len > strlen(port) && memcmp(host + len - strlen(port), port, strlen(port)) == 0)
		len -= strlen(port);
	if (wanted > strlen(port) && strcmp(authority + wanted - strlen(port), port) == 0)
		wanted -= strlen(port);
	return len == wanted && strncasecmp(host, authority, len) == 0;
}

const char *http_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

static _Noreturn void refuse(const char *what, const char *name)
{
	log_error("http", "defect", LOG_S("reason", what), LOG_S("field", name));
	abort();
}

/* A horizontal tab is legal inside values alone (RFC 9110, 5.5). */
static void check(const char *name, const char *text, size_t len)
{
	if (field_text_is_plain(text, len))
		return;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			refuse("control character in a head", name);
	}
}

static void write_checked(struct buf *out, const char *name, const char *text, size_t len)
{
	check(name, text, len);
	buf_append(out, text, len);
}

static void write_field(struct buf *out, const char *name, const char *value, size_t value_len)
{
	size_t name_len = strlen(name), len = name_len + 2 + value_len + 2;
	check(name, name, name_len);
	check(name, value, value_len);
	char *start = buf_reserve(out, len), *at = mempcpy(start, name, name_len);
	at = mempcpy(at, ": ", 2);
	at = mempcpy(at, value, value_len);
	at = mempcpy(at, "\r\n", 2);
	buf_commit(out, (size_t)(at - start));
}

static void write_fields(const struct http_fields *fields, struct buf *out)
{
	for (size_t i = 0; i < fields->count; i++) {
		const char *name = fields_name(fields, i);
		if (fields_is(fields, i, FIELD_OF_MEMBERS))
			refuse("a field that the head writes by itself", name);
		write_field(out, name, fields_value(fields, i), fields->items[i].value_len);
	}
}

/* Room for the whole head, tokens in it, before the first byte. */
static void make_room(const struct http_head *head, struct buf *out)
{
	size_t target_len = head->target != NULL ? strlen(head->target) : 0;
	size_t authority_len = head->authority != NULL ? strlen(head->authority) : 0;
	/* The block counts two NULs a field where ": " and CRLF will stand. */
	size_t fields_len = head->fields.block_len + 2 * head->fields.count;
	buf_make_room(out, OWN_LINES_MAX + target_len + authority_len + fields_len);
}

static void write_length(struct buf *out, uint64_t length)
{
	char digits[DECIMAL_TEXT];
	buf_append(out, "Content-Length: ", strlen("Content-Length: "));
	buf_append(out, digits, decimal_write(digits, length));
	buf_append(out, "\r\n", 2);
}

/* What ends every head: its body's framing, the connection, the empty line. */
static void write_ending(const struct http_head *head, struct buf *out)
{
	if (head->body == HTTP_BODY_LENGTH)
		write_length(out, head->content_length);
	if (head->body == HTTP_BODY_CHUNKED)
		buf_append_text(out, "Transfer-Encoding: chunked\r\n");
	if (head->is_upgrade)
		buf_append_text(out, "Connection: Upgrade\r\n");
	else if (!head->keep_alive)
		buf_append_text(out, "Connection: close\r\n");
	buf_append(out, "\r\n", 2);
}

void http_head_write_request(const struct http_head *head, struct buf *out)
{
	if (head->target == NULL || head->method[0] == '\0')
		refuse("a request without method or target", "request line");
	make_room(head, out);
	write_checked(out, "method", head->method, strlen(head->method));
	buf_append(out, " ", 1);
	write_checked(out, "target", head->target, strlen(head->target));
	buf_append_text(out, " HTTP/1.1\r\n");
	const char *authority = head->authority != NULL ? head->authority : "";
	write_field(out, "Host", authority, strlen(authority));
	write_fields(&head->fields, out);
	write_ending(head, out);
}

static bool may_say_length(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

void http_head_write_response(const struct http_head *head, struct buf *out)
{
	char status[DECIMAL_TEXT];
	make_room(head, out);
	buf_append(out, "HTTP/1.1 ", strlen("HTTP/1.1 "));
	buf_append(out, status, decimal_write(status, head->status));
	buf_append(out, " ", 1);
	buf_append_text(out, http_reason(head->status));
	buf_append(out, "\r\n", 2);
	write_fields(&head->fields, out);
	if (head->body == HTTP_BODY_NONE && may_say_length(head->status))
		write_length(out, head->content_length);
	/* An interim answer says nothing about the connection. */
	if (head->status < 200 && head->status != 101) {
		buf_append(out, "\r\n", 2);
		return;
	}
	write_ending(head, out);
}

void http_trailers_write(const struct http_fields *fields, struct buf *out)
{
	buf_append_text(out, "0\r\n");
	write_fields(fields, out);
	buf_append_text(out, "\r\n");
}

size_t http_chunk_prefix(size_t len, char prefix[HTTP_CHUNK_PREFIX_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t count = 1;
	while (count < 16 && (len >> (4 * count)) != 0)
		count++;
	for (size_t i = 0; i < count; i++)
		prefix[i] = digits[(len >> (4 * (count - 1 - i))) & 15];
	prefix[count] = '\r';
	prefix[count + 1] = '\n';
	return count + 2;
}
