/* The rules about HTTP/1 messages that a parser of the grammar alone does not know or takes
 * lightly. Each refusal names what is wrong, since it goes to the user as it stands. */
#include "kubeproxyd/http/h1_rules.h"

#include <string.h>
#include <strings.h>

#define VERSION_LEN 8 /* "HTTP/1.1" */

static bool refuse(struct h1_error *error, unsigned status, const char *message)
{
	*error = (struct h1_error){.status = status, .message = message};
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_version(const char *text)
{
	return memcmp(text, "HTTP/", 5) == 0 && is_digit(text[5]) && text[6] == '.' &&
	       is_digit(text[7]);
}

static bool check_version(const char *text, struct h1_error *error)
{
	if (memcmp(text, "HTTP/1.1", VERSION_LEN) == 0 ||
	    memcmp(text, "HTTP/1.0", VERSION_LEN) == 0)
		return true;
	if (text[5] == '0')
		return refuse(error, 400, "HTTP/0.9 is not spoken here");
	return refuse(error, 505, "only HTTP/1.0 and HTTP/1.1 are spoken on this connection");
}

bool h1_check_request_line(const char *line, size_t len, struct h1_error *error)
{
	const char *space = memchr(line, ' ', len);
	if (space == NULL || !h1_is_token(line, (size_t)(space - line)))
		return refuse(error, 400, "the first line is not an HTTP request line");
	/* Exactly two spaces, the second right before the version. */
	size_t behind_method = len - (size_t)(space - line);
	if (behind_method < VERSION_LEN + 2 || !is_version(line + len - VERSION_LEN) ||
	    memchr(space + 1, ' ', behind_method - 1) != line + len - VERSION_LEN - 1)
		return refuse(
		    error, 400, "the request line is not METHOD, target and HTTP version");
	return check_version(line + len - VERSION_LEN, error);
}

bool h1_check_status_line(const char *line, size_t len, struct h1_error *error)
{
	if (len < VERSION_LEN || !is_version(line))
		return refuse(error, 400, "the answer does not begin with an HTTP status line");
	return check_version(line, error);
}

bool h1_check_target(const char *target, size_t len, struct h1_error *error)
{
	if (len == 0 || target[0] != '/')
		return refuse(error, 400, "the request target must begin with '/' (origin-form)");
	if (field_text_is_visible(target, len) && memchr(target, '#', len) == NULL)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (target[i] <= 0x20 || target[i] >= 0x7f)
			return refuse(error, 400,
			    "the request target holds a byte that must be percent-encoded");
		if (target[i] == '#')
			return refuse(error, 400, "the request target holds a fragment ('#')");
	}
	return true;
}

/* What names of fields are made of (RFC 9110, 5.6.2), and authorities: host, IP literal and port
 * (RFC 3986, 3.2.2), without user information. */
enum { IN_TOKEN = 1, IN_AUTHORITY = 2 };

#define IN_BOTH (IN_TOKEN | IN_AUTHORITY)

static const uint8_t places[256] = {
    ['0' ... '9'] = IN_BOTH,
    ['A' ... 'Z'] = IN_BOTH,
    ['a' ... 'z'] = IN_BOTH,
    ['!'] = IN_BOTH,
    ['#'] = IN_BOTH,
    ['$'] = IN_BOTH,
    ['%'] = IN_BOTH,
    ['&'] = IN_BOTH,
    ['\''] = IN_BOTH,
    ['*'] = IN_BOTH,
    ['+'] = IN_BOTH,
    ['-'] = IN_BOTH,
    ['.'] = IN_BOTH,
    ['^'] = IN_BOTH,
    ['_'] = IN_BOTH,
    ['`'] = IN_BOTH,
    ['|'] = IN_BOTH,
    ['~'] = IN_BOTH,
    ['('] = IN_AUTHORITY,
    [')'] = IN_AUTHORITY,
    ['='] = IN_AUTHORITY,
    [';'] = IN_AUTHORITY,
    [':'] = IN_AUTHORITY,
    ['['] = IN_AUTHORITY,
    [']'] = IN_AUTHORITY,
};

bool h1_is_token(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((places[(unsigned char)name[i]] & IN_TOKEN) == 0)
			return false;
	return len > 0;
}

/* Digits alone, within 63 bits: more is an attempt to make two parsers disagree. */
static bool parse_length(const char *value, size_t len, uint64_t *length)
{
	if (len == 0 || len > 19)
		return false;
	*length = 0;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(value[i]))
			return false;
		*length = *length * 10 + (uint64_t)(value[i] - '0');
	}
	return *length <= INT64_MAX;
}

static bool ends_in_chunked(const char *value, size_t len)
{
	size_t last = strlen("chunked");
	if (len <= last || strncasecmp(value + len - last, "chunked", last) != 0)
		return false;
	char before = value[len - last - 1];
	return (before == ',' || before == ' ') && memchr(value, ',', len) != NULL;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
	return strlen(wanted) == len && strncasecmp(name, wanted, len) == 0;
}

