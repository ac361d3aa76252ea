/* HTTP requests by libcurl's multi interface on the process's loop. curl says which sockets and
 * which timer it wants; the loop tells it what happened. Finished calls are handed out at the end
 * of the turn, so no callback runs inside curl or inside fetch_start(). Owned by main, used by
 * aws_call; everything that travels (headers with signatures, bodies with credentials) is wiped. */
#include "common/fetch.h"

#include <bsd/sys/queue.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"

#define CONNECT_TIMEOUT_MS 3100L
#define DEFAULT_TIMEOUT_MS INT64_C(15000)
#define DEFAULT_MAX_BYTES  ((size_t)8 * 1024 * 1024)
#define MAX_HEADER_BYTES   ((size_t)64 * 1024)
#define MAX_IDLE	   128L /* connections kept open */

TAILQ_HEAD(fetch_list, fetch);

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct timer *timer;
	struct fetch_list active; /* in curl's hands */
	struct fetch_list done; /* to be handed out */
	struct deferred hand_out;
};

/* One socket of curl's. */
struct socket {
	struct fetcher *fetcher;
	curl_socket_t fd;
	struct watch *watch;
};

struct fetch {
	struct fetcher *fetcher;
	CURL *easy;
	struct curl_slist *request_headers;
	char *host; /* for messages; "?" when the URL has none */
	struct buf request_body;
	size_t max_bytes;
	struct buf header_text; /* "name\0value\0" pairs */
	size_t header_count;
	struct buf body;
	bool is_too_long;
	bool (*may_connect)(const struct sockaddr *address);
	bool has_refused; /* an address */
	bool is_done;
	bool is_handed_out;
	CURLcode result;
	char curl_error[CURL_ERROR_SIZE];
	fetch_fn *fn;
	void *arg;
	TAILQ_ENTRY(fetch) entry;
};

/* --- curl and the loop ----------------------------------------------------------------------- */

/* Moves what curl has finished to the list of what is to be handed out. */
static void collect(struct fetcher *fetcher)
{
	int left;
	for (CURLMsg *message; (message = curl_multi_info_read(fetcher->multi, &left)) != NULL;) {
		if (message->msg != CURLMSG_DONE)
			continue;
		struct fetch *fetch;
		CURLcode result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
		curl_multi_remove_handle(fetcher->multi, fetch->easy);
		fetch->result = result;
		fetch->is_done = true;
		TAILQ_REMOVE(&fetcher->active, fetch, entry);
		TAILQ_INSERT_TAIL(&fetcher->done, fetch, entry);
		loop_defer(fetcher->loop, &fetcher->hand_out);
	}
}

static void tell_curl(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	int running;
	curl_multi_socket_action(fetcher->multi, fd, events, &running);
	collect(fetcher);
}

static void on_timer(void *arg)
{
	tell_curl(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *arg, unsigned ready)
{
	struct socket *sock = arg; /* curl may free it during the call */
	int events = (ready & WATCH_READ ? CURL_CSELECT_IN : 0) |
		     (ready & WATCH_WRITE ? CURL_CSELECT_OUT : 0);
	tell_curl(sock->fetcher, sock->fd, events);
}

/* CURLMOPT_TIMERFUNCTION: only arms; curl must not be called from here. */
static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	(void)multi;
	struct fetcher *fetcher = arg;
	if (timeout_ms < 0)
		timer_cancel(fetcher->timer);
	else
		timer_set(fetcher->timer, duration_ms(timeout_ms));
	return 0;
}

/* CURLMOPT_SOCKETFUNCTION */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *attached)
{
	(void)easy;
	struct fetcher *fetcher = arg;
	struct socket *sock = attached;
	if (what == CURL_POLL_REMOVE) {
		if (sock != NULL)
			watch_free(&sock->watch);
		free(sock);
		return 0;
	}
	if (sock == NULL) {
		sock = xcalloc(1, sizeof *sock);
		sock->fetcher = fetcher;
		sock->fd = fd;
		sock->watch = watch_new(fetcher->loop, fd, on_socket, sock);
		curl_multi_assign(fetcher->multi, fd, sock);
	}
	watch_set(sock->watch,
	    (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
	return 0;
}

/* --- what arrives ---------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;
	size_t len = size * count;
	if (len > fetch->max_bytes - fetch->body.len) {
		fetch->is_too_long = true;
		return 0;
	}
	buf_append(&fetch->body, data, len);
	return len;
}

static void append_trimmed(struct buf *out, const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	buf_append(out, text, len);
	buf_append_char(out, '\0');
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;
	size_t len = size * count;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* the next answer, after a 1xx */
		buf_clear(&fetch->header_text);
		fetch->header_count = 0;
		return len;
	}
	if (fetch->header_text.len + len > MAX_HEADER_BYTES) {
		fetch->is_too_long = true;
		return 0;
	}
	const char *colon = memchr(line, ':', len);
	if (colon == NULL || memchr(line, '\0', len) != NULL)
		return len;
	append_trimmed(&fetch->header_text, line, (size_t)(colon - line));
	append_trimmed(&fetch->header_text, colon + 1, len - (size_t)(colon + 1 - line));
	fetch->header_count++;
	return len;
}

