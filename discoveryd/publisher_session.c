/* The state machine of one subscriber. Everything that a subscriber needs goes through one ordered
 * pipe: the snapshot of one moment, then what changed since. How much may be under way is bounded
 * by its credit, so its queue never fills; what it cannot keep up with is not queued but read again
 * from the table's log, or replaced by a new snapshot. */
#include "discoveryd/publisher_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/publisher_tasks.h"

#define SNAPSHOTS_MAX 4
#define CHUNK_BYTES   ((size_t)256 * 1024)
#define DELTA_ITEMS   64
#define FAULTS_MAX    3 /* then the peer is answered no more */
#define FORGET_MS     INT64_C(60000)

const char *session_state_text(enum session_state state)
{
	static const char *const texts[] = {"new", "refused", "waiting", "snapshot", "live"};
	return texts[state];
}

static void set_state(struct session *session, enum session_state state)
{
	log_debug("bus", "state", LOG_S("instance", session->instance),
	    LOG_I("pid", session->peer.pid), LOG_S("from", session_state_text(session->state)),
	    LOG_S("to", session_state_text(state)));
	session->publisher->snapshots -= session->state == SESSION_SNAPSHOT;
	session->publisher->snapshots += state == SESSION_SNAPSHOT;
	if (session->state == SESSION_SNAPSHOT)
		loop_defer(session->publisher->loop, &session->publisher->pump);
	if (state != SESSION_SNAPSHOT)
		bus_view_free(&session->view);
	session->state = state;
	session->changed_at = mono_now();
}

static void forget_rejections(struct session *session)
{
	for (size_t i = 0; i < session->rejected_count; i++) {
		free(session->rejected[i].name);
		free(session->rejected[i].text);
	}
	session->rejected_count = 0;
}

static void forget_hello(struct session *session)
{
	xfree(&session->role_name);
	xfree(&session->instance);
	xfree(&session->node);
	xfree(&session->software);
	forget_rejections(session);
	session_forget_principals(session);
}

struct session *session_new(
    struct publisher *publisher, const struct zsock_frame *id, const struct zsock_peer *peer)
{
	struct session *session = xcalloc(1, sizeof *session);
	session->publisher = publisher;
	session->peer = *peer;
	session->id_len = id->len;
	memcpy(session->id, id->data, id->len);
	session->since = unix_now();
	session->changed_at = mono_now();
	TAILQ_INSERT_TAIL(&publisher->sessions, session, entry);
	publisher->session_count++;
	return session;
}

static void free_session(void *object)
{
	struct session *session = object;
	forget_hello(session);
	bus_view_free(&session->view);
	free(session);
}

void session_drop(struct session *session, const char *why)
{
	if (session->is_gone)
		return;
	if (session->role != 0)
		log_info("bus", "subscriber-left", LOG_S("instance", session->instance),
		    LOG_S("role", session->role_name), LOG_I("pid", session->peer.pid),
		    LOG_S("why", why), LOG_I("age-ms", unix_now().ms - session->since.ms));
	set_state(session, SESSION_REFUSED);
	session->is_gone = true;
	TAILQ_REMOVE(&session->publisher->sessions, session, entry);
	session->publisher->session_count--;
	publisher_tasks_gone(session->publisher->tasks, session);
	loop_free_later(session->publisher->loop, free_session, session);
}

/* --- sending */

/* Fills in what all messages have in common, encodes, sends. False: not sent; the session may be
 * gone. */
