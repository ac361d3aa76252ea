/* The admin server: evhttp on a unix socket and, when configured, on a loopback TCP address that
 * shows only what is public. Requests are matched to routes by method and path; the rights of the
 * peer are checked before any handler. */
#include "common/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/lock_file.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"

#define MAX_BODY     (1024 * 1024)
#define MAX_HEADERS  (16 * 1024)
#define IDLE_SECONDS 60
#define BACKLOG	     64

struct route {
	char *method, *path;
	enum admin_access access;
	admin_fn *fn;
	void *arg;
	struct route *next;
};

struct admin {
	struct loop *loop;
	struct metrics *metrics;
	struct evhttp *local; /* the unix socket */
	struct evhttp *public; /* the TCP address */
	admin_health_fn *ready;
	void *ready_arg;
	struct route *routes;
	char *socket_path;
	int lock_fd;
};

struct admin_request {
	struct evhttp_request *http;
	struct evkeyvalq query;
	char *path, *tail;
	uid_t uid;
};

/* --- requests --------------------------------------------------------------------------------- */

static void free_request(struct admin_request *request)
{
	evhttp_clear_headers(&request->query);
	free(request->path);
	free(request->tail);
	free(request);
}

static void send_text(
    struct evhttp_request *http, int status, const char *type, const char *text, size_t len)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	struct evbuffer *body = evbuffer_new();
	if (body == NULL || evbuffer_add(body, text, len) != 0)
		abort();
	evhttp_send_reply(http, status, NULL, body);
	evbuffer_free(body);
}

void admin_reply(struct admin_request *request, int status, struct json_object *document)
{
	const char *json = json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE);
	struct buf text = {0};
	/* Parts of it are the words of users, who must not make it unreadable. */
	buf_append_utf8(&text, json, strlen(json));
	send_text(request->http, status, "application/json", text.data, text.len);
	buf_free(&text);
	json_object_put(document);
	free_request(request);
}

void admin_reply_error(struct admin_request *request, int status, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	struct json_object *document = json_object_new_object();
	json_object_object_add(document, "error", json_object_new_string(text));
	free(text);
	admin_reply(request, status, document);
}

const char *admin_tail(const struct admin_request *request)
{
	return request->tail;
}

const char *admin_query(const struct admin_request *request, const char *name)
{
	return evhttp_find_header(&request->query, name);
}

uid_t admin_peer_uid(const struct admin_request *request)
{
	return request->uid;
}

/* --- built-in routes -------------------------------------------------------------------------- */

static bool reply_builtin(struct admin *admin, struct evhttp_request *http, const char *path)
{
	if (strcmp(path, "/healthz") == 0) {
		send_text(http, 200, "text/plain", "ok\n", 3);
		return true;
	}
	if (strcmp(path, "/readyz") == 0) {
		const char *why = "not ready";
		bool ready = admin->ready(admin->ready_arg, &why);
		char *text = xasprintf("%s\n", ready ? "ok" : why);
		send_text(http, ready ? 200 : 503, "text/plain", text, strlen(text));
		free(text);
		return true;
	}
	if (strcmp(path, "/metrics") == 0) {
		struct buf out = {0};
		metrics_write(admin->metrics, &out);
		send_text(http, 200, "text/plain; version=0.0.4", buf_text(&out), out.len);
		buf_free(&out);
		return true;
	}
	return false;
}

/* --- dispatch --------------------------------------------------------------------------------- */

static const char *method_name(struct evhttp_request *http)
{
	switch (evhttp_request_get_command(http)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "";
	}
}

static bool path_matches(const struct route *route, const char *path)
{
	size_t len = strlen(route->path);
	if (route->path[len - 1] == '/')
		return strncmp(path, route->path, len) == 0;
	return strcmp(path, route->path) == 0;
}

static const struct route *find_route(
    const struct admin *admin, const char *method, const char *path)
{
	for (const struct route *route = admin->routes; route != NULL; route = route->next) {
		if (strcmp(route->method, method) == 0 && path_matches(route, path))
			return route;
	}
	return NULL;
}

