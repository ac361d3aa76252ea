/* What the files of the bench's load share: one load, its connections, their requests. One thread,
 * plain values, freed by the end of the process. */
#ifndef EKSGATE_TESTS_LOAD_H
#define EKSGATE_TESTS_LOAD_H

#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct load_options {
	long port, connections, streams;
	const char *host, *path, *certificate, *key;
	bool is_h2;
	bool is_handshake; /* a connection for every request */
	bool is_hold; /* requests that never end: watches */
	bool is_plain; /* no TLS */
};

struct request {
	int64_t begun_ns; /* when it was due */
	bool is_busy;
};

enum connection_state { CONNECTION_NONE, CONNECTION_HANDSHAKE, CONNECTION_OPEN };

struct connection {
	struct load *load;
	enum connection_state state;
	int fd;
	SSL *ssl; /* NULL: plain */
	struct buf out;
	bool is_writing; /* the loop waits for room */
	struct request *requests; /* by slot; HTTP/1 has one */
	long busy;
	nghttp2_session *h2; /* NULL: HTTP/1 */
	struct buf in; /* HTTP/1: the answer so far */
	bool is_in_body;
	int64_t body_left; /* HTTP/1: -1 chunked */
};

struct load {
	struct load_options with;
	SSL_CTX *tls;
	int epoll;
	struct sockaddr_in address;
	struct connection *connections;
	struct buf request_text; /* HTTP/1 */
	long opening, open, held; /* now */
	long done, failed, events; /* since load_reset() */
	uint64_t bytes;
	int64_t *samples_ns;
	size_t sample_count;
};

/* CLOCK_MONOTONIC, which the upstream of the watches stamps its events with. */
int64_t load_now_ns(void);
/* A request that took, or an event that is old, `ns`. */
void load_sample(struct load *load, int64_t ns);
/* Starts counting anew. */
void load_reset(struct load *load);
/* How many requests a connection carries at a time. */
long load_slots(const struct load *load);

#endif