static bool send_message(
    struct session *session, struct message_header *header, const union message_body *body)
{
	struct publisher *publisher = session->publisher;
	uint8_t frame[MESSAGE_HEADER_SIZE];
	size_t len;
	if (session->is_gone || publisher->zsock == NULL)
		return false;
	char *text = message_encode_body((enum message_type)header->type, body, &len);
	header->version_major = MESSAGE_VERSION_MAJOR;
	header->version_minor = MESSAGE_VERSION_MINOR;
	header->group = publisher->group_id;
	header->epoch = publisher->epoch;
	header->instance = publisher->instance;
	message_encode_header(header, text, len, frame);
	const struct zsock_frame frames[] = {
	    {session->id, session->id_len}, {frame, sizeof frame}, {text, len}};
	enum zsock_sent sent = zsock_send(publisher->zsock, frames, 3);
	if (header->type == MESSAGE_TASK)
		explicit_bzero(text, len);
	free(text);
	if (sent == ZSOCK_GONE)
		session_drop(session, "disconnected");
	if (sent == ZSOCK_SENT)
		metric_add(publisher->metrics.messages, 1, "out", message_type_name(header->type));
	return sent == ZSOCK_SENT;
}

/* A message about the table as it is now. */
static bool send_about_table(
    struct session *session, enum message_type type, uint64_t base, const union message_body *body)
{
	const struct publisher_table *table = session->publisher->table;
	struct message_header header = {.type = (uint8_t)type,
	    .base_sequence = base,
	    .sequence = (uint64_t)publisher_table_sequence(table),
	    .count = (uint32_t)publisher_table_count(table),
	    .digest = *publisher_table_digest(table)};
	return send_message(session, &header, body);
}

static void send_reason(
    struct session *session, enum message_type type, const char *code, const char *text)
{
	char *code_copy = xstrdup(code), *text_copy = xstrdup(text);
	const union message_body body = {.reason = {.code = code_copy, .text = text_copy}};
	(void)!send_about_table(session, type, 0, &body);
	free(code_copy);
	free(text_copy);
}

bool session_send_task(struct session *session, const union message_body *task)
{
	struct message_header header = {.type = MESSAGE_TASK,
	    .sequence = (uint64_t)publisher_table_sequence(session->publisher->table),
	    .digest = *publisher_table_digest(session->publisher->table)};
	return send_message(session, &header, task);
}

void session_say_bye(struct session *session, const char *code, const char *text)
{
	if (session->role != 0 && session->state > SESSION_REFUSED)
		send_reason(session, MESSAGE_BYE, code, text);
}

void session_fault(struct session *session, const char *code, const char *text)
{
	struct publisher *publisher = session->publisher;
	metric_add(publisher->metrics.faults, 1, code);
	if (session->faults++ >= FAULTS_MAX)
		return;
	log_warn("bus", "refused", LOG_S("code", code), LOG_S("text", text),
	    LOG_I("uid", session->peer.uid), LOG_I("pid", session->peer.pid),
	    LOG_S("instance", session->instance));
	send_reason(session, MESSAGE_REJECT, code, text);
	if (session->is_gone)
		return;
	set_state(session, SESSION_REFUSED);
	publisher_tasks_gone(publisher->tasks, session);
}

static bool begin_snapshot(struct session *session)
{
	const struct bus_view *view = session->view;
	struct message_header header = {.type = MESSAGE_SNAPSHOT_BEGIN,
	    .sequence = (uint64_t)view->sequence,
	    .count = (uint32_t)view->count,
	    .digest = view->digest};
	session->is_begun = send_message(session, &header, &(const union message_body){0});
	return session->is_begun;
}

/* The item as a body shows it; borrowed. */
static struct message_item as_message_item(const struct bus_item *item)
{
	return (struct message_item){.name = item->name,
	    .revision = item->revision,
	    .resource = item->resource,
	    .resource_len = item->resource_len,
	    .renamed_to = item->renamed_to};
}

static bool send_chunk(struct session *session)
{
	const struct bus_view *view = session->view;
	size_t count = 0, bytes = 0;
	while (session->view_at + count < view->count) {
		const struct bus_item *item = view->items[session->view_at + count];
		bytes += item->resource_len + strlen(item->name) + 64;
		if (count > 0 && bytes > CHUNK_BYTES)
			break;
		count++;
	}
	struct message_item *items = xcalloc(count, sizeof *items);
	for (size_t i = 0; i < count; i++)
		items[i] = as_message_item(view->items[session->view_at + i]);
	struct message_header header = {.type = MESSAGE_SNAPSHOT_CHUNK,
	    .base_sequence = session->view_at,
	    .sequence = (uint64_t)view->sequence,
	    .count = (uint32_t)count,
	    .digest = view->digest};
	bool is_sent =
	    send_message(session, &header, &(const union message_body){.items = {items, count}});
	free(items);
	if (is_sent)
		session->view_at += count;
	return is_sent;
}