/* (uid_t)-1 when it is not a unix socket. */
static uid_t peer_uid(struct evhttp_request *http)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return (uid_t)-1;
	return peer.uid;
}

static bool is_permitted(enum admin_access access, bool is_local, uid_t uid)
{
	if (access == ADMIN_PUBLIC)
		return true;
	if (!is_local)
		return false;
	return access == ADMIN_READ || uid == 0 || uid == geteuid();
}

static struct admin_request *new_request(struct evhttp_request *http, uid_t uid)
{
	struct admin_request *request = xcalloc(1, sizeof *request);
	request->http = http;
	request->uid = uid;
	TAILQ_INIT(&request->query);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
	request->path = xstrdup_or_null(path);
	if (query != NULL && evhttp_parse_query_str(query, &request->query) != 0)
		evhttp_clear_headers(&request->query);
	return request;
}

static void dispatch(struct admin *admin, struct evhttp_request *http, bool is_local)
{
	struct admin_request *request = new_request(http, is_local ? peer_uid(http) : (uid_t)-1);
	const char *path = request->path != NULL ? request->path : "";
	if (reply_builtin(admin, http, path)) {
		free_request(request);
		return;
	}
	const struct route *route = find_route(admin, method_name(http), path);
	if (route == NULL || (!is_local && route->access != ADMIN_PUBLIC)) {
		admin_reply_error(request, 404, "no %s here", path);
		return;
	}
	if (!is_permitted(route->access, is_local, request->uid)) {
		admin_reply_error(request, 403, "this changes something: only root may ask for it");
		return;
	}
	size_t prefix =
	    route->path[strlen(route->path) - 1] == '/' ? strlen(route->path) : strlen(path);
	request->tail = evhttp_uridecode(path + prefix, 0, NULL);
	route->fn(route->arg, request);
}

static void on_local(struct evhttp_request *http, void *arg)
{
	dispatch(arg, http, true);
}

static void on_public(struct evhttp_request *http, void *arg)
{
	dispatch(arg, http, false);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static struct evhttp *new_server(
    struct admin *admin, void (*on_request)(struct evhttp_request *, void *))
{
	struct evhttp *server = evhttp_new(loop_base(admin->loop));
	if (server == NULL)
		abort();
	evhttp_set_max_body_size(server, MAX_BODY);
	evhttp_set_max_headers_size(server, MAX_HEADERS);
	evhttp_set_timeout(server, IDLE_SECONDS);
	evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(server, on_request, admin);
	return server;
}

struct admin *admin_new(
    struct loop *loop, struct metrics *metrics, admin_health_fn *ready, void *arg)
{
	struct admin *admin = xcalloc(1, sizeof *admin);
	admin->loop = loop;
	admin->metrics = metrics;
	admin->ready = ready;
	admin->ready_arg = arg;
	admin->lock_fd = -1;
	return admin;
}

void admin_free(struct admin **admin)
{
	if (*admin == NULL)
		return;
	if ((*admin)->local != NULL)
		evhttp_free((*admin)->local);
	if ((*admin)->public != NULL)
		evhttp_free((*admin)->public);
	struct route *next;
	for (struct route *route = (*admin)->routes; route != NULL; route = next) {
		next = route->next;
		free(route->method);
		free(route->path);
		free(route);
	}
	if ((*admin)->socket_path != NULL)
		unlink((*admin)->socket_path);
	free((*admin)->socket_path);
	if ((*admin)->lock_fd >= 0)
		close((*admin)->lock_fd);
	xfree(admin);
}

void admin_route(struct admin *admin, const char *method, const char *path,
    enum admin_access access, admin_fn *fn, void *arg)
{
	struct route *route = xcalloc(1, sizeof *route);
	*route = (struct route){xstrdup(method), xstrdup(path), access, fn, arg, admin->routes};
	admin->routes = route;
}

/* Makes the last directory of `path`, for us alone. One that is there already must be a directory
 * of ours. */
static bool make_directory(const char *path, char **error)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL || slash == path) {
		*error = xasprintf("%s: the admin socket needs a directory of its own", path);
		return false;
	}
	char *directory = xstrndup(path, (size_t)(slash - path));
	struct stat st;
	bool ok = mkdir(directory, 0700) == 0 || errno == EEXIST;
	if (!ok)
		*error = xasprintf("cannot make %s: %s", directory, strerror(errno));
	else if (lstat(directory, &st) != 0 || !S_ISDIR(st.st_mode) || (st.st_mode & 022) != 0 ||
		 (st.st_uid != geteuid() && st.st_uid != 0)) {
		*error = xasprintf(
		    "%s must be a directory of this user that others cannot write to (chmod 0700)",
		    directory);
		ok = false;
	}
	free(directory);
	return ok;
}

