/* The set of client connections. A session begins at accept, gets its protocol after the handshake
 * and ends in session_end() alone. Limits are checked before anything is allocated; at a limit, who
 * has shown no credential for the longest time makes room, so that whoever opens connections and
 * says nothing keeps nobody else out. Made by the proxy. */
#include "kubeproxyd/front/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/front/session_h1.h"
#include "kubeproxyd/front/session_h2.h"
#include "kubeproxyd/net/stream.h"
#include "kubeproxyd/net/tls.h"

/* For a client that takes nothing of its last answer; for all of it, five minutes. */
#define LINGER_SECONDS 30
/* For revocation lists that become overdue and authorities that end: within 5 s nobody goes on by
 * one. */
#define ENDS_SECONDS 2
/* The clock by which OpenSSL judges them may be a few milliseconds behind ours. */
#define ENDS_LATE_MS 1000
/* Of whom all signatures are checked again before others have their turn: some 20 ms. */
#define PROVED_AT_ONCE 128

TAILQ_HEAD(session_list, session);

struct sessions {
	struct sessions_options with;
	struct session_list all;
	struct strangers strangers;
	size_t count;
	bool is_full; /* as last told */
	bool is_draining;
	struct timer *ends; /* set while a list will be overdue, or an authority's time up */
	struct unix_time lists_end;
	struct unix_time authorities_end; /* of a session, the first one; 0: none does */
	struct session *unproved; /* it and those behind it are to be proved again, or NULL */
	const char *doubt; /* why */
	struct timer *prove;
	struct metric *connections, *accepted, *handshake_failures, *bad_requests, *first_list_end;
};

/* --- the end of one ------------------------------------------------------------------------ */

static void free_session(void *object)
{
	struct session *session = object;
	if (session->protocol != NULL)
		session->protocol->free(session->conversation);
	caller_clear(&session->caller);
	free(session);
}

static void tell_room(struct sessions *sessions)
{
	bool is_full = sessions->count >= sessions->with.settings->proxy.limits.connections &&
		       strangers_oldest(&sessions->strangers) == NULL;
	if (is_full == sessions->is_full)
		return;
	sessions->is_full = is_full;
	sessions->with.on_room(sessions->with.arg, !is_full);
}

/* A polite end still sends what is queued. */
static void log_end(const struct session *session, enum session_end how, const char *reason)
{
	size_t queued = how == SESSION_POLITE ? stream_queued(session->stream) : 0;
	log_info("session", "closed", LOG_S("client", stream_peer_address(session->stream)),
	    LOG_S("reason", reason), LOG_I("requests", session->requests),
	    LOG_I("bytes_in", stream_bytes_read(session->stream)),
	    LOG_I("bytes_out", stream_bytes_written(session->stream) + queued),
	    LOG_I("ms", mono_since(session->opened).ms));
}

void session_end(struct session *session, enum session_end how, const char *reason)
{
	struct sessions *sessions = session->owner;
	log_end(session, how, reason);
	/* The certificate and the address are the stream's. */
	caller_clear(&session->caller);
	if (how == SESSION_POLITE)
		stream_finish(&session->stream, duration_seconds(LINGER_SECONDS));
	else
		stream_close(&session->stream);
	strangers_remove(&sessions->strangers, &session->stranger);
	if (sessions->unproved == session)
		sessions->unproved = TAILQ_NEXT(session, entry);
	TAILQ_REMOVE(&sessions->all, session, entry);
	sessions->count--;
	metric_add(sessions->connections, -1);
	tell_room(sessions);
	loop_free_later(sessions->with.loop, free_session, session);
}

static void cut(struct session *session, const char *reason)
{
	if (session->protocol != NULL)
		session->protocol->cut(session->conversation, reason);
	else
		session_end(session, SESSION_CUT, reason);
}

/* --- the handshake ------------------------------------------------------------------------- */

/* Neither who comes later nor a reload puts it off. */
static void run_ends_timer(struct sessions *sessions)
{
	if (!timer_is_set(sessions->ends))
		timer_set(sessions->ends, duration_seconds(ENDS_SECONDS));
}

static void watch_authorities(struct sessions *sessions, struct unix_time end)
{
	struct unix_time first = sessions->authorities_end;
	if (end.ms == 0 || (first.ms != 0 && first.ms <= end.ms))
		return;
	sessions->authorities_end = end;
	run_ends_timer(sessions);
}

/* By a certificate, or by a token that came with a request. */
static void on_known(void *arg)
{
	struct session *session = arg;
	strangers_remove(&session->owner->strangers, &session->stranger);
	tell_room(session->owner);
}

static void on_open(void *arg)
{
	struct session *session = arg;
	struct stream *stream = session->stream;
	caller_init(&session->caller, stream_peer_certificate(stream), stream_peer_error(stream),
	    stream_peer_address(stream));
	session->caller.server_name = stream_server_name(stream);
	session->caller.on_known = on_known;
	session->caller.on_known_arg = session;
	session->authorities_end = stream_peer_authorities_end(stream);
	watch_authorities(session->owner, session->authorities_end);
	strangers_open(&session->owner->strangers, &session->stranger);
	if (session->caller.identity != NULL)
		caller_note_known(&session->caller);
	const char *protocol = stream_alpn(stream);
	session->protocol =
	    protocol != NULL && strcmp(protocol, "h2") == 0 ? &session_h2 : &session_h1;
	session->conversation = session->protocol->start(session);
	if (session_is_draining(session))
		session->protocol->drain(session->conversation);
}