static bool end_snapshot(struct session *session)
{
	const struct bus_view *view = session->view;
	struct message_header header = {.type = MESSAGE_SNAPSHOT_END,
	    .sequence = (uint64_t)view->sequence,
	    .count = (uint32_t)view->count,
	    .digest = view->digest};
	if (!send_message(session, &header, &(const union message_body){0}))
		return false;
	session->sent_sequence = view->sequence;
	metric_add(session->publisher->metrics.snapshots, 1);
	set_state(session, SESSION_LIVE);
	return true;
}

static bool send_snapshot_part(struct session *session)
{
	if (!session->is_begun)
		return begin_snapshot(session);
	if (session->view_at < session->view->count)
		return send_chunk(session);
	return end_snapshot(session);
}

static bool send_delta(struct session *session, const struct bus_change *changes, size_t count)
{
	struct message_item items[DELTA_ITEMS];
	size_t used = 0, bytes = 0;
	for (; used < count && used < DELTA_ITEMS; used++) {
		bytes += changes[used].item->resource_len;
		if (used > 0 && bytes > CHUNK_BYTES)
			break;
		items[used] = as_message_item(changes[used].item);
	}
	int64_t sequence = changes[used - 1].item->revision;
	struct message_header header = {.type = MESSAGE_DELTA,
	    .base_sequence = (uint64_t)session->sent_sequence,
	    .sequence = (uint64_t)sequence,
	    .count = (uint32_t)used,
	    .digest = changes[used - 1].digest};
	if (!send_message(session, &header, &(const union message_body){.items = {items, used}}))
		return false;
	session->sent_sequence = sequence;
	return true;
}

static bool send_changes(struct session *session)
{
	const struct bus_change *changes;
	size_t count;
	const struct publisher_table *table = session->publisher->table;
	if (publisher_table_since(table, session->sent_sequence, &changes, &count))
		return count > 0 && send_delta(session, changes, count);
	log_info("bus", "fell-behind", LOG_S("instance", session->instance),
	    LOG_I("at", session->sent_sequence), LOG_I("now", publisher_table_sequence(table)));
	set_state(session, SESSION_WAITING);
	return false;
}

static void start_waiting(struct session *session)
{
	struct publisher *publisher = session->publisher;
	if (publisher->snapshots >= SNAPSHOTS_MAX)
		return;
	session->view = bus_view_new(publisher->table);
	session->view_at = 0;
	session->is_begun = false;
	set_state(session, SESSION_SNAPSHOT);
}

void session_pump(struct session *session)
{
	bool has_sent = true;
	while (
	    has_sent && !session->is_gone && session->sent - session->received < session->credit) {
		if (session->state == SESSION_WAITING)
			start_waiting(session);
		if (session->state == SESSION_SNAPSHOT)
			has_sent = send_snapshot_part(session);
		else
			has_sent = session->state == SESSION_LIVE && send_changes(session);
		if (!has_sent)
			continue;
		if (session->sent == session->received)
			session->progress_at = mono_now();
		session->sent++;
	}
}

void session_beat(struct session *session)
{
	const struct publisher *publisher = session->publisher;
	if (session->state == SESSION_REFUSED || session->state == SESSION_NEW) {
		if (mono_since(session->changed_at).ms > FORGET_MS)
			session_drop(session, "silent");
		return;
	}
	if (session->sent > session->received &&
	    mono_since(session->progress_at).ms > publisher->patience.ms) {
		char text[80];
		snprintf(text, sizeof text, "no progress for %lld s: say HELLO when you can go on",
		    (long long)publisher->patience.ms / 1000);
		session_say_bye(session, "slow", text);
		session_drop(session, "no progress");
		return;
	}
	int64_t offset = publisher->aws != NULL ? aws_clock_offset(publisher->aws).ms : 0;
	const union message_body body = {.heartbeat = {.clock_offset_ms = offset}};
	(void)!send_about_table(
	    session, MESSAGE_HEARTBEAT, (uint64_t)session->sent_sequence, &body);
	session_pump(session);
}

