/* The load's connections: non-blocking TLS over loopback with a client certificate, no resumption,
 * whatever certificate the other side shows. Output is gathered and written once a turn. Called by
 * load.c, calls load_http.c. */
#include "tests/bench/load_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/xmem.h"
#include "tests/bench/load_http.h"

#define READ_SIZE 65536

static void die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

static void watch(struct connection *c, int operation, bool is_writing)
{
	struct epoll_event event = {.events = EPOLLIN | (is_writing ? EPOLLOUT : 0), .data.ptr = c};
	c->is_writing = is_writing;
	if (epoll_ctl(c->load->epoll, operation, c->fd, &event) != 0)
		die("epoll_ctl", strerror(errno));
}

static void want_write(struct connection *c, bool wanted)
{
	if (c->is_writing != wanted)
		watch(c, EPOLL_CTL_MOD, wanted);
}

static int connect_socket(const struct load *load)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&load->address, sizeof load->address) != 0)
		die("cannot connect", strerror(errno));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		die("cannot set up a socket", strerror(errno));
	return fd;
}

static void start(struct connection *c)
{
	c->state = CONNECTION_OPEN;
	c->load->opening--;
	c->load->open++;
	http_start(c);
}

void connection_open(struct connection *c)
{
	struct load *load = c->load;
	const char *protocol = load->with.is_h2 ? "\x02h2" : "\x08http/1.1";
	c->fd = connect_socket(load);
	c->state = CONNECTION_HANDSHAKE;
	load->opening++;
	if (c->requests == NULL)
		c->requests = xcalloc((size_t)load_slots(load), sizeof *c->requests);
	if (load->with.is_plain) {
		watch(c, EPOLL_CTL_ADD, false);
		start(c);
		return;
	}
	c->ssl = SSL_new(load->tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_set_alpn_protos(
		c->ssl, (const unsigned char *)protocol, (unsigned)strlen(protocol)) != 0 ||
	    SSL_set_tlsext_host_name(c->ssl, "localhost") != 1)
		die("TLS", "cannot set up a connection");
	SSL_set_connect_state(c->ssl);
	watch(c, EPOLL_CTL_ADD, true);
}

void connection_close(struct connection *c)
{
	struct load *load = c->load;
	for (long i = 0; i < load_slots(load); i++) {
		if (c->requests[i].is_busy)
			http_finish(c, &c->requests[i], false);
		c->requests[i] = (struct request){0};
	}
	load->opening -= c->state == CONNECTION_HANDSHAKE;
	load->open -= c->state == CONNECTION_OPEN;
	nghttp2_session_del(c->h2);
	SSL_free(c->ssl);
	close(c->fd);
	buf_free(&c->out);
	buf_free(&c->in);
	*c = (struct connection){.load = load, .requests = c->requests};
}

static bool shake_hands(struct connection *c)
{
	int code = SSL_do_handshake(c->ssl);
	if (code == 1) {
		start(c);
		return true;
	}
	int error = SSL_get_error(c->ssl, code);
	want_write(c, error == SSL_ERROR_WANT_WRITE);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool read_all(struct connection *c)
{
	static char data[READ_SIZE];
	for (;;) {
		ssize_t len = c->ssl != NULL ? SSL_read(c->ssl, data, sizeof data)
					     : recv(c->fd, data, sizeof data, 0);
		if (len <= 0 && c->ssl == NULL)
			return len < 0 && errno == EAGAIN;
		if (len <= 0)
			return SSL_get_error(c->ssl, (int)len) == SSL_ERROR_WANT_READ;
		if (!http_receive(c, data, (size_t)len))
			return false;
	}
}

bool connection_work(struct connection *c)
{
	if (c->state == CONNECTION_HANDSHAKE && !shake_hands(c))
		return false;
	if (c->state == CONNECTION_HANDSHAKE)
		return true;
	if (!read_all(c))
		return false;
	connection_flush(c);
	return true;
}

void connection_request(struct connection *c, int64_t due_ns)
{
	struct request *request = c->requests;
	while (request->is_busy)
		request++;
	*request = (struct request){.begun_ns = due_ns, .is_busy = true};
	c->busy++;
	http_send(c, request);
}

void connection_flush(struct connection *c)
{
	http_collect(c);
	while (c->out.len > 0) {
		ssize_t len = c->ssl != NULL ? SSL_write(c->ssl, c->out.data, (int)c->out.len)
					     : send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (len <= 0)
			break;
		buf_consume(&c->out, (size_t)len);
	}
	want_write(c, c->out.len > 0);
}
