/* See fake_http.h. One watch per connection; answers are small enough for one write. */
#include "tests/unit/fake_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"

#define MAX_ANSWERS	64
#define MAX_CONNECTIONS 64

struct answer {
	char *bytes; /* NULL: silence */
	bool is_last;
};

struct connection {
	struct fake_http *server;
	int fd;
	struct watch *watch;
	struct buf in;
};

struct fake_http {
	struct loop *loop;
	int fd;
	struct watch *watch;
	char url[64];
	struct answer answers[MAX_ANSWERS];
	size_t answer_count, next;
	char *requests[MAX_ANSWERS];
	size_t request_count;
	struct connection *connections[MAX_CONNECTIONS];
	size_t connection_count;
};

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void close_connection(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	watch_free(&connection->watch);
	close(connection->fd);
	connection->fd = -1;
}

/* Bytes of the first request in `text`; 0 when it is not whole yet. */
static size_t request_size(const char *text, size_t len)
{
	const char *end = strstr(text, "\r\n\r\n");
	if (end == NULL)
		return 0;
	size_t head = (size_t)(end - text) + 4, body = 0;
	const char *length = strcasestr(text, "\r\ncontent-length:");
	if (length != NULL && length < end)
		body = strtoul(length + 17, NULL, 10);
	return head + body <= len ? head + body : 0;
}

static void answer_request(struct connection *connection, size_t size)
{
	struct fake_http *server = connection->server;
	check(server->request_count < MAX_ANSWERS, "too many requests");
	server->requests[server->request_count++] = xstrndup(connection->in.data, size);
	buf_consume(&connection->in, size);
	check(server->next < server->answer_count, "a request that no answer is scripted for");
	const struct answer *answer = &server->answers[server->next++];
	if (answer->bytes == NULL)
		return;
	size_t len = strlen(answer->bytes);
	check(send(connection->fd, answer->bytes, len, MSG_NOSIGNAL) == (ssize_t)len, "send");
	if (answer->is_last)
		close_connection(connection);
}

static void on_readable(void *arg, unsigned ready)
{
	(void)ready;
	struct connection *connection = arg;
	char *room = buf_reserve(&connection->in, 65536);
	ssize_t got = recv(connection->fd, room, 65536, 0);
	if (got <= 0) {
		close_connection(connection);
		return;
	}
	buf_commit(&connection->in, (size_t)got);
	size_t size;
	while (connection->fd >= 0 &&
	       (size = request_size(buf_text(&connection->in), connection->in.len)) > 0)
		answer_request(connection, size);
}

static void on_connection(void *arg, unsigned ready)
{
	(void)ready;
	struct fake_http *server = arg;
	struct connection *connection = xcalloc(1, sizeof *connection);
	check(server->connection_count < MAX_CONNECTIONS, "too many connections");
	server->connections[server->connection_count++] = connection;
	connection->server = server;
	connection->fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	check(connection->fd >= 0, "accept");
	connection->watch = watch_new(server->loop, connection->fd, on_readable, connection);
	watch_set(connection->watch, WATCH_READ);
}

struct fake_http *fake_http_new(struct loop *loop)
{
	struct fake_http *server = xcalloc(1, sizeof *server);
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	server->loop = loop;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(server->fd >= 0, "socket");
	check(bind(server->fd, (struct sockaddr *)&address, len) == 0, "bind");
	check(listen(server->fd, 16) == 0, "listen");
	check(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
	snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
	server->watch = watch_new(loop, server->fd, on_connection, server);
	watch_set(server->watch, WATCH_READ);
	return server;
}

void fake_http_free(struct fake_http **handle)
{
	struct fake_http *server = *handle;
	for (size_t i = 0; i < server->connection_count; i++) {
		close_connection(server->connections[i]);
		buf_free(&server->connections[i]->in);
		free(server->connections[i]);
	}
	for (size_t i = 0; i < server->answer_count; i++)
		free(server->answers[i].bytes);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	watch_free(&server->watch);
	close(server->fd);
	xfree(handle);
}

const char *fake_http_url(const struct fake_http *server)
{
	return server->url;
}

static void add_answer(struct fake_http *server, char *bytes, bool is_last)
{
	check(server->answer_count < MAX_ANSWERS, "too many answers");
	server->answers[server->answer_count++] = (struct answer){bytes, is_last};
}

void fake_http_answer(struct fake_http *server, int status, const char *headers, const char *body)
{
	add_answer(server,
	    xasprintf("HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
		strlen(body), body),
	    false);
}

void fake_http_answer_raw(struct fake_http *server, const char *bytes)
{
	add_answer(server, xstrdup(bytes), true);
}

void fake_http_hang(struct fake_http *server)
{
	add_answer(server, NULL, false);
}

size_t fake_http_count(const struct fake_http *server)
{
	return server->request_count;
}

const char *fake_http_request(const struct fake_http *server, size_t i)
{
	check(i < server->request_count, "no such request");
	return server->requests[i];
}
