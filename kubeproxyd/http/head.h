/* A request or response head, whatever the HTTP version it came in: what front, exchange and back pass to each other. */
#ifndef EKSGATE_HEAD_H
#define EKSGATE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/fields.h"

enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,  /* content_length bytes */
	HTTP_BODY_CHUNKED, /* h1: chunked; h2: until END_STREAM */
	HTTP_BODY_TO_CLOSE, /* responses: until the connection ends */
};

struct http_head {
	/* Requests. */
	char method[24];
	char *target;    /* as received: origin-form "/path?query"; malloc'd */
	char *authority; /* Host or :authority; malloc'd */
	/* Responses. */
	unsigned status;
	/* Both. `fields` holds no Host, Content-Length, Transfer-Encoding: they are said above and below. */
	struct http_fields fields;
	enum http_body_kind body;
	uint64_t content_length; /* with HTTP_BODY_LENGTH */
	bool keep_alive;         /* h1: the connection may be used again after this message */
	bool is_upgrade;         /* h1: "Connection: upgrade" and exactly one Upgrade field; 101 in a response */
	bool expects_continue;   /* h1: "Expect: 100-continue" */
};

void http_head_clear(struct http_head *head); /* keeps memory */
void http_head_free(struct http_head *head);

/* The standard phrase of a status ("Not Found"); "" when unknown. */
const char *http_reason(unsigned status);

/* Serialise as HTTP/1.1. Content-Length or Transfer-Encoding, Host and Connection are written from the members; fields of
 * those names in `fields` are a defect and abort. */
void http_head_write_request(const struct http_head *head, struct buf *out);
void http_head_write_response(const struct http_head *head, struct buf *out);
/* Framing of one piece of a chunked body: size line before it ("1f\r\n"), CRLF behind it, and the last chunk. */
#define HTTP_CHUNK_PREFIX_MAX 18
size_t http_chunk_prefix(size_t len, char prefix[HTTP_CHUNK_PREFIX_MAX]);
#define HTTP_CHUNK_LAST "0\r\n\r\n"

#endif