/* Binds and listens under a name beside `path`, then takes that name's place: who finds the socket
 * finds somebody who answers, also in the moment of a start. */
static int bind_unix(const char *path, char **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *unready = xasprintf("%s.new", path);
	if (strlen(unready) >= sizeof address.sun_path) {
		*error = xasprintf(
		    "%s: longer than the %zu bytes that the path of an admin socket may have", path,
		    sizeof address.sun_path - sizeof ".new");
		free(unready);
		return -1;
	}
	memcpy(address.sun_path, unready, strlen(unready) + 1);
	unlink(unready); /* ours by the lock: whoever left it is gone */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t old = umask(0077);
	bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
		  listen(fd, BACKLOG) == 0 && rename(unready, path) == 0;
	umask(old);
	if (!ok) {
		*error = xasprintf("cannot listen on %s: %s", path, strerror(errno));
		unlink(unready);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(unready);
	return fd;
}

bool admin_listen_unix(struct admin *admin, const char *path, char **error)
{
	if (!make_directory(path, error))
		return false;
	char *lock = xasprintf("%s.lock", path);
	admin->lock_fd = lock_file_take(lock, error);
	free(lock);
	if (admin->lock_fd < 0)
		return false;
	int fd = bind_unix(path, error);
	if (fd < 0)
		return false;
	admin->local = new_server(admin, on_local);
	if (evhttp_accept_socket(admin->local, fd) != 0)
		abort();
	admin->socket_path = xstrdup(path);
	return true;
}

/* "127.0.0.1:9100" or "[::1]:9100" (port 0: any). False for anything but loopback. */
static bool parse_loopback(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	char *end, host[INET6_ADDRSTRLEN + 2] = "";
	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (colon[1] == '\0' || *end != '\0' || port > UINT16_MAX)
		return false;
	memset(address, 0, sizeof *address);
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	if (strcmp(host, "[::1]") == 0) {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return true;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof *v4;
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 &&
	       ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

bool admin_listen_tcp(struct admin *admin, const char *address, char **error)
{
	struct sockaddr_storage where;
	socklen_t len;
	if (!parse_loopback(address, &where, &len)) {
		*error = xasprintf(
		    "%s: metrics are served on loopback only, such as 127.0.0.1:9100", address);
		return false;
	}
	int fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (const struct sockaddr *)&where, len) != 0 || listen(fd, BACKLOG) != 0) {
		*error =
		    xasprintf("metrics_listen: cannot listen on %s: %s%s", address, strerror(errno),
			errno == EADDRINUSE ? ": another instance or program has it; each instance "
					      "shows the same on its admin socket"
					    : "");
		if (fd >= 0)
			close(fd);
		return false;
	}
	admin->public = new_server(admin, on_public);
	if (evhttp_accept_socket(admin->public, fd) != 0)
		abort();
	len = sizeof where;
	getsockname(fd, (struct sockaddr *)&where, &len);
	log_info("admin", "metrics-listening",
	    LOG_I("port", ntohs(((const struct sockaddr_in *)&where)->sin_port)));
	return true;
}
