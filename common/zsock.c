/* Binds ZeroMQ sockets to the loop. ZMQ_FD is edge-triggered: after every wake-up and every send,
 * ZMQ_EVENTS is read and messages are taken until none is left or a budget is used up, in which
 * case a zero timer continues after other events had their turn. Authentication (RFC 27) is
 * answered by a socket of the same kind in the same loop. */
#include "common/zsock.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"

#define BUDGET		 64
#define ZAP_ENDPOINT	 "inproc://zeromq.zap.01"
#define ZAP_DOMAIN	 "eksgate"
#define ENFORCE_DOMAIN	 93 /* ZMQ_ZAP_ENFORCE_DOMAIN: in the library, not in its header */
#define HANDSHAKE_MS	 2000
#define RECONNECT_MS	 100
#define RECONNECT_MAX_MS 500
#define BACKLOG		 1024

/* A library socket that is read from the loop. `fn` is called with each message. */
struct reader {
	void *socket;
	struct watch *watch;
	struct timer *again;
	struct deferred later;
	zsock_message_fn *fn;
	void *arg;
	bool *is_dead; /* of the owner: reading stops when a callback ended it */
};

struct zsock_context {
	struct loop *loop;
	void *zmq;
	struct reader gate; /* the ZAP handler; no socket when everybody is allowed */
	bool is_dead;
	zsock_allow_fn *allow;
	void *arg;
	unsigned monitors; /* names for their endpoints */
};

struct zsock {
	struct zsock_context *context;
	struct reader main, monitor;
	struct zsock_options options;
	char *path; /* of a bound socket */
	dev_t device;
	ino_t inode;
	bool is_dead;
};

/* --- reading */

static bool has_input(void *socket)
{
	int events = 0;
	size_t len = sizeof events;
	return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &len) == 0 && (events & ZMQ_POLLIN) != 0;
}

static void take_peer(zmq_msg_t *frame, struct zsock_message *message)
{
	const char *user = zmq_msg_gets(frame, "User-Id");
	if (user != NULL && !zsock_peer_parse(user, strlen(user), &message->peer))
		memset(&message->peer, 0xff, sizeof message->peer);
}

/* Takes all frames of one message; those beyond the limit are dropped. False when there is none. */
static bool receive(void *socket, zmq_msg_t *frames, struct zsock_message *message)
{
	bool has_more = true;
	while (has_more) {
		zmq_msg_t *frame = &frames[message->count];
		zmq_msg_init(frame);
		int rc;
		do
			rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
		while (rc < 0 && errno == EINTR);
		if (rc < 0)
			return false;
		has_more = zmq_msg_more(frame) != 0;
		if (message->count == ZSOCK_FRAMES_MAX) {
			message->is_cut = true;
			zmq_msg_close(frame);
			continue;
		}
		message->frames[message->count++] =
		    (struct zsock_frame){zmq_msg_data(frame), zmq_msg_size(frame)};
	}
	return true;
}

static bool read_one(struct reader *reader)
{
	zmq_msg_t frames[ZSOCK_FRAMES_MAX + 1];
	struct zsock_message message = {0};
	bool is_whole = receive(reader->socket, frames, &message);
	if (is_whole) {
		take_peer(&frames[message.count - 1], &message);
		reader->fn(reader->arg, &message);
	}
	for (size_t i = 0; i < message.count; i++)
		zmq_msg_close(&frames[i]);
	return is_whole;
}

static void drain(void *arg)
{
	struct reader *reader = arg;
	const bool *is_dead = reader->is_dead;
	for (unsigned taken = 0; taken < BUDGET; taken++) {
		if (!has_input(reader->socket) || !read_one(reader) || *is_dead)
			return;
	}
	timer_set(reader->again, duration_ms(0));
}

static void on_readable(void *arg, unsigned ready)
{
	(void)ready;
	drain(arg);
}

static void start_reader(struct loop *loop, struct reader *reader)
{
	int fd = -1;
	size_t len = sizeof fd;
	if (zmq_getsockopt(reader->socket, ZMQ_FD, &fd, &len) != 0)
		abort();
	reader->watch = watch_new(loop, fd, on_readable, reader);
	reader->again = timer_new(loop, drain, reader);
	reader->later = (struct deferred){.fn = drain, .arg = reader};
	watch_set(reader->watch, WATCH_READ);
	loop_defer(loop, &reader->later);
}