static void on_error(void *arg, const char *reason)
{
	struct session *session = arg;
	metric_add(session->owner->handshake_failures, 1);
	session_end(session, SESSION_CUT, reason);
}

static void on_end(void *arg)
{
	on_error(arg, "the client left during the handshake");
}

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return 0; /* offered again to the protocol */
}

static const struct stream_events handshake_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_error = on_error,
};

static void cut_stranger(struct stranger *stranger, const char *reason)
{
	size_t offset = offsetof(struct session, stranger);
	cut((struct session *)(void *)((char *)stranger - offset), reason);
}

static void make_room(struct sessions *sessions, const struct sockaddr *peer)
{
	const struct proxy_limits *limits = &sessions->with.settings->proxy.limits;
	struct strangers *strangers = &sessions->strangers;
	struct stranger *oldest;
	while (
	    (oldest = strangers_crowding(strangers, peer, limits->strangers_per_address)) != NULL)
		cut_stranger(oldest, "newer connections of its address took the place of one "
				     "without a credential");
	while (strangers->shaking_count >= limits->handshakes)
		cut_stranger(
		    strangers_oldest_shaking(strangers), "newer handshakes took its place");
	while (sessions->count >= limits->connections &&
	       (oldest = strangers_oldest(strangers)) != NULL)
		cut_stranger(
		    oldest, "newer connections took the place of one without a credential");
}

void sessions_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	(void)peer_len;
	struct sessions *sessions = arg;
	const struct settings *settings = sessions->with.settings;
	make_room(sessions, peer);
	if (sessions->count >= settings->proxy.limits.connections) {
		close(fd);
		return;
	}
	struct stream_options options = {
	    .handshake_timeout = settings->proxy.limits.handshake_timeout,
	    .holdings = sessions->with.holdings};
	struct session *session = xcalloc(1, sizeof *session);
	session->owner = sessions;
	session->holdings = sessions->with.holdings;
	session->opened = mono_now();
	session->stream = stream_accept(
	    sessions->with.loop, fd, sessions->with.tls, &options, &handshake_events, session);
	TAILQ_INSERT_TAIL(&sessions->all, session, entry);
	strangers_add(&sessions->strangers, &session->stranger, peer);
	sessions->count++;
	metric_add(sessions->accepted, 1);
	metric_add(sessions->connections, 1);
}

/* --- whom the authorities do not vouch for any more ------------------------------------------ */

/* Whether the old authorities trusted a certificate was said at the handshake. A resumed session
 * whose chain was too long for its ticket cannot prove anything again. */
static void prove(struct session *session)
{
	const struct sessions *sessions = session->owner;
	if (session->protocol != NULL && stream_peer_error(session->stream) == NULL &&
	    !stream_is_trusted_by(session->stream, sessions->with.tls))
		cut(session, sessions->doubt);
}

static void prove_some(void *arg)
{
	struct sessions *sessions = arg;
	struct session *session;
	for (unsigned i = 0; i < PROVED_AT_ONCE && (session = sessions->unproved) != NULL; i++) {
		sessions->unproved = TAILQ_NEXT(session, entry);
		prove(session);
	}
	if (sessions->unproved != NULL)
		timer_set(sessions->prove, duration_ms(0));
}

/* Whose authority was taken away or cannot say any more whom it revoked, and who still shakes hands
 * with the old ones. `reason` is static. */
static void cut_untrusted(struct sessions *sessions, const char *reason)
{
	struct session *session, *next;
	TAILQ_FOREACH_SAFE(session, &sessions->all, entry, next)
	{
		if (session->protocol == NULL)
			cut(session, reason);
	}
	sessions->doubt = reason;
	sessions->unproved = TAILQ_FIRST(&sessions->all);
	prove_some(sessions);
}

static bool is_over(struct unix_time end, struct unix_time now)
{
	return end.ms != 0 && now.ms >= end.ms + ENDS_LATE_MS;
}

/* Whoever has an overdue list was cut. The timer goes on while any list ends: the clock may be set
 * back to before. */
static void watch_lists(struct sessions *sessions, struct unix_time now)
{
	struct unix_time first = tls_server_lists_end(sessions->with.tls, (struct unix_time){0});
	sessions->lists_end =
	    tls_server_lists_end(sessions->with.tls, unix_add(now, duration_ms(-ENDS_LATE_MS)));
	int64_t seconds = first.ms / 1000;
	metric_set(sessions->first_list_end, (double)seconds);
	if (first.ms != 0 || sessions->authorities_end.ms != 0)
		run_ends_timer(sessions);
	else
		timer_cancel(sessions->ends);
}

