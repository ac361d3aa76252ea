/* The connection to discoveryd: when to say HELLO, when to give a connection up, what is sent. The
 * state machine:
 *
 *     DOWN  --connected, attempt due--> HELLO --WELCOME--> SYNC --snapshot whole--> LIVE
 *     any   --disconnected, REJECT, BYE, no answer--> DOWN
 *     SYNC, LIVE --nothing heard for three heartbeats--> STALE, a new connection, then as DOWN
 *     SYNC, LIVE --what came does not continue what is here--> HELLO again, a snapshot
 *
 * None of it touches what is served: the directory is only ever given a whole table or the next
 * change. */
#include "kubeproxyd/directory/subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/subscriber_parts.h"

#define TICK_MS	       100
#define BACKOFF_MS     250
#define BACKOFF_MAX_MS 5000
#define JITTER_PERCENT 50
#define ANSWER_MS      1000 /* for a WELCOME */
#define REOPEN_MS      5000 /* a socket that does not get connected is replaced */
#define SILENCE_MS_MIN 750
#define SYNC_MS	       60000
#define SETTLED_MS     10000 /* LIVE for so long: the next trouble is a new one */
#define CREDIT	       8
#define QUEUE	       64
#define LINGER_MS      100
#define REFRESH_MS     30000
#define REFRESHED_MAX  1024

static void forget_rejections(struct subscriber *subscriber)
{
	for (size_t i = 0; i < subscriber->rejected_count; i++) {
		free(subscriber->rejected[i].name);
		free(subscriber->rejected[i].text);
	}
	subscriber->rejected_count = 0;
	subscriber->has_more_rejected = false;
}

void subscriber_drop_shadow(struct subscriber *subscriber)
{
	directory_table_free(&subscriber->shadow.table);
	subscriber->shadow = (struct shadow){0};
}

void subscriber_set_state(
    struct subscriber *subscriber, enum subscriber_state state, const char *why)
{
	static const char *const names[] = {"down", "hello", "sync", "live", "stale"};
	enum subscriber_state old = subscriber->state;
	if (state == old)
		return;
	subscriber->state = state;
	log_debug("bus", "state", LOG_S("from", names[old]), LOG_S("to", names[state]),
	    LOG_S("why", why));
	if (state != SUBSCRIBER_SYNC)
		subscriber_drop_shadow(subscriber);
	struct directory_status status = directory_status(subscriber->directory);
	if (state == SUBSCRIBER_LIVE) {
		subscriber->live_at = mono_now();
		log_info("bus", "following", LOG_I("epoch", subscriber->epoch),
		    LOG_I("sequence", status.sequence), LOG_I("clusters", status.total));
	} else if (old == SUBSCRIBER_LIVE) {
		if (subscriber->work != NULL)
			subscriber->work->on_session_end(subscriber->work->arg);
		log_warn("bus", "lost", LOG_S("why", why), LOG_I("sequence", status.sequence),
		    LOG_S("meanwhile", "what is known stays in force"));
	}
}

/* --- attempts */

static void delay_attempt(struct subscriber *subscriber)
{
	if (subscriber->live_at.ns != 0 && mono_since(subscriber->live_at).ms > SETTLED_MS)
		subscriber->backoff = duration_ms(BACKOFF_MS);
	subscriber->live_at = (struct mono){0};
	subscriber->attempt_at =
	    mono_add(mono_now(), duration_jitter(subscriber->backoff, JITTER_PERCENT));
	int64_t doubled = subscriber->backoff.ms * 2;
	subscriber->backoff = duration_ms(doubled < BACKOFF_MAX_MS ? doubled : BACKOFF_MAX_MS);
}

static void disconnect(struct subscriber *subscriber, enum subscriber_state state, const char *why)
{
	subscriber_set_state(subscriber, state, why);
	subscriber->is_connected = false;
	zsock_free(&subscriber->zsock);
	delay_attempt(subscriber);
}

void subscriber_back_off(struct subscriber *subscriber, const char *why)
{
	disconnect(subscriber, SUBSCRIBER_DOWN, why);
}