static void stop_reader(struct loop *loop, struct reader *reader)
{
	if (reader->watch != NULL)
		loop_undefer(loop, &reader->later);
	watch_free(&reader->watch);
	timer_free(&reader->again);
	if (reader->socket != NULL)
		zmq_close(reader->socket);
	reader->socket = NULL;
}

static enum zsock_sent send_frames(void *socket, const struct zsock_frame *frames, size_t count)
{
	for (size_t i = 0; i < count;) {
		int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
		if (zmq_send(socket, frames[i].data, frames[i].len, flags) >= 0) {
			i++;
			continue;
		}
		if (errno == EHOSTUNREACH)
			return ZSOCK_GONE;
		if (errno != EINTR)
			return ZSOCK_FULL;
	}
	return ZSOCK_SENT;
}

/* --- who may connect */

static bool parse_number(const char **text, uint32_t *value)
{
	char *end;
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	unsigned long number = strtoul(*text, &end, 10);
	*text = end;
	*value = (uint32_t)number;
	return errno == 0 && number <= UINT32_MAX;
}

bool zsock_peer_parse(const char *address, size_t len, struct zsock_peer *peer)
{
	static const char prefix[] = "localhost:";
	char text[64];
	uint32_t parts[3];
	if (len >= sizeof text || memchr(address, '\0', len) != NULL)
		return false;
	memcpy(text, address, len);
	text[len] = '\0';
	const char *at = text + sizeof prefix - 1;
	if (strncmp(text, prefix, sizeof prefix - 1) != 0)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (!parse_number(&at, &parts[i]) || *at != (i < 2 ? ':' : '\0'))
			return false;
		at++;
	}
	*peer = (struct zsock_peer){parts[0], parts[1], (pid_t)parts[2]};
	return true;
}

static bool frame_is(const struct zsock_frame *frame, const char *text)
{
	return frame->len == strlen(text) && memcmp(frame->data, text, frame->len) == 0;
}

/* Request: id, "", "1.0", request id, domain, address, identity, mechanism. The user id that
 * messages then carry is the address itself. */
static void on_gate(void *arg, const struct zsock_message *message)
{
	struct zsock_context *context = arg;
	const struct zsock_frame *in = message->frames;
	struct zsock_peer peer = {0};
	if (message->count < 8 || !frame_is(&in[2], "1.0"))
		return;
	bool is_allowed = frame_is(&in[4], ZAP_DOMAIN) && frame_is(&in[7], "NULL") &&
			  zsock_peer_parse(in[5].data, in[5].len, &peer) &&
			  context->allow(context->arg, &peer);
	const char *status = is_allowed ? "200" : "400";
	const char *text = is_allowed ? "OK" : "not allowed on this bus";
	const struct zsock_frame out[] = {in[0], in[1], in[2], in[3], {status, 3},
	    {text, strlen(text)}, is_allowed ? in[5] : (struct zsock_frame){"", 0}, {"", 0}};
	if (send_frames(context->gate.socket, out, sizeof out / sizeof out[0]) != ZSOCK_SENT)
		log_warn("zsock", "gate-answer-lost", LOG_I("uid", peer.uid));
	loop_defer(context->loop, &context->gate.later);
}

static bool open_gate(struct zsock_context *context, char **error)
{
	context->gate = (struct reader){.socket = zmq_socket(context->zmq, ZMQ_ROUTER),
	    .fn = on_gate,
	    .arg = context,
	    .is_dead = &context->is_dead};
	if (context->gate.socket == NULL || zmq_bind(context->gate.socket, ZAP_ENDPOINT) != 0) {
		*error = xasprintf("cannot start ZeroMQ authentication: %s", zmq_strerror(errno));
		return false;
	}
	start_reader(context->loop, &context->gate);
	return true;
}

struct zsock_context *zsock_context_new(
    struct loop *loop, zsock_allow_fn *allow, void *arg, char **error)
{
	struct zsock_context *context = xcalloc(1, sizeof *context);
	context->loop = loop;
	context->allow = allow;
	context->arg = arg;
	context->zmq = zmq_ctx_new();
	if (context->zmq == NULL) {
		*error = xasprintf("cannot start ZeroMQ: %s", zmq_strerror(errno));
		free(context);
		return NULL;
	}
	if (allow != NULL && !open_gate(context, error))
		zsock_context_free(&context);
	return context;
}

