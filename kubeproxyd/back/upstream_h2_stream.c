/* One request on an HTTP/2 connection to an API server: the verbs that the exchange calls, its head
 * as a header block, its body as it is asked for. Verbs never call events: what they cause is told
 * at the end of the turn. */
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream_h2_private.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/stream.h"

#define BODY_HIGH_MARK (256u * 1024)

/* Something is to be told to the request's owner at the end of the turn. */
void h2_request_make_ready(struct h2_request *request)
{
	if (request->is_listed)
		return;
	request->is_listed = true;
	TAILQ_INSERT_TAIL(&request->connection->ready, request, ready);
	upstream_h2_ask_flush(request->connection);
}

static void unlist(struct h2_request *request)
{
	if (!request->is_listed)
		return;
	TAILQ_REMOVE(&request->connection->ready, request, ready);
	request->is_listed = false;
}

static void count_held(struct h2_request *request)
{
	holdings_count(request->holdings, &request->counted, request->held.cap);
}

/* The one that makes room may be this one, which is released then. */
void h2_request_hold(struct h2_request *request, const uint8_t *data, size_t len)
{
	uint32_t id = request->h2.id;
	holdings_make_room(request->holdings, len);
	if (request->events == NULL || request->h2.id != id)
		return;
	stream_queue_append_few(&request->held, data, len);
	count_held(request);
}

void h2_request_free(struct h2_request *request)
{
	fields_free(&request->trailers);
	buf_free_secret(&request->body);
	stream_queue_clear(&request->held);
	free(request);
}

void h2_request_fail(struct h2_request *request, enum peer_failure_kind kind, const char *reason)
{
	bool was_sent = request->is_submitted && h2_is_sent(&request->h2);
	struct peer_failure failure = {
	    .kind = kind,
	    .reason = reason,
	    .is_reused = request->answered_before > 0,
	    .is_unsent = !was_sent || kind == PEER_REFUSED,
	};
	request->is_closed = true;
	h2_request_stop_waiting(request);
	unlist(request);
	request->events->on_failed(request->arg, &failure);
}

/* --- requests: from the exchange
 * --------------------------------------------------------------------------------- */

static void append_head(struct h2_request *request, const struct http_head *head)
{
	struct buf *out = h2_head_open(&request->h2);
	hpack_append_method(out, head->method, strlen(head->method));
	hpack_append_scheme_https(out);
	hpack_append_authority(out, head->authority, strlen(head->authority));
	hpack_append_path(out, head->target, strlen(head->target));
	h2_head_append(out, head, h2_head_kept(&request->h2));
	h2_head_close(&request->h2, head->body == HTTP_BODY_NONE);
}

size_t h2_request_body(struct h2_stream *h2, enum h2_body *state)
{
	const struct h2_request *request = (const struct h2_request *)h2;
	if (request->is_body_ended)
		*state = H2_BODY_ENDS;
	return request->body.len - request->body_at;
}

void h2_request_write_body(struct h2_stream *h2, size_t len)
{
	struct h2_request *request = (struct h2_request *)h2;
	stream_write(request->connection->stream, request->body.data + request->body_at, len);
	request->body_at += len;
	if (request->body_at == request->body.len) {
		buf_clear(&request->body);
		request->body_at = 0;
	}
	if (request->is_body_full && request->body.len - request->body_at <= BODY_HIGH_MARK / 2)
		h2_request_make_ready(request);
}

static bool send_head(void *object, const struct http_head *head)
{
	struct h2_request *request = object;
	struct upstream_h2 *connection = request->connection;
	if (connection->is_dead)
		return false;
	h2_submit(&connection->h2, &request->h2, strcmp(head->method, "HEAD") == 0);
	request->is_submitted = true;
	append_head(request, head);
	upstream_h2_ask_flush(connection);
	return true;
}

static void resume_data(struct h2_request *request)
{
	struct upstream_h2 *connection = request->connection;
	if (connection->is_dead || request->is_closed)
		return;
	h2_resume(&request->h2);
	upstream_h2_ask_flush(connection);
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct h2_request *request = object;
	/* What went out gives way, so that a long body does not pile up. */
	if (request->body_at > 0 && request->body_at >= request->body.len - request->body_at) {
		buf_consume(&request->body, request->body_at);
		request->body_at = 0;
	}
	buf_append(&request->body, data, len);
	resume_data(request);
	request->is_body_full = request->body.len - request->body_at > BODY_HIGH_MARK;
	return !request->is_body_full;
}

/* --- time limits of answers: one timer for all of a connection, set for whoever waits longest ---
 */

static void give_up_waiting(struct h2_request *request)
{
	struct upstream_h2 *connection = request->connection;
	h2_reset(&request->h2, H2_CANCEL);
	upstream_h2_ask_flush(connection);
	h2_request_fail(request, PEER_TIMEOUT, "no answer came in time");
}

static void wake_at(struct upstream_h2 *connection, struct mono at, struct duration left)
{
	connection->wakes_at = at;
	timer_set(connection->deadline, left);
}

static void on_deadline(void *arg)
{
	struct upstream_h2 *connection = arg;
	struct h2_request *first;
	while ((first = TAILQ_FIRST(&connection->waiting)) != NULL && !connection->is_dead) {
		struct duration left = mono_between(mono_now(), first->deadline);
		if (left.ms > 0) {
			wake_at(connection, first->deadline, left);
			return;
		}
		give_up_waiting(first);
	}
}