void subscriber_resync(struct subscriber *subscriber, const char *why)
{
	if (subscriber->state != SUBSCRIBER_SYNC && subscriber->state != SUBSCRIBER_LIVE)
		return;
	metric_add(subscriber->metrics.resyncs, 1, why);
	subscriber_set_state(subscriber, SUBSCRIBER_DOWN, why);
	delay_attempt(subscriber);
}

static const char *node_name(char name[65])
{
	name[64] = '\0';
	if (gethostname(name, 64) != 0)
		snprintf(name, 65, "unknown");
	return name;
}

static void say_hello(struct subscriber *subscriber)
{
	char node[65];
	(void)node_name(node);
	subscriber->session++;
	subscriber->hello_at = mono_now();
	const union message_body body = {.hello = {.session = subscriber->session,
					     .role = (char[]){"proxy"},
					     .instance = subscriber->instance,
					     .node = node,
					     .software = (char[]){EKSGATE_VERSION},
					     .pid = getpid(),
					     .credit = CREDIT}};
	subscriber_set_state(subscriber, SUBSCRIBER_HELLO, "connected");
	if (!subscriber_send(subscriber, MESSAGE_HELLO, &body))
		subscriber_back_off(subscriber, "cannot send");
}

/* --- sending */

bool subscriber_send(
    struct subscriber *subscriber, enum message_type type, const union message_body *body)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	size_t len;
	if (subscriber->zsock == NULL)
		return false;
	struct directory_status status = directory_status(subscriber->directory);
	struct message_header header = {.type = (uint8_t)type,
	    .version_major = MESSAGE_VERSION_MAJOR,
	    .version_minor = MESSAGE_VERSION_MINOR,
	    .group = subscriber->group,
	    .epoch = status.epoch,
	    .instance = subscriber->publisher,
	    .sequence = status.sequence,
	    .digest = *directory_digest(subscriber->directory)};
	char *text = message_encode_body(type, body, &len);
	message_encode_header(&header, text, len, frame);
	const struct zsock_frame frames[] = {{frame, sizeof frame}, {text, len}};
	bool is_sent =
	    len <= MESSAGE_HELLO_MAX && zsock_send(subscriber->zsock, frames, 2) == ZSOCK_SENT;
	free(text);
	return is_sent;
}

/* At the end of a turn, for everything that was taken in it. What was rejected is told as far as it
 * fits. */
static void on_ack(void *arg)
{
	struct subscriber *subscriber = arg;
	bool is_sent = false;
	if (subscriber->state != SUBSCRIBER_SYNC && subscriber->state != SUBSCRIBER_LIVE)
		return;
	for (size_t told = subscriber->rejected_count + 1; !is_sent && told-- > 0;) {
		bool has_more = subscriber->has_more_rejected || told < subscriber->rejected_count;
		const union message_body body = {.ack = {.session = subscriber->session,
						     .received = subscriber->received,
						     .rejected = subscriber->rejected,
						     .rejected_count = told,
						     .has_more = has_more}};
		is_sent = subscriber_send(subscriber, MESSAGE_ACK, &body);
	}
	if (is_sent)
		forget_rejections(subscriber);
}

/* True when this name was asked for within the last REFRESH_MS; else remembers it. */
static bool was_refreshed(struct subscriber *subscriber, const char *name)
{
	size_t kept = 0;
	bool is_found = false;
	for (size_t i = 0; i < subscriber->refreshed_count; i++) {
		if (mono_since(subscriber->refreshed[i].at).ms >= REFRESH_MS)
			continue;
		is_found = is_found || strcmp(subscriber->refreshed[i].name, name) == 0;
		subscriber->refreshed[kept++] = subscriber->refreshed[i];
	}
	subscriber->refreshed_count = kept;
	if (is_found || kept == REFRESHED_MAX)
		return true;
	subscriber->refreshed =
	    xreallocarray(subscriber->refreshed, kept + 1, sizeof *subscriber->refreshed);
	struct refreshed *refreshed = &subscriber->refreshed[subscriber->refreshed_count++];
	snprintf(refreshed->name, sizeof refreshed->name, "%s", name);
	refreshed->at = mono_now();
	return false;
}