/* --- receiving */

/* NULL when the HELLO is acceptable, else the code of the refusal; *text is the caller's. */
static const char *judge_hello(const struct session *session, const struct message_header *header,
    const struct message_hello *hello, char **text)
{
	const struct publisher *publisher = session->publisher;
	unsigned role = publisher_role_parse(hello->role);
	if (header->group != publisher->group_id) {
		*text = xasprintf("this bus serves the discovery group \"%s\": set "
				  "discovery_service.discovery_group to it, or connect elsewhere",
		    publisher->group);
		return "group";
	}
	if (role == 0) {
		*text = xasprintf("there is no role \"%s\" on this bus", hello->role);
		return "role";
	}
	if ((publisher_roles_of(publisher->roles, session->peer.uid) & role) == 0) {
		*text = xasprintf("uid %u may not be \"%s\": add it to eksgate.bus.%s_users",
		    session->peer.uid, hello->role, hello->role);
		return "role";
	}
	if (publisher->is_held && header->sequence > 0) {
		*text = xstrdup("the set is being built anew: keep what you have, come back later");
		return "starting";
	}
	return NULL;
}

/* Until its snapshot has arrived, a subscriber still has the table of an earlier publisher: none of
 * ours. */
static int64_t applied_in(const struct session *session, const struct message_header *header)
{
	bool is_ours = header->epoch == session->publisher->epoch;
	return is_ours && header->sequence <= INT64_MAX ? (int64_t)header->sequence : 0;
}

static void note_newer_epoch(const struct session *session, const struct message_header *header)
{
	if (header->epoch > session->publisher->epoch)
		log_error("bus", "epoch-went-back", LOG_I("ours", session->publisher->epoch),
		    LOG_I("subscriber-saw", header->epoch), LOG_S("instance", session->instance),
		    LOG_S("remedy", "subscribers keep what they have until the epoch is beyond "
				    "theirs: correct the clock and restart discoveryd"));
}

static void take_hello(
    struct session *session, const struct message_header *header, union message_body *body)
{
	struct message_hello *hello = &body->hello;
	forget_hello(session);
	session->role_name = xstrdup(hello->role);
	session->instance = xstrdup(hello->instance);
	session->node = xstrdup_or_null(hello->node);
	session->software = xstrdup_or_null(hello->software);
	session->role = publisher_role_parse(hello->role);
	session->nonce = hello->session;
	session->credit = hello->credit;
	session->sent = session->received = 0;
	session->sent_sequence = 0;
	session->applied = applied_in(session, header);
	session->progress_at = mono_now();
	session->faults = 0;
	publisher_tasks_hello(session->publisher->tasks, session);
	log_info("bus", "subscriber", LOG_S("instance", session->instance),
	    LOG_S("role", session->role_name), LOG_I("uid", session->peer.uid),
	    LOG_I("pid", session->peer.pid), LOG_S("version", session->software),
	    LOG_I("has", header->sequence),
	    LOG_I("snapshot", publisher_table_count(session->publisher->table)));
	note_newer_epoch(session, header);
}

static void on_hello(
    struct session *session, const struct message_header *header, union message_body *body)
{
	char *text = NULL;
	const char *code = judge_hello(session, header, &body->hello, &text);
	if (code != NULL) {
		session_fault(session, code, text);
		free(text);
		return;
	}
	take_hello(session, header, body);
	set_state(session, SESSION_WAITING);
	const union message_body welcome = {.welcome = {.session = session->nonce,
						.software = (char[]){EKSGATE_VERSION},
						.heartbeat_ms = session->publisher->heartbeat.ms}};
	if (send_about_table(session, MESSAGE_WELCOME, 0, &welcome))
		session_pump(session);
	else if (!session->is_gone)
		session_drop(session, "its queue is full");
}