/* Long-running requests have no such limit. All others have the same, unless it was changed. */
static void await_answer(struct h2_request *request)
{
	struct upstream_h2 *connection = request->connection;
	struct h2_request *before = TAILQ_LAST(&connection->waiting, h2_request_list);
	request->deadline = mono_add(mono_now(), request->response_timeout);
	request->is_waiting = true;
	while (before != NULL && before->deadline.ns > request->deadline.ns)
		before = TAILQ_PREV(before, h2_request_list, waiting);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&connection->waiting, before, request, waiting);
	else
		TAILQ_INSERT_HEAD(&connection->waiting, request, waiting);
	if (connection->deadline == NULL)
		connection->deadline = timer_new(connection->loop, on_deadline, connection);
	bool is_early_enough =
	    timer_is_set(connection->deadline) && connection->wakes_at.ns <= request->deadline.ns;
	if (!is_early_enough)
		wake_at(connection, request->deadline, request->response_timeout);
}

void h2_request_stop_waiting(struct h2_request *request)
{
	if (!request->is_waiting)
		return;
	request->is_waiting = false;
	TAILQ_REMOVE(&request->connection->waiting, request, waiting);
}

static void send_end(void *object)
{
	struct h2_request *request = object;
	request->is_body_ended = true;
	if (!request->has_head && request->response_timeout.ms > 0)
		await_answer(request);
	resume_data(request);
}

static void pause_answer(void *object)
{
	((struct h2_request *)object)->is_paused = true;
}

static void resume_answer(void *object)
{
	struct h2_request *request = object;
	if (!request->is_paused)
		return;
	request->is_paused = false;
	if (request->held.len > 0 || (request->is_answer_ended && !request->is_end_told))
		h2_request_make_ready(request);
}

static void release(void *object)
{
	struct h2_request *request = object;
	struct upstream_h2 *connection = request->connection;
	request->events = NULL;
	h2_request_stop_waiting(request);
	unlist(request);
	h2_reset(&request->h2, H2_CANCEL);
	if (!connection->is_dead)
		upstream_h2_ask_flush(connection);
	buf_free_secret(&request->body);
	stream_queue_clear(&request->held);
	count_held(request);
	upstream_h2_park(request);
}

const struct peer_verbs h2_request_verbs = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .pause = pause_answer,
    .resume = resume_answer,
    .release = release,
};

/* --- the end of the turn
 * ----------------------------------------------------------------------------------------- */

static bool may_tell(const struct h2_request *request, uint32_t id)
{
	return request->h2.id == id && request->events != NULL && !request->is_paused;
}

/* What arrived while it was paused, a block at a time: whoever pauses again has taken no more than
 * they wanted. Each may release it, and it may serve another request then, whose window it is not.
 * Nothing arrives meanwhile. */
static void tell_held(struct h2_request *request)
{
	struct stream_queue held = request->held;
	uint32_t id = request->h2.id;
	request->held = (struct stream_queue){0};
	while (held.len > 0 && may_tell(request, id)) {
		size_t len;
		const uint8_t *data = stream_queue_peek(&held, &len);
		request->events->on_body(request->arg, data, len);
		stream_queue_consume(&held, len);
		if (request->h2.id == id && !request->connection->is_dead)
			h2_consume(&request->h2, len);
	}
	if (request->h2.id == id && request->events != NULL)
		request->held = held;
	else
		stream_queue_clear(&held);
	count_held(request);
}

/* Gives what arrived while it was paused, room for more body, the end: each may pause, release or
 * fail it. */
void h2_request_tell(struct h2_request *request)
{
	unlist(request);
	if (request->is_body_full && request->body.len - request->body_at <= BODY_HIGH_MARK / 2) {
		request->is_body_full = false;
		request->events->on_drain(request->arg);
	}
	if (request->events != NULL && !request->is_paused && request->held.len > 0)
		tell_held(request);
	bool may_end = request->events != NULL && !request->is_paused && request->held.len == 0 &&
		       request->is_answer_ended && !request->is_end_told;
	if (!may_end)
		return;
	h2_request_tell_end(request);
}

void h2_request_tell_end(struct h2_request *request)
{
	request->is_end_told = true;
	if (request->trailers.count > 0)
		request->events->on_trailers(request->arg, &request->trailers);
	request->events->on_end(request->arg);
}

/* Everything but the memory that it keeps and the list entry. */
static void reset_request(struct h2_request *request)
{
	fields_clear(&request->trailers);
	request->h2 = (struct h2_stream){0};
	request->complaint = NULL;
	request->body_at = 0;
	request->is_body_ended = request->is_body_full = request->is_submitted = false;
	request->has_head = request->is_answer_ended = false;
	request->is_end_told = request->is_paused = request->is_closed = false;
}

struct h2_request *h2_request_take(struct upstream_h2 *connection)
{
	struct h2_request *request = TAILQ_FIRST(&connection->spare);
	if (request != NULL) {
		TAILQ_REMOVE(&connection->spare, request, entry);
		reset_request(request);
		return request;
	}
	request = xcalloc(1, sizeof *request);
	request->connection = connection;
	return request;
}