/* --- the request ----------------------------------------------------------------------------- */

static void add_header_line(struct fetch *fetch, const char *line)
{
	struct curl_slist *grown = curl_slist_append(fetch->request_headers, line);
	if (grown == NULL)
		abort();
	fetch->request_headers = grown;
}

static void set_headers(struct fetch *fetch, const struct fetch_request *request)
{
	bool has_type = false;
	for (size_t i = 0; i < request->header_count; i++) {
		const struct fetch_header *header = &request->headers[i];
		/* "Name;" is how curl is told to send an empty value. */
		char *line = *header->value != '\0'
				 ? xasprintf("%s: %s", header->name, header->value)
				 : xasprintf("%s;", header->name);
		add_header_line(fetch, line);
		xfree_secret(&line);
		has_type = has_type || strcasecmp(header->name, "content-type") == 0;
	}
	add_header_line(fetch, "Expect:");
	if (!has_type)
		add_header_line(fetch, "Content-Type:");
	curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->request_headers);
}

static void set_body(struct fetch *fetch, const struct fetch_request *request)
{
	bool is_sent = request->body != NULL || strcmp(request->method, "POST") == 0 ||
		       strcmp(request->method, "PUT") == 0;
	if (is_sent) {
		buf_append(&fetch->request_body, request->body != NULL ? request->body : "",
		    request->body_len);
		curl_easy_setopt(
		    fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, buf_text(&fetch->request_body));
	}
	curl_easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Hosts that no proxy can reach for us: this machine's own and the link's. */
static bool is_local(const char *host)
{
	return strncmp(host, "169.254.", 8) == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       strncasecmp(host, "[fe80:", 6) == 0 || strncasecmp(host, "[fd00:ec2:", 10) == 0;
}

static char *host_of(const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL;
	char *copy;
	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK)
		curl_url_get(parts, CURLUPART_HOST, &host, 0);
	copy = xstrdup(host != NULL ? host : "?");
	curl_free(host);
	curl_url_cleanup(parts);
	return copy;
}

/* CURLOPT_OPENSOCKETFUNCTION: the address is final here, so a name cannot change between the check
 * and the connection. */
static curl_socket_t open_allowed(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	struct fetch *fetch = arg;
	if (fetch->may_connect(&address->addr))
		return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	fetch->has_refused = true;
	return CURL_SOCKET_BAD;
}

