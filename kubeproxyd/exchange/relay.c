/* The body mover of an exchange. Toward the API server it holds at most keep_max bytes and one read
 * before it pauses the client; toward the client it holds nothing and pauses the upstream. Owned
 * and called by exchange.c alone. */
#include "kubeproxyd/exchange/relay.h"

void relay_start(struct relay *relay, struct peer client, size_t keep_max, bool has_body)
{
	*relay = (struct relay){
	    .client = client,
	    .keep_max = keep_max,
	    .is_keeping = true,
	    .is_request_ended = !has_body,
	    .is_client_paused = true,
	    .was_client_paused = true,
	};
}

static size_t unsent(const struct relay *relay)
{
	return relay->kept.len - relay->sent;
}

static void resume_client(struct relay *relay)
{
	if (!relay->is_client_paused || relay->is_request_ended)
		return;
	relay->is_client_paused = false;
	relay->client.verbs->resume(relay->client.object);
}

static void pause_client(struct relay *relay)
{
	if (relay->is_client_paused || relay->is_request_ended)
		return;
	relay->is_client_paused = true;
	relay->was_client_paused = true;
	relay->client.verbs->pause(relay->client.object);
}

/* Bodies may hold Secrets: what is given up is wiped. */
static void drop_sent(struct relay *relay)
{
	if (relay->sent == relay->kept.len)
		buf_free_secret(&relay->kept);
	else
		buf_consume(&relay->kept, relay->sent);
	relay->sent = 0;
}

static void send_upstream(struct relay *relay, const uint8_t *data, size_t len)
{
	relay->is_upstream_full =
	    !relay->upstream.verbs->send_body(relay->upstream.object, data, len);
}

/* Gives the upstream what it may have, ends its body, and lets the client go on or wait. */
static void pump(struct relay *relay)
{
	if (relay->upstream.object != NULL && !relay->is_upstream_full && unsent(relay) > 0) {
		send_upstream(
		    relay, (const uint8_t *)relay->kept.data + relay->sent, unsent(relay));
		relay->sent = relay->kept.len;
	}
	if (!relay->is_keeping && relay->sent > 0)
		drop_sent(relay);
	if (relay->upstream.object != NULL && relay->is_request_ended && unsent(relay) == 0 &&
	    !relay->is_end_sent) {
		relay->is_end_sent = true;
		relay->upstream.verbs->send_end(relay->upstream.object);
	}
	if (relay->is_held || unsent(relay) >= relay->keep_max)
		pause_client(relay);
	else
		resume_client(relay);
}

void relay_open(struct relay *relay)
{
	resume_client(relay);
}

void relay_attach(struct relay *relay, struct peer upstream, bool may_send)
{
	relay->upstream = upstream;
	relay->is_upstream_full = !may_send;
	relay->is_end_sent = false;
	relay->sent = 0;
	pump(relay);
}

void relay_detach(struct relay *relay)
{
	relay->upstream = (struct peer){0};
	relay->sent = 0; /* whoever is attached next gets all of it */
}

bool relay_can_replay(const struct relay *relay)
{
	return relay->is_keeping;
}

void relay_forget(struct relay *relay)
{
	relay->is_keeping = false;
	if (relay->sent > 0)
		drop_sent(relay);
}

void relay_tunnel(struct relay *relay)
{
	relay_forget(relay);
	relay->is_request_ended = false;
	relay->is_end_sent = false;
	resume_client(relay);
}

bool relay_awaited_client(struct relay *relay)
{
	bool awaited = !relay->was_client_paused && !relay->is_request_ended;
	relay->was_client_paused = relay->is_client_paused;
	return awaited;
}

void relay_on_request_body(struct relay *relay, const uint8_t *data, size_t len)
{
	relay->request_bytes += len;
	bool may_pass = !relay->is_keeping && relay->upstream.object != NULL &&
			!relay->is_upstream_full && relay->kept.len == 0;
	if (may_pass) {
		send_upstream(relay, data, len);
		return;
	}
	buf_append(&relay->kept, data, len);
	if (relay->kept.len > relay->keep_max)
		relay->is_keeping = false;
	pump(relay);
}

void relay_on_request_end(struct relay *relay)
{
	relay->is_request_ended = true;
	pump(relay);
}

void relay_on_upstream_drain(struct relay *relay)
{
	relay->is_upstream_full = false;
	pump(relay);
}

void relay_pause_answer(struct relay *relay)
{
	relay->is_client_full = true;
	if (relay->upstream.object != NULL)
		relay->upstream.verbs->pause(relay->upstream.object);
}

void relay_on_answer_body(struct relay *relay, const uint8_t *data, size_t len)
{
	relay->answer_bytes += len;
	if (!relay->client.verbs->send_body(relay->client.object, data, len))
		relay_pause_answer(relay);
}

static void resume_upstream(struct relay *relay)
{
	if (relay->upstream.object != NULL && !relay->is_client_full && !relay->is_held)
		relay->upstream.verbs->resume(relay->upstream.object);
}

void relay_on_client_drain(struct relay *relay)
{
	relay->is_client_full = false;
	resume_upstream(relay);
}

void relay_hold(struct relay *relay, bool is_held)
{
	if (relay->is_held == is_held)
		return;
	relay->is_held = is_held;
	pump(relay);
	if (is_held && relay->upstream.object != NULL)
		relay->upstream.verbs->pause(relay->upstream.object);
	else
		resume_upstream(relay);
}

void relay_free(struct relay *relay)
{
	buf_free_secret(&relay->kept);
}
