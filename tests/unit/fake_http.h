/* A scripted HTTP server on the test's own loop: each request gets the next scripted answer, and
 * all requests are kept to be looked at. For the unit tests of what speaks HTTP to AWS. */
#ifndef EKSGATE_TESTS_FAKE_HTTP_H
#define EKSGATE_TESTS_FAKE_HTTP_H

#include <stddef.h>

struct loop;
struct fake_http;

struct fake_http *fake_http_new(struct loop *loop);
void fake_http_free(struct fake_http **server);
/* "http://127.0.0.1:PORT"; borrowed. */
const char *fake_http_url(const struct fake_http *server);

/* Scripts one answer with Content-Length. `headers` is "" or lines that each end in "\r\n". */
void fake_http_answer(struct fake_http *server, int status, const char *headers, const char *body);
/* Scripts one answer byte by byte; the connection is closed behind it. */
void fake_http_answer_raw(struct fake_http *server, const char *bytes);
/* Scripts silence. */
void fake_http_hang(struct fake_http *server);

size_t fake_http_count(const struct fake_http *server);
/* Head and body of a request as they arrived; borrowed. */
const char *fake_http_request(const struct fake_http *server, size_t i);

#endif