static void set_reach(struct fetch *fetch, const struct fetch_request *request)
{
	if (request->no_proxy || is_local(fetch->host))
		curl_easy_setopt(fetch->easy, CURLOPT_NOPROXY, "*");
	fetch->may_connect = request->may_connect;
	if (request->may_connect == NULL)
		return;
	curl_easy_setopt(fetch->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(fetch->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(fetch->easy, CURLOPT_OPENSOCKETFUNCTION, open_allowed);
	curl_easy_setopt(fetch->easy, CURLOPT_OPENSOCKETDATA, fetch);
}

static void set_transport(struct fetch *fetch, const struct fetch_request *request)
{
	CURL *easy = fetch->easy;
	int64_t timeout = request->timeout.ms > 0 ? request->timeout.ms : DEFAULT_TIMEOUT_MS;
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
	if (request->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	if (request->unix_socket != NULL)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
}

static void set_callbacks(struct fetch *fetch)
{
	curl_easy_setopt(fetch->easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_ERRORBUFFER, fetch->curl_error);
	curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(fetch->easy, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(fetch->easy, CURLOPT_HEADERDATA, fetch);
}

struct fetch *fetch_start(
    struct fetcher *fetcher, const struct fetch_request *request, fetch_fn *fn, void *arg)
{
	struct fetch *fetch = xcalloc(1, sizeof *fetch);
	fetch->fetcher = fetcher;
	fetch->fn = fn;
	fetch->arg = arg;
	fetch->max_bytes = request->max_bytes > 0 ? request->max_bytes : DEFAULT_MAX_BYTES;
	fetch->host = host_of(request->url);
	fetch->easy = curl_easy_init();
	if (fetch->easy == NULL)
		abort();
	set_transport(fetch, request);
	set_reach(fetch, request);
	set_callbacks(fetch);
	set_headers(fetch, request);
	set_body(fetch, request);
	TAILQ_INSERT_TAIL(&fetcher->active, fetch, entry);
	if (curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK)
		abort();
	return fetch;
}

/* --- the answer ------------------------------------------------------------------------------ */

static char *time_out_text(struct fetch *fetch)
{
	curl_off_t us = 0;
	curl_easy_getinfo(fetch->easy, CURLINFO_TOTAL_TIME_T, &us);
	return xasprintf(
	    "no answer from %s in time (gave up after %.1f s)", fetch->host, (double)us / 1e6);
}

/* NULL when the answer is whole. */
static char *error_text(struct fetch *fetch)
{
	if (fetch->is_too_long)
		return xasprintf(
		    "the answer of %s is longer than %zu bytes", fetch->host, fetch->max_bytes);
	if (fetch->result == CURLE_OK)
		return NULL;
	if (fetch->has_refused)
		return xasprintf("%s has an address that must not be connected to", fetch->host);
	switch (fetch->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return xasprintf("could not resolve host: %s", fetch->host);
	case CURLE_OPERATION_TIMEDOUT:
		return time_out_text(fetch);
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
		return xasprintf(
		    "%s broke the connection off before its answer was whole", fetch->host);
	default:
		break;
	}
	const char *why =
	    fetch->curl_error[0] != '\0' ? fetch->curl_error : curl_easy_strerror(fetch->result);
	return xasprintf("%s: %s", fetch->host, why);
}

static struct fetch_header *header_array(const struct fetch *fetch)
{
	struct fetch_header *headers = xcalloc(fetch->header_count, sizeof *headers);
	const char *p = buf_text(&fetch->header_text);
	for (size_t i = 0; i < fetch->header_count; i++) {
		headers[i].name = p;
		headers[i].value = p + strlen(p) + 1;
		p = headers[i].value + strlen(headers[i].value) + 1;
	}
	return headers;
}

static void hand_out_one(struct fetch *fetch)
{
	long status = 0;
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	char *error = error_text(fetch);
	struct fetch_header *headers = header_array(fetch);
	struct fetch_reply reply = {.status = (int)status,
	    .error = error,
	    .timed_out = fetch->result == CURLE_OPERATION_TIMEDOUT,
	    .body = buf_text(&fetch->body),
	    .body_len = fetch->body.len,
	    .headers = headers,
	    .header_count = fetch->header_count};
	fetch->fn(fetch->arg, &reply);
	xfree(&headers);
	xfree(&error);
}

static void free_fetch(struct fetch *fetch)
{
	curl_easy_cleanup(fetch->easy);
	for (struct curl_slist *line = fetch->request_headers; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(fetch->request_headers);
	buf_free_secret(&fetch->request_body);
	buf_free_secret(&fetch->header_text);
	buf_free_secret(&fetch->body);
	xfree(&fetch->host);
	free(fetch);
}

static void hand_out(void *arg)
{
	struct fetcher *fetcher = arg;
	for (struct fetch *fetch; (fetch = TAILQ_FIRST(&fetcher->done)) != NULL;) {
		TAILQ_REMOVE(&fetcher->done, fetch, entry);
		fetch->is_handed_out = true;
		hand_out_one(fetch);
		free_fetch(fetch);
	}
}

void fetch_cancel(struct fetch **handle)
{
	struct fetch *fetch = *handle;
	*handle = NULL;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed left its list before */
	if (fetch == NULL || fetch->is_handed_out)
		return;
	struct fetch_list *list = fetch->is_done ? &fetch->fetcher->done : &fetch->fetcher->active;
	if (!fetch->is_done)
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
	TAILQ_REMOVE(list, fetch, entry);
	free_fetch(fetch);
}

const char *fetch_reply_header(const struct fetch_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	}
	return NULL;
}

/* --- the fetcher ----------------------------------------------------------------------------- */

struct fetcher *fetcher_new(struct loop *loop)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	struct fetcher *fetcher = xcalloc(1, sizeof *fetcher);
	fetcher->loop = loop;
	TAILQ_INIT(&fetcher->active);
	TAILQ_INIT(&fetcher->done);
	fetcher->hand_out = (struct deferred){.fn = hand_out, .arg = fetcher};
	fetcher->timer = timer_new(loop, on_timer, fetcher);
	fetcher->multi = curl_multi_init();
	if (fetcher->multi == NULL)
		abort();
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, MAX_IDLE);
	return fetcher;
}

static void drop_all(struct fetch_list *list)
{
	for (struct fetch *fetch; (fetch = TAILQ_FIRST(list)) != NULL;)
		fetch_cancel(&fetch);
}

void fetcher_free(struct fetcher **handle)
{
	struct fetcher *fetcher = *handle;
	if (fetcher == NULL)
		return;
	drop_all(&fetcher->active);
	drop_all(&fetcher->done);
	loop_undefer(fetcher->loop, &fetcher->hand_out);
	curl_multi_cleanup(fetcher->multi);
	timer_free(&fetcher->timer);
	xfree(handle);
	curl_global_cleanup();
}