void subscriber_refresh(struct subscriber *subscriber, const char *name, const char *reason)
{
	if (subscriber->state != SUBSCRIBER_LIVE || strlen(name) > MESSAGE_NAME_MAX ||
	    was_refreshed(subscriber, name))
		return;
	char *name_copy = xstrdup(name), *reason_copy = xasprintf("%.200s", reason);
	const union message_body body = {.refresh = {.name = name_copy, .reason = reason_copy}};
	(void)!subscriber_send(subscriber, MESSAGE_REFRESH, &body);
	free(name_copy);
	free(reason_copy);
}

/* --- work */

void subscriber_set_work(struct subscriber *subscriber, const struct subscriber_work *work)
{
	subscriber->work = work;
}

bool subscriber_report(struct subscriber *subscriber, const struct message_report *report)
{
	if (subscriber->state != SUBSCRIBER_LIVE)
		return false;
	if (subscriber->publisher_minor == 0)
		return true;
	const union message_body body = {.report = *report};
	return subscriber_send(
	    subscriber, (enum message_type)(MESSAGE_REPORT | MESSAGE_TYPE_OPTIONAL), &body);
}

void subscriber_answer_task(struct subscriber *subscriber, const char *nonce, bool is_ok,
    const char *code, const char *text)
{
	char *texts[] = {xstrdup(nonce), xstrdup(code), xasprintf("%.500s", text)};
	const union message_body body = {
	    .task_result = {.nonce = texts[0], .is_ok = is_ok, .code = texts[1], .text = texts[2]}};
	if (!subscriber_send(subscriber, MESSAGE_TASK_RESULT, &body))
		log_warn("bus", "task-unanswered", LOG_S("code", code));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(texts[i]);
}

/* --- time and connection */

static void on_message(void *arg, const struct zsock_message *message)
{
	subscriber_receive(arg, message);
}

static void on_event(void *arg, enum zsock_event event)
{
	struct subscriber *subscriber = arg;
	subscriber->is_connected = event == ZSOCK_CONNECTED;
	if (event == ZSOCK_CONNECTED) {
		subscriber->heard_at = mono_now();
		if (mono_is_past(subscriber->attempt_at))
			say_hello(subscriber);
	} else if (event == ZSOCK_DISCONNECTED) {
		subscriber_set_state(subscriber, SUBSCRIBER_DOWN, "discoveryd has gone");
	} else {
		log_warn("bus", "refused", LOG_S("path", subscriber->path),
		    LOG_S("remedy", "add the user of kubeproxyd to eksgate.bus.proxy_users"));
		subscriber_back_off(subscriber, "not allowed");
	}
}

static void connect_anew(struct subscriber *subscriber)
{
	const struct zsock_options options = {.message_max = MESSAGE_BODY_MAX,
	    .send_queue = QUEUE,
	    .receive_queue = QUEUE,
	    .linger = duration_ms(LINGER_MS),
	    .on_message = on_message,
	    .on_event = on_event,
	    .arg = subscriber};
	char *error = NULL;
	subscriber->opened_at = mono_now();
	subscriber->zsock = zsock_connect(subscriber->context, subscriber->path, &options, &error);
	if (subscriber->zsock != NULL)
		return;
	log_error("bus", "cannot-connect", LOG_S("error", error));
	free(error);
	delay_attempt(subscriber);
}

static int64_t silence_limit(const struct subscriber *subscriber)
{
	int64_t ms = subscriber->heartbeat.ms * 3;
	return ms > SILENCE_MS_MIN ? ms : SILENCE_MS_MIN;
}

static void check_silence(struct subscriber *subscriber)
{
	bool is_syncing = subscriber->state == SUBSCRIBER_SYNC;
	if (mono_since(subscriber->heard_at).ms > silence_limit(subscriber))
		disconnect(subscriber, SUBSCRIBER_STALE, "nothing is heard of discoveryd");
	else if (is_syncing && mono_since(subscriber->hello_at).ms > SYNC_MS)
		subscriber_back_off(subscriber, "the snapshot does not come");
}

