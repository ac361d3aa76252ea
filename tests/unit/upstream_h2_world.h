/* An HTTP/2 connection to an API server in its tests: made-up stream, pool and owners of requests,
 * nghttp2 as the API server. */
#ifndef EKSGATE_TESTS_UPSTREAM_H2_WORLD_H
#define EKSGATE_TESTS_UPSTREAM_H2_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "kubeproxyd/back/upstream_h2.h"
#include "kubeproxyd/http/head.h"
#include "tests/unit/fake_streams.h"
#include "tests/unit/h2_end.h"

#define REQUESTS 8
#define WINDOW	 (256 * 1024)
#define TOKEN	 "Bearer token"

/* What a request heard. */
struct heard {
	struct peer peer;
	unsigned status, heads, drains, ends, failures;
	enum http_body_kind body_kind;
	uint64_t content_length;
	struct buf body;
	enum peer_failure_kind kind;
	bool is_reused, is_unsent;
	char *reason;
	bool pauses, keeps; /* in on_body; after the end or a failure */
	void (*meanwhile)(void); /* in on_body and on_failed; NULL: nothing */
};
extern struct heard requests[REQUESTS];
extern struct loop *loop;
extern struct upstream_h2_pool pool;
extern struct upstream_h2 *connection;
extern unsigned connects, not_h2s, deaths;
extern struct h2_end server;

void release(struct heard *heard);
/* Request `i` of the connection. */
struct peer lend(unsigned i, const struct upstream_want *want);
void fill_head(struct http_head *head, const char *method, const char *token);
/* Sends its head, and its end when it has no body. */
void ask(unsigned i, const char *method, enum http_body_kind body, const char *token);
void get(unsigned i);
/* What send_body() said. */
bool post(unsigned i, size_t len, bool is_last);
void end_turn(void);
void wait_ms(int64_t ms);
/* What the connection wrote, to the server. True: there was something. */
bool carry_up(void);
bool carry_down(void);
/* Until both are silent. */
void talk(void);
void open_stream(void);
/* The connection opens, to another server. */
void connect_to(const struct h2_end_options *options);
/* Whole. The stream of request `i` is 2i + 1 while they are sent in order. */
void answer(int32_t id, const char *status, const char *text);
void assert_failed(unsigned i, enum peer_failure_kind kind, bool is_unsent);
/* For cmocka. */
int set_up(void **state);
int tear_down(void **state);

#endif