/* Those of the newest ACK that has any; the strings move over. */
static void keep_rejections(struct session *session, struct message_ack *ack)
{
	if (ack->rejected_count == 0)
		return;
	forget_rejections(session);
	for (size_t i = 0; i < ack->rejected_count; i++) {
		struct message_rejection *from = &ack->rejected[i];
		log_warn("bus", "item-rejected", LOG_S("instance", session->instance),
		    LOG_S("name", from->name), LOG_I("revision", from->revision),
		    LOG_S("text", from->text));
		if (session->rejected_count == SESSION_REJECTIONS)
			continue;
		session->rejected[session->rejected_count++] = *from;
		*from = (struct message_rejection){0};
	}
}

static void on_ack(
    struct session *session, const struct message_header *header, union message_body *body)
{
	struct message_ack *ack = &body->ack;
	if (ack->session != session->nonce)
		return;
	int64_t applied = applied_in(session, header);
	if (ack->received < session->received || ack->received > session->sent ||
	    applied > publisher_table_sequence(session->publisher->table)) {
		session_fault(session, "ack", "the ACK is about what was never sent");
		return;
	}
	if (ack->received > session->received)
		session->progress_at = mono_now();
	session->received = ack->received;
	session->applied = applied;
	keep_rejections(session, ack);
	session_pump(session);
}

static void on_refresh(struct session *session, const struct message_refresh *refresh)
{
	if (session->role != BUS_ROLE_PROXY)
		session_fault(session, "role", "only a proxy may ask for a refresh");
	else
		publisher_take_refresh(session->publisher, refresh->name, refresh->reason);
}

static void on_report(struct session *session, const struct message_report *report)
{
	if (session->role != BUS_ROLE_PROXY)
		session_fault(session, "role", "only a proxy may report");
	else
		publisher_tasks_report(session->publisher->tasks, session, report);
	if (session->role == BUS_ROLE_PROXY && !session->is_gone && report->is_serving &&
	    report->principal != NULL)
		session_note_principal(session, report->principal);
}

static void dispatch(
    struct session *session, const struct message_header *header, union message_body *body)
{
	switch (header->type & ~MESSAGE_TYPE_OPTIONAL) {
	case MESSAGE_HELLO:
		on_hello(session, header, body);
		break;
	case MESSAGE_ACK:
		on_ack(session, header, body);
		break;
	case MESSAGE_REFRESH:
		on_refresh(session, &body->refresh);
		break;
	case MESSAGE_REPORT:
		on_report(session, &body->report);
		break;
	case MESSAGE_BYE:
		session_drop(session, body->reason.text);
		break;
	case MESSAGE_TASK_RESULT:
		if (!publisher_tasks_result(session->publisher->tasks, session, &body->task_result))
			session_fault(session, "task", "the result of a task that was not given");
		break;
	default:
		session_fault(session, "read-only", "subscribers do not publish on this bus");
	}
}

void session_receive(
    struct session *session, const struct zsock_frame *frame, const struct zsock_frame *text)
{
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header;
	union message_body body;
	if (!message_decode_header(
		frame->data, frame->len, text->data, text->len, &header, error)) {
		session_fault(session, "message", error);
		return;
	}
	const char *name = message_type_name(header.type);
	if (name == NULL && (header.type & MESSAGE_TYPE_OPTIONAL) != 0)
		return;
	metric_add(session->publisher->metrics.messages, 1, "in", name != NULL ? name : "unknown");
	bool is_hello = (header.type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_HELLO;
	if (!is_hello && session->state == SESSION_REFUSED)
		return;
	if (!is_hello && session->state == SESSION_NEW) {
		session_fault(session, "hello", "say HELLO first");
		return;
	}
	if (!message_decode_body(&header, text->data, text->len, &body, error)) {
		session_fault(session, "message", error);
		return;
	}
	dispatch(session, &header, &body);
	message_body_free(header.type, &body);
}