/* The library gives some connections up for good, after a handshake that went wrong. */
static void attempt(struct subscriber *subscriber)
{
	if (subscriber->zsock != NULL && subscriber->is_connected) {
		say_hello(subscriber);
		return;
	}
	if (subscriber->zsock != NULL && mono_since(subscriber->opened_at).ms < REOPEN_MS)
		return;
	zsock_free(&subscriber->zsock);
	connect_anew(subscriber);
}

static void on_tick(void *arg)
{
	struct subscriber *subscriber = arg;
	timer_set(subscriber->tick, duration_ms(TICK_MS));
	switch (subscriber->state) {
	case SUBSCRIBER_SYNC:
	case SUBSCRIBER_LIVE:
		check_silence(subscriber);
		break;
	case SUBSCRIBER_HELLO:
		if (mono_since(subscriber->hello_at).ms > ANSWER_MS)
			subscriber_back_off(subscriber, "no answer");
		break;
	case SUBSCRIBER_DOWN:
	case SUBSCRIBER_STALE:
		if (mono_is_past(subscriber->attempt_at))
			attempt(subscriber);
		break;
	}
}

/* --- life */

static void on_collect(void *arg)
{
	const struct subscriber *subscriber = arg;
	struct directory_status status = directory_status(subscriber->directory);
	metric_set(subscriber->metrics.live, subscriber->state == SUBSCRIBER_LIVE ? 1 : 0);
	metric_set(subscriber->metrics.sequence, (double)status.sequence);
}

static void add_metrics(struct subscriber *subscriber, struct metrics *metrics)
{
	subscriber->metrics.live = metrics_gauge(
	    metrics, "eksgate_bus_live", "1 while every change of the bus is followed.", "");
	subscriber->metrics.sequence =
	    metrics_gauge(metrics, "eksgate_bus_sequence", "Sequence that was applied.", "");
	subscriber->metrics.received = metrics_counter(
	    metrics, "eksgate_bus_messages_total", "Bus messages received.", "type");
	subscriber->metrics.resyncs = metrics_counter(metrics, "eksgate_bus_resyncs_total",
	    "Times that something did not fit and was fetched anew.", "why");
	metrics_on_collect(metrics, on_collect, subscriber);
}

struct subscriber *subscriber_new(struct loop *loop, struct metrics *metrics,
    const struct settings *settings, const char *instance, struct directory *directory)
{
	struct subscriber *subscriber = xcalloc(1, sizeof *subscriber);
	char *error = NULL;
	subscriber->loop = loop;
	subscriber->directory = directory;
	subscriber->path = xstrdup(settings->bus.socket);
	subscriber->instance = xasprintf("%.64s", instance);
	subscriber->group = message_group_id(settings->discovery.group);
	subscriber->heartbeat = settings->bus.heartbeat;
	subscriber->backoff = duration_ms(BACKOFF_MS);
	subscriber->ack = (struct deferred){.fn = on_ack, .arg = subscriber};
	subscriber->tick = timer_new(loop, on_tick, subscriber);
	add_metrics(subscriber, metrics);
	subscriber->context = zsock_context_new(loop, NULL, NULL, &error);
	if (subscriber->context == NULL) {
		log_error("bus", "cannot-start", LOG_S("error", error));
		abort();
	}
	connect_anew(subscriber);
	timer_set(subscriber->tick, duration_ms(TICK_MS));
	return subscriber;
}

void subscriber_free(struct subscriber **subscriber_at)
{
	struct subscriber *subscriber = *subscriber_at;
	if (subscriber == NULL)
		return;
	const union message_body body = {
	    .reason = {.code = (char[]){"stopping"}, .text = (char[]){"kubeproxyd is stopping"}}};
	if (subscriber->is_connected)
		(void)!subscriber_send(subscriber, MESSAGE_BYE, &body);
	zsock_free(&subscriber->zsock);
	zsock_context_free(&subscriber->context);
	loop_undefer(subscriber->loop, &subscriber->ack);
	timer_free(&subscriber->tick);
	subscriber_drop_shadow(subscriber);
	forget_rejections(subscriber);
	free(subscriber->refreshed);
	free(subscriber->path);
	free(subscriber->instance);
	xfree(subscriber_at);
}
