/* A request or response head, whatever the HTTP version it came in: what front, exchange and back
 * pass to each other. */
#ifndef EKSGATE_HEAD_H
#define EKSGATE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/fields.h"

enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH, /* content_length bytes */
	HTTP_BODY_CHUNKED, /* h1: chunked; h2: until END_STREAM */
	HTTP_BODY_TO_CLOSE, /* responses: until the connection ends */
};

struct http_head {
	/* Requests. */
	char method[24];
	const char *target; /* as received: origin-form "/path?query"; http_head_set_target() */
	const char *authority; /* Host or :authority, "" without one; http_head_set_authority() */
	struct buf target_text, authority_text; /* their memory */
	/* Responses. */
	unsigned status;
	/* Both. `fields` holds no Host, Content-Length, Transfer-Encoding: they are said above and
	 * below. */
	struct http_fields fields;
	enum http_body_kind body;
	uint64_t content_length; /* with HTTP_BODY_LENGTH; without a body, what an answer to HEAD or
				    a 304 declares */
	bool keep_alive; /* h1: the connection may be used again after this message */
	bool is_upgrade; /* h1: "Connection: upgrade" and exactly one Upgrade field; 101 in a
			    response */
	bool expects_continue; /* h1: "Expect: 100-continue" */
	bool is_http10; /* h1 requests: the client knows neither chunked nor 100: answer it to close
			 */
};

/* Empties it and keeps its memory; target and authority become NULL. */
void http_head_clear(struct http_head *head);
void http_head_free(struct http_head *head);
/* Gives back what its memory has too much, of a request that may last for hours; pointers to its
 * texts are good no more. */
void http_head_trim(struct http_head *head);
/* Copy `len` bytes. */
void http_head_set_target(struct http_head *head, const char *target, size_t len);
void http_head_set_authority(struct http_head *head, const char *authority, size_t len);
/* Truncated to the room that `method` has. */
void http_head_set_method(struct http_head *head, const char *method);

/* Whether host[:port] of `len` bytes names the authority; "host" and "host:443" are the same. */
bool http_is_authority(const char *host, size_t len, const char *authority);

/* The standard phrase of a status ("Not Found"); "" when unknown. */
const char *http_reason(unsigned status);

/* Serialise as HTTP/1.1. Content-Length or Transfer-Encoding, Host and Connection are written from
 * the members; fields of those names in `fields` are a defect and abort, and so are control
 * characters in any value (a request could be split by them: check what comes from certificates and
 * tokens before). Without keep_alive "Connection: close" is written, with is_upgrade "Connection:
 * Upgrade". An answer without a body says "Content-Length: <content_length>" unless its status
 * (1xx, 204, 304) forbids it. HTTP_BODY_TO_CLOSE writes no length: leave keep_alive false with it.
 */
void http_head_write_request(const struct http_head *head, struct buf *out);
void http_head_write_response(const struct http_head *head, struct buf *out);
/* Framing of one piece of a chunked body: size line before it ("1f\r\n"), CRLF behind it, and the
 * last chunk. */
#define HTTP_CHUNK_PREFIX_MAX 18
size_t http_chunk_prefix(size_t len, char prefix[HTTP_CHUNK_PREFIX_MAX]);
#define HTTP_CHUNK_LAST "0\r\n\r\n"
/* The last chunk with trailers; names and values are checked as those of heads are. */
void http_trailers_write(const struct http_fields *fields, struct buf *out);

#endif
