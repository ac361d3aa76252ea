/* One attempt to reach an API server, for both HTTP versions of the back room. It owns the stream
 * until it is open; then the connection that asked takes it over. The addresses of a name share the
 * time there is. */
#include "kubeproxyd/back/dial.h"

#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/resolver.h"
#include "kubeproxyd/net/stream.h"

#define ADDRESSES_MAX 4

struct dial {
	const struct dial_target *target;
	struct loop *loop;
	struct resolver_query *query;
	struct resolver_address addresses[ADDRESSES_MAX];
	size_t address_count, next_address;
	struct stream *stream;
	struct timer *timer;
	dial_fn *fn;
	void *arg;
};

static void free_dial(void *object)
{
	struct dial *dial = object;
	timer_free(&dial->timer);
	free(dial);
}

static void stop(struct dial *dial)
{
	timer_cancel(dial->timer);
	resolver_cancel(&dial->query);
	stream_close(&dial->stream);
	loop_free_later(dial->loop, free_dial, dial);
}

static void fail(struct dial *dial, enum peer_failure_kind kind, const char *reason)
{
	char *text = xstrdup(reason); /* it may belong to the stream that is closed now */
	stop(dial);
	dial->fn(dial->arg, NULL, kind, text);
	free(text);
}

static void on_open(void *arg)
{
	struct dial *dial = arg;
	struct stream *stream = dial->stream;
	dial->stream = NULL;
	stop(dial);
	dial->fn(dial->arg, stream, PEER_CONNECT, NULL);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return 0; /* kept for whoever takes the stream over */
}

static bool connect_next(struct dial *dial);

static enum peer_failure_kind failure_kind(const char *reason)
{
	if (strncmp(reason, "tls", 3) == 0)
		return PEER_TLS;
	return strstr(reason, "timed out") != NULL ? PEER_TIMEOUT : PEER_CONNECT;
}

static void on_error(void *arg, const char *reason)
{
	struct dial *dial = arg;
	enum peer_failure_kind kind = failure_kind(reason);
	if (kind != PEER_TLS && connect_next(dial))
		return;
	fail(dial, kind, reason);
}

static void on_end(void *arg)
{
	on_error(arg, "closed while connecting");
}

static const struct stream_events stream_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_error = on_error,
};

/* False: no address is left. */
static bool connect_next(struct dial *dial)
{
	if (dial->next_address == dial->address_count)
		return false;
	stream_close(&dial->stream);
	struct stream_options options = {
	    .handshake_timeout =
		duration_ms(dial->target->timeout.ms / (int64_t)dial->address_count),
	};
	const struct resolver_address *address = &dial->addresses[dial->next_address++];
	dial->stream = stream_connect(dial->loop, (const struct sockaddr *)&address->address,
	    address->len, dial->target->tls, &options, &stream_events, dial);
	return true;
}

static void on_resolved(
    void *arg, const struct resolver_address *addresses, size_t count, const char *error)
{
	struct dial *dial = arg;
	dial->query = NULL;
	if (count == 0) {
		fail(dial, PEER_CONNECT, error);
		return;
	}
	dial->address_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
	memcpy(dial->addresses, addresses, dial->address_count * sizeof *addresses);
	if (!connect_next(dial))
		abort();
}

static void on_timer(void *arg)
{
	fail(arg, PEER_TIMEOUT, "connecting timed out");
}

struct dial *dial_start(const struct dial_target *target, dial_fn *fn, void *arg)
{
	struct dial *dial = xcalloc(1, sizeof *dial);
	dial->target = target;
	dial->loop = target->loop;
	dial->fn = fn;
	dial->arg = arg;
	dial->timer = timer_new(target->loop, on_timer, dial);
	timer_set(dial->timer, target->timeout);
	dial->query =
	    resolver_lookup(target->resolver, target->host, target->port, on_resolved, dial);
	return dial;
}

void dial_cancel(struct dial **dial)
{
	if (*dial == NULL)
		return;
	stop(*dial);
	*dial = NULL;
}