bool h1_note_field(struct h1_facts *facts, const char *name, size_t name_len, const char *value,
    size_t value_len, bool has_tab)
{
	if (is_name(name, name_len, "host")) {
		facts->host_count++;
		return true;
	}
	if (is_name(name, name_len, "content-length")) {
		facts->length_count++;
		facts->is_length_valid = parse_length(value, value_len, &facts->length);
		return true;
	}
	if (is_name(name, name_len, "transfer-encoding")) {
		facts->coding_count++;
		facts->is_chunked = !has_tab && is_name(value, value_len, "chunked");
		facts->is_other_coding = ends_in_chunked(value, value_len);
		return true;
	}
	return false;
}

/* What requests and answers have in common. */
static bool check_framing(const struct h1_facts *facts, struct h1_error *error)
{
	if (facts->length_count > 1)
		return refuse(error, 400, "more than one Content-Length");
	if (facts->length_count == 1 && facts->coding_count > 0)
		return refuse(error, 400, "Content-Length and Transfer-Encoding in one message");
	if (facts->length_count == 1 && !facts->is_length_valid)
		return refuse(error, 400, "Content-Length is not a number of bytes");
	if (facts->coding_count > 1)
		return refuse(error, 400, "more than one Transfer-Encoding");
	if (facts->coding_count == 0)
		return true;
	if (facts->is_http10)
		return refuse(error, 400, "Transfer-Encoding in an HTTP/1.0 message");
	if (facts->is_other_coding)
		return refuse(error, 501, "only the transfer coding \"chunked\" is understood");
	if (!facts->is_chunked)
		return refuse(error, 400, "Transfer-Encoding is not exactly \"chunked\"");
	return true;
}

static bool is_kept_alive(const struct h1_facts *facts, const struct http_head *head)
{
	if (fields_has_token(&head->fields, "connection", "close"))
		return false;
	return !facts->is_http10 || fields_has_token(&head->fields, "connection", "keep-alive");
}

/* One protocol, offered in one field. HTTP/2 by upgrade is never taken up (RFC 9113, 3.1 withdrew
 * it). */
static bool offers_upgrade(const struct http_head *head)
{
	if (!fields_has_token(&head->fields, "connection", "upgrade") ||
	    fields_count_of(&head->fields, "upgrade") != 1)
		return false;
	const char *protocol = fields_get(&head->fields, "upgrade");
	return protocol[0] != '\0' && strpbrk(protocol, ", \t") == NULL &&
	       strncasecmp(protocol, "h2", 2) != 0;
}

bool h1_is_authority(const char *text)
{
	for (; *text != '\0'; text++)
		if ((places[(unsigned char)*text] & IN_AUTHORITY) == 0)
			return false;
	return true;
}

bool h1_decide_request(const struct h1_facts *facts, struct http_head *head, struct h1_error *error)
{
	if (facts->host_count > 1)
		return refuse(error, 400, "more than one Host");
	if (facts->host_count == 0 && !facts->is_http10)
		return refuse(error, 400, "Host is missing");
	if (!h1_is_authority(head->authority))
		return refuse(error, 400, "Host is not a host name with an optional port");
	if (!check_framing(facts, error))
		return false;
	head->body = facts->coding_count > 0   ? HTTP_BODY_CHUNKED
		     : facts->length_count > 0 ? HTTP_BODY_LENGTH
					       : HTTP_BODY_NONE;
	head->content_length = facts->length_count > 0 ? facts->length : 0;
	bool has_body = head->body == HTTP_BODY_CHUNKED || head->content_length > 0;
	head->is_http10 = facts->is_http10;
	head->keep_alive = is_kept_alive(facts, head);
	head->is_upgrade = !facts->is_http10 && !has_body && offers_upgrade(head);
	head->expects_continue = !facts->is_http10 && has_body &&
				 fields_has_token(&head->fields, "expect", "100-continue");
	return true;
}

static bool has_no_body(const struct h1_facts *facts, unsigned status)
{
	return status < 200 || status == 204 || status == 304 || facts->expects_no_body;
}

bool h1_decide_response(
    const struct h1_facts *facts, struct http_head *head, struct h1_error *error)
{
	if (!check_framing(facts, error))
		return false;
	bool is_bare = has_no_body(facts, head->status);
	if (is_bare && facts->coding_count > 0 && !facts->expects_no_body)
		return refuse(error, 400, "Transfer-Encoding in an answer that has no body");
	head->content_length = facts->length_count > 0 ? facts->length : 0;
	head->body = is_bare		       ? HTTP_BODY_NONE
		     : facts->coding_count > 0 ? HTTP_BODY_CHUNKED
		     : facts->length_count > 0 ? HTTP_BODY_LENGTH
					       : HTTP_BODY_TO_CLOSE;
	head->keep_alive = head->body != HTTP_BODY_TO_CLOSE && is_kept_alive(facts, head);
	head->is_http10 = facts->is_http10;
	head->is_upgrade = head->status == 101 && offers_upgrade(head);
	if (head->status == 101 && !head->is_upgrade)
		return refuse(error, 400, "101 without Connection: upgrade and one Upgrade field");
	return true;
}
