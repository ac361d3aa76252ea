/* One listening socket. Takes a bounded number of connections per wake-up, so that a flood of them
 * does not hold up those that are open, and rests for a moment when the process is out of
 * descriptors, since accept would fail at full speed. */
#include "kubeproxyd/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/address.h"

#define BACKLOG		       4096
#define ACCEPTS_PER_TURN       64
#define EXHAUSTED_REST_MS      100
#define EXHAUSTED_LOG_INTERVAL 10

struct listener {
	struct loop *loop;
	listener_fn *fn;
	void *arg;
	int fd;
	struct watch *watch;
	struct timer *rest;
	bool is_paused, is_closed;
	bool was_exhausted;
	struct mono exhausted_logged_at;
	char address[ADDRESS_TEXT_MAX];
};

static void arm(struct listener *listener)
{
	bool is_resting = listener->is_paused || timer_is_set(listener->rest);
	watch_set(listener->watch, is_resting ? 0 : WATCH_READ);
}

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void rest(struct listener *listener, int error)
{
	struct duration interval = duration_seconds(EXHAUSTED_LOG_INTERVAL);
	if (!listener->was_exhausted ||
	    mono_is_past(mono_add(listener->exhausted_logged_at, interval))) {
		listener->was_exhausted = true;
		listener->exhausted_logged_at = mono_now();
		log_warn("listener", "cannot-accept", LOG_S("address", listener->address),
		    LOG_S("error", strerror(error)),
		    LOG_S("hint", "raise LimitNOFILE or lower the connection limit"));
	}
	timer_set(listener->rest, duration_ms(EXHAUSTED_REST_MS));
	arm(listener);
}

/* False: nothing more to accept now. */
static bool accept_one(struct listener *listener)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	int fd =
	    accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		listener->fn(listener->arg, fd, (const struct sockaddr *)&peer, len);
		return true;
	}
	if (is_exhaustion(errno)) {
		rest(listener, errno);
		return false;
	}
	/* What else fails concerns one connection that is gone already (accept(2), "Error
	 * handling"). */
	return errno != EAGAIN && errno != EWOULDBLOCK;
}

static void on_ready(void *arg, unsigned ready)
{
	(void)ready;
	struct listener *listener = arg;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(listener) || listener->is_closed || listener->is_paused)
			return;
}

static void on_rested(void *arg)
{
	arm(arg);
}

/* --- binding --------------------------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
	char *end = NULL;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool parse_address(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	uint16_t port;
	if (colon == NULL || !parse_port(colon + 1, &port))
		return false;
	char *host = xstrndup(text, (size_t)(colon - text));
	bool is_bare_ipv6 = host[0] != '[' && strchr(host, ':') != NULL;
	const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
	bool is_parsed = !is_bare_ipv6 && address_parse(literal, port, address, len);
	free(host);
	return is_parsed;
}

static bool listen_on(int fd, const struct sockaddr_storage *address, socklen_t len)
{
	int on = 1;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
	       bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, BACKLOG) == 0;
}

/* The descriptor, or -1 and *error. */
static const char *remedy(int problem)
{
	if (problem == EACCES)
		return ": let systemd open ports below 1024, see kubeproxyd@.socket";
	if (problem == EADDRINUSE)
		return ": another program or user has it, `ss -ltnp` tells which";
	return "";
}

static int open_socket(const char *text, char **error)
{
	struct sockaddr_storage address;
	socklen_t len;
	if (!parse_address(text, &address, &len)) {
		*error = xasprintf(
		    "listen address \"%s\": expected IP:PORT, [IPv6]:PORT or localhost:PORT", text);
		return -1;
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && listen_on(fd, &address, len))
		return fd;
	*error = xasprintf("listen on %s: %s%s", text, strerror(errno), remedy(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct listener *make_listener(struct loop *loop, int fd, listener_fn *fn, void *arg)
{
	struct listener *listener = xcalloc(1, sizeof *listener);
	listener->loop = loop;
	listener->fn = fn;
	listener->arg = arg;
	listener->fd = fd;
	listener->watch = watch_new(loop, fd, on_ready, listener);
	listener->rest = timer_new(loop, on_rested, listener);
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof bound;
	if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
		abort();
	address_text((const struct sockaddr *)&bound, listener->address);
	arm(listener);
	return listener;
}

struct listener *listener_new(
    struct loop *loop, const char *address, listener_fn *fn, void *arg, char **error)
{
	int fd = open_socket(address, error);
	return fd >= 0 ? make_listener(loop, fd, fn, arg) : NULL;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof value;
	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

static bool is_tcp_listener(int fd)
{
	int domain = socket_option(fd, SO_DOMAIN);
	return (domain == AF_INET || domain == AF_INET6) &&
	       socket_option(fd, SO_TYPE) == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1;
}

struct listener *listener_adopt(struct loop *loop, int fd, listener_fn *fn, void *arg, char **error)
{
	if (!is_tcp_listener(fd)) {
		*error = xasprintf(
		    "descriptor %d of LISTEN_FDS is not a listening TCP socket: the socket unit "
		    "needs ListenStream= with an IP address or a port, and Accept=no",
		    fd);
		(void)close(fd);
		return NULL;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		abort();
	return make_listener(loop, fd, fn, arg);
}

void listener_accept_rest(struct listener *listener)
{
	for (unsigned i = 0; i < BACKLOG && !listener->is_paused; i++)
		if (!accept_one(listener) || listener->is_closed)
			return;
}

void listener_free(struct listener **listener)
{
	struct listener *closing = *listener;
	*listener = NULL;
	if (closing == NULL)
		return;
	closing->is_closed = true;
	watch_free(&closing->watch);
	timer_free(&closing->rest);
	close(closing->fd);
	loop_free_later(closing->loop, free, closing);
}

void listener_pause(struct listener *listener)
{
	listener->is_paused = true;
	arm(listener);
}

void listener_resume(struct listener *listener)
{
	listener->is_paused = false;
	arm(listener);
}

const char *listener_address(const struct listener *listener)
{
	return listener->address;
}