static void free_context(void *object)
{
	free(object);
}

void zsock_context_free(struct zsock_context **context)
{
	if (*context == NULL)
		return;
	(*context)->is_dead = true;
	stop_reader((*context)->loop, &(*context)->gate);
	while (zmq_ctx_term((*context)->zmq) != 0 && errno == EINTR)
		;
	loop_free_later((*context)->loop, free_context, *context);
	*context = NULL;
}

/* --- events of connections */

/* Frame 0 of a monitor message: the event in 2 bytes and its value in 4, in host order. */
static void on_monitor(void *arg, const struct zsock_message *message)
{
	struct zsock *zsock = arg;
	uint16_t event;
	if (message->count < 1 || message->frames[0].len < sizeof event)
		return;
	memcpy(&event, message->frames[0].data, sizeof event);
	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
		zsock->options.on_event(zsock->options.arg, ZSOCK_CONNECTED);
	else if (event == ZMQ_EVENT_DISCONNECTED)
		zsock->options.on_event(zsock->options.arg, ZSOCK_DISCONNECTED);
	else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
		zsock->options.on_event(zsock->options.arg, ZSOCK_REFUSED);
}

static bool open_monitor(struct zsock *zsock)
{
	char endpoint[48];
	snprintf(endpoint, sizeof endpoint, "inproc://monitor.%u", zsock->context->monitors++);
	int linger = 0;
	void *socket = zmq_socket(zsock->context->zmq, ZMQ_PAIR);
	zsock->monitor = (struct reader){
	    .socket = socket, .fn = on_monitor, .arg = zsock, .is_dead = &zsock->is_dead};
	if (socket == NULL || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
	    zmq_socket_monitor(zsock->main.socket, endpoint,
		ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
		    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) != 0 ||
	    zmq_connect(socket, endpoint) != 0)
		return false;
	start_reader(zsock->context->loop, &zsock->monitor);
	return true;
}

/* --- sockets */