static void cut_overdue(struct sessions *sessions)
{
	static const char overdue[] = "the revocation list of the certificate's authority is "
				      "overdue (eksgate.proxy.client_crls)";
	log_warn("session", "revocation-list-overdue",
	    LOG_S("effect", "certificates of its authority are refused, and their connections cut: "
			    "renew it and reload"));
	cut_untrusted(sessions, overdue);
}

/* What a client's certificate was verified by holds no more. By another authority's certificate,
 * such as a renewed one, it may be verified anew when the client comes back. */
static void cut_expired(struct sessions *sessions, struct unix_time now)
{
	struct session *session, *next;
	size_t before = sessions->count;
	struct unix_time ended = sessions->authorities_end;
	char at[UNIX_TIME_TEXT];
	sessions->authorities_end = (struct unix_time){0};
	TAILQ_FOREACH_SAFE(session, &sessions->all, entry, next)
	{
		if (is_over(session->authorities_end, now))
			cut(session, "the certificate of the client's authority expired");
		else
			watch_authorities(sessions, session->authorities_end);
	}
	if (sessions->count < before)
		log_warn("session", "authority-expired",
		    LOG_S("effect", "connections by certificates of it were cut, and others are "
				    "refused: renew the authority's certificate"),
		    LOG_S("ended", unix_time_text(ended, at)),
		    LOG_I("connections", before - sessions->count));
}

static void on_ends_timer(void *arg)
{
	struct sessions *sessions = arg;
	struct unix_time now = unix_now();
	if (is_over(sessions->lists_end, now))
		cut_overdue(sessions);
	if (is_over(sessions->authorities_end, now))
		cut_expired(sessions, now);
	watch_lists(sessions, now);
}

/* --- the set ------------------------------------------------------------------------------- */

struct sessions *sessions_new(const struct sessions_options *options)
{
	struct sessions *sessions = xcalloc(1, sizeof *sessions);
	struct metrics *metrics = options->metrics;
	sessions->with = *options;
	TAILQ_INIT(&sessions->all);
	strangers_init(&sessions->strangers);
	sessions->connections =
	    metrics_gauge(metrics, "eksgate_proxy_connections", "Client connections.", "");
	sessions->accepted = metrics_counter(
	    metrics, "eksgate_proxy_connections_total", "Client connections accepted.", "");
	sessions->handshake_failures =
	    metrics_counter(metrics, "eksgate_proxy_handshake_failures_total",
		"Client connections that ended before they were open.", "");
	sessions->bad_requests = metrics_counter(metrics, "eksgate_proxy_bad_requests_total",
	    "Messages of clients that are not HTTP as it must be.", "");
	sessions->first_list_end =
	    metrics_gauge(metrics, "eksgate_proxy_client_crl_end_timestamp_seconds",
		"When the first revocation list is overdue, in Unix time; 0: none will be.", "");
	sessions->ends = timer_new(options->loop, on_ends_timer, sessions);
	sessions->prove = timer_new(options->loop, prove_some, sessions);
	watch_lists(sessions, unix_now());
	return sessions;
}

void sessions_free(struct sessions **sessions)
{
	if (*sessions == NULL)
		return;
	struct session *session, *next;
	TAILQ_FOREACH_SAFE(session, &(*sessions)->all, entry, next)
	cut(session, "kubeproxyd is stopping");
	timer_free(&(*sessions)->ends);
	timer_free(&(*sessions)->prove);
	xfree(sessions);
}

void sessions_set(
    struct sessions *sessions, const struct settings *settings, struct tls_server *tls)
{
	struct tls_server *old = sessions->with.tls;
	struct unix_time now = unix_now();
	sessions->with.settings = settings;
	sessions->with.tls = tls;
	tell_room(sessions);
	if (old != tls && !tls_server_has_same_authorities(old, tls))
		cut_untrusted(sessions, "the authorities of client certificates were changed");
	else if (is_over(sessions->lists_end, now))
		cut_overdue(sessions);
	watch_lists(sessions, now);
}

void sessions_drain(struct sessions *sessions)
{
	sessions->is_draining = true;
	struct session *session, *next;
	TAILQ_FOREACH_SAFE(session, &sessions->all, entry, next)
	{
		if (session->protocol != NULL)
			session->protocol->drain(session->conversation);
	}
}

size_t sessions_count(const struct sessions *sessions)
{
	return sessions->count;
}

/* --- for the protocols --------------------------------------------------------------------- */

struct loop *session_loop(const struct session *session)
{
	return session->owner->with.loop;
}

const struct settings *session_settings(const struct session *session)
{
	return session->owner->with.settings;
}

struct exchanges *session_exchanges(const struct session *session)
{
	return session->owner->with.exchanges;
}

bool session_is_draining(const struct session *session)
{
	return session->owner->is_draining;
}

void session_count_bad_request(struct session *session, unsigned status, const char *message)
{
	metric_add(session->owner->bad_requests, 1);
	log_info("session", "bad-request", LOG_S("client", session->caller.address),
	    LOG_I("status", status), LOG_S("message", message));
}