static bool set_int(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_common(void *socket, const struct zsock_options *options)
{
	int64_t max = (int64_t)options->message_max;
	return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0 &&
	       set_int(socket, ZMQ_SNDHWM, options->send_queue) &&
	       set_int(socket, ZMQ_RCVHWM, options->receive_queue) &&
	       set_int(socket, ZMQ_LINGER, (int)options->linger.ms) &&
	       set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
}

/* With a gate, a library that cannot enforce it is refused: without it every connection would be
 * let in. */
static bool set_router(struct zsock_context *context, void *socket)
{
	return set_int(socket, ZMQ_ROUTER_MANDATORY, 1) && set_int(socket, ZMQ_BACKLOG, BACKLOG) &&
	       (context->allow == NULL ||
		   (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
		       set_int(socket, ENFORCE_DOMAIN, 1)));
}

/* Subscriptions of what others have subscribed to already are told, too. */
static bool set_publisher(void *socket)
{
	return set_int(socket, ZMQ_XPUB_VERBOSE, 1) && set_int(socket, ZMQ_BACKLOG, BACKLOG);
}

static bool set_dealer(void *socket)
{
	return set_int(socket, ZMQ_IMMEDIATE, 1) &&
	       set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
	       set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

static bool set_own(struct zsock_context *context, int type, void *socket)
{
	if (type == ZMQ_ROUTER)
		return set_router(context, socket);
	return type == ZMQ_XPUB ? set_publisher(socket) : set_dealer(socket);
}

/* Abstract and wildcard names of the library would have no file permissions, and a longer path
 * would not fit. */
static char *endpoint_of(const char *path, char **error)
{
	const size_t max = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
	if (path[0] != '/') {
		*error = xasprintf("bus socket \"%s\": an absolute path is needed", path);
		return NULL;
	}
	if (strlen(path) > max) {
		*error = xasprintf(
		    "bus socket %s: the path is longer than the %zu bytes of a socket address",
		    path, max);
		return NULL;
	}
	return xasprintf("ipc://%s", path);
}

static struct zsock *make_zsock(
    struct zsock_context *context, int type, const struct zsock_options *options, char **error)
{
	struct zsock *zsock = xcalloc(1, sizeof *zsock);
	zsock->context = context;
	zsock->options = *options;
	zsock->main = (struct reader){.socket = zmq_socket(context->zmq, type),
	    .fn = options->on_message,
	    .arg = options->arg,
	    .is_dead = &zsock->is_dead};
	void *socket = zsock->main.socket;
	if (socket != NULL && set_common(socket, options) && set_own(context, type, socket) &&
	    (options->on_event == NULL || open_monitor(zsock)))
		return zsock;
	*error = xasprintf("cannot set up a ZeroMQ socket: %s", zmq_strerror(errno));
	zsock_free(&zsock);
	return NULL;
}

static bool bind_path(struct zsock *zsock, const char *path, const char *endpoint)
{
	struct stat status;
	mode_t old = umask(0117);
	bool is_bound = zmq_bind(zsock->main.socket, endpoint) == 0;
	umask(old);
	if (!is_bound || stat(path, &status) != 0)
		return false;
	zsock->path = xstrdup(path);
	zsock->device = status.st_dev;
	zsock->inode = status.st_ino;
	return true;
}

static struct zsock *open_bound(struct zsock_context *context, int type, const char *path,
    const struct zsock_options *options, char **error)
{
	char *endpoint = endpoint_of(path, error);
	struct zsock *zsock = endpoint != NULL ? make_zsock(context, type, options, error) : NULL;
	if (zsock != NULL && !bind_path(zsock, path, endpoint)) {
		*error = xasprintf("cannot bind the bus to %s: %s", path, zmq_strerror(errno));
		zsock_free(&zsock);
	}
	free(endpoint);
	if (zsock != NULL)
		start_reader(context->loop, &zsock->main);
	return zsock;
}

struct zsock *zsock_bind(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error)
{
	return open_bound(context, ZMQ_ROUTER, path, options, error);
}

struct zsock *zsock_publish(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error)
{
	return open_bound(context, ZMQ_XPUB, path, options, error);
}

struct zsock *zsock_connect(struct zsock_context *context, const char *path,
    const struct zsock_options *options, char **error)
{
	char *endpoint = endpoint_of(path, error);
	struct zsock *zsock =
	    endpoint != NULL ? make_zsock(context, ZMQ_DEALER, options, error) : NULL;
	if (zsock != NULL && zmq_connect(zsock->main.socket, endpoint) != 0) {
		*error = xasprintf("cannot connect to %s: %s", path, zmq_strerror(errno));
		zsock_free(&zsock);
	}
	free(endpoint);
	if (zsock != NULL)
		start_reader(context->loop, &zsock->main);
	return zsock;
}

static void free_zsock(void *object)
{
	struct zsock *zsock = object;
	free(zsock->path);
	free(zsock);
}

void zsock_free(struct zsock **zsock)
{
	if (*zsock == NULL)
		return;
	struct loop *loop = (*zsock)->context->loop;
	(*zsock)->is_dead = true;
	if ((*zsock)->path != NULL && zsock_is_in_place(*zsock))
		unlink((*zsock)->path);
	if ((*zsock)->monitor.socket != NULL)
		zmq_socket_monitor((*zsock)->main.socket, NULL, 0);
	stop_reader(loop, &(*zsock)->monitor);
	stop_reader(loop, &(*zsock)->main);
	loop_free_later(loop, free_zsock, *zsock);
	*zsock = NULL;
}

enum zsock_sent zsock_send(struct zsock *zsock, const struct zsock_frame *frames, size_t count)
{
	enum zsock_sent sent = send_frames(zsock->main.socket, frames, count);
	if (sent == ZSOCK_FULL) {
		/* A connection that was made since is seen only when the events are read. */
		(void)has_input(zsock->main.socket);
		sent = send_frames(zsock->main.socket, frames, count);
	}
	loop_defer(zsock->context->loop, &zsock->main.later);
	return sent;
}

bool zsock_is_in_place(const struct zsock *zsock)
{
	struct stat status;
	return stat(zsock->path, &status) == 0 && status.st_dev == zsock->device &&
	       status.st_ino == zsock->inode;
}
