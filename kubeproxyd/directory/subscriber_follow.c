/* What the publisher says, and whether it continues what is here. Only that is applied; anything
 * else (a gap, a digest that differs, a message that makes no sense) asks for a snapshot, and the
 * table stays as it was until one has arrived whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/subscriber_parts.h"
#include "proto/task.h"

#define COMPLAIN_MS 10000

static void on_reject_item(void *arg, const char *name, int64_t revision, const char *text)
{
	struct subscriber *subscriber = arg;
	if (subscriber->rejected_count == SUBSCRIBER_REJECTIONS) {
		subscriber->has_more_rejected = true;
		return;
	}
	/* An ACK is short: the whole text is in the log. */
	subscriber->rejected[subscriber->rejected_count++] = (struct message_rejection){
	    .name = xstrdup(name), .revision = revision, .text = xasprintf("%.160s", text)};
}

static bool complain(struct subscriber *subscriber)
{
	if (subscriber->complained_at.ns != 0 &&
	    mono_since(subscriber->complained_at).ms < COMPLAIN_MS)
		return false;
	subscriber->complained_at = mono_now();
	return true;
}

/* The newest epoch ever followed, by this process or by the one that wrote the cache file. */
static uint64_t known_epoch(const struct subscriber *subscriber)
{
	uint64_t cached = directory_status(subscriber->directory).epoch;
	return cached > subscriber->epoch ? cached : subscriber->epoch;
}

/* A publisher of an older epoch works on an older state; two of one epoch disagree about the state.
 * NULL: to be followed. */
static const char *judge_publisher(
    const struct subscriber *subscriber, const struct message_header *header)
{
	if (header->epoch < known_epoch(subscriber))
		return "older-epoch";
	if (header->epoch == subscriber->epoch && subscriber->publisher != 0 &&
	    header->instance != subscriber->publisher)
		return "split-brain";
	return NULL;
}

static void on_welcome(struct subscriber *subscriber, const struct message_header *header,
    const struct message_welcome *welcome)
{
	if (welcome->session != subscriber->session)
		return;
	const char *why = judge_publisher(subscriber, header);
	if (why != NULL) {
		if (complain(subscriber))
			log_error("bus", why, LOG_I("epoch", header->epoch),
			    LOG_I("known", known_epoch(subscriber)),
			    LOG_S("remedy",
				"what is known stays in force; make sure that one "
				"discoveryd runs, with its own state and a right clock"));
		subscriber_back_off(subscriber, why);
		return;
	}
	subscriber_drop_shadow(subscriber);
	subscriber->epoch = header->epoch;
	subscriber->publisher = header->instance;
	subscriber->publisher_minor = header->version_minor;
	subscriber->received = 0;
	subscriber->heartbeat = duration_ms(welcome->heartbeat_ms);
	subscriber_set_state(subscriber, SUBSCRIBER_SYNC, "welcome");
}

static void on_begin(struct subscriber *subscriber, const struct message_header *header)
{
	subscriber_drop_shadow(subscriber);
	subscriber->shadow = (struct shadow){.table = directory_table_new(),
	    .sequence = header->sequence,
	    .count = header->count,
	    .digest = header->digest};
}

static bool continues_shadow(const struct shadow *shadow, const struct message_header *header)
{
	return shadow->table != NULL && header->sequence == shadow->sequence &&
	       header->base_sequence == directory_table_count(shadow->table);
}

static void on_chunk(struct subscriber *subscriber, const struct message_header *header,
    const struct message_items *items)
{
	struct shadow *shadow = &subscriber->shadow;
	if (!continues_shadow(shadow, header)) {
		subscriber_resync(subscriber, "snapshot-gap");
		return;
	}
	for (size_t i = 0; i < items->count; i++) {
		const struct message_item *item = &items->items[i];
		if (strcmp(item->name, shadow->last) <= 0) {
			subscriber_resync(subscriber, "snapshot-order");
			return;
		}
		snprintf(shadow->last, sizeof shadow->last, "%s", item->name);
		directory_table_put(
		    shadow->table, item->name, item->revision, item->resource, item->resource_len);
	}
}

static void on_end(struct subscriber *subscriber, const struct message_header *header)
{
	struct shadow *shadow = &subscriber->shadow;
	if (shadow->table == NULL || header->sequence != shadow->sequence ||
	    directory_table_count(shadow->table) != header->count ||
	    header->count != shadow->count) {
		subscriber_resync(subscriber, "snapshot-gap");
		return;
	}
	const struct message_digest *digest = directory_table_digest(shadow->table);
	if (!message_digest_equal(digest, &header->digest) ||
	    !message_digest_equal(digest, &shadow->digest)) {
		subscriber_resync(subscriber, "snapshot-digest");
		return;
	}
	directory_replace(subscriber->directory, &shadow->table, subscriber->epoch,
	    (int64_t)header->sequence, on_reject_item, subscriber);
	directory_confirm(subscriber->directory, subscriber->heartbeat);
	subscriber_set_state(subscriber, SUBSCRIBER_LIVE, "snapshot");
}

static uint64_t applied(const struct subscriber *subscriber)
{
	return directory_status(subscriber->directory).sequence;
}

static bool has_digest(const struct subscriber *subscriber, const struct message_header *header)
{
	return message_digest_equal(directory_digest(subscriber->directory), &header->digest);
}

static void on_delta(struct subscriber *subscriber, const struct message_header *header,
    const struct message_items *items)
{
	uint64_t here = applied(subscriber);
	if (subscriber->state != SUBSCRIBER_LIVE) {
		subscriber_resync(subscriber, "delta-before-snapshot");
		return;
	}
	if (header->base_sequence < here && header->sequence <= here) {
		metric_add(subscriber->metrics.resyncs, 1, "duplicate");
		return;
	}
	if (header->base_sequence != here) {
		subscriber_resync(subscriber, "gap");
		return;
	}
	directory_apply(subscriber->directory, items->items, items->count,
	    (int64_t)header->sequence, on_reject_item, subscriber);
	if (has_digest(subscriber, header))
		directory_confirm(subscriber->directory, subscriber->heartbeat);
	else
		subscriber_resync(subscriber, "digest");
}

/* The base of a heartbeat is what was sent to us before it, in the same pipe: it must be what we
 * have. */
static void on_heartbeat(struct subscriber *subscriber, const struct message_header *header,
    const struct message_heartbeat *heartbeat)
{
	if (subscriber->state != SUBSCRIBER_LIVE)
		return;
	directory_set_clock_offset(subscriber->directory, duration_ms(heartbeat->clock_offset_ms));
	uint64_t here = applied(subscriber);
	if (header->base_sequence != here || header->sequence < here)
		subscriber_resync(subscriber, "gap");
	else if (header->sequence == here && !has_digest(subscriber, header))
		subscriber_resync(subscriber, "digest");
	else
		directory_confirm(subscriber->directory, subscriber->heartbeat);
}

static void on_reason(
    struct subscriber *subscriber, const char *event, const struct message_reason *reason)
{
	log_warn("bus", event, LOG_S("code", reason->code), LOG_S("text", reason->text));
	subscriber_back_off(subscriber, event);
}

/* The publisher must not wait for an answer that nobody will give. */
static void on_task(struct subscriber *subscriber, const struct message_task *task)
{
	if (subscriber->work != NULL)
		subscriber->work->on_task(subscriber->work->arg, task);
	else
		subscriber_answer_task(subscriber, task->nonce, false, TASK_UNKNOWN_KIND,
		    "this kubeproxyd takes no tasks");
}

static void dispatch(
    struct subscriber *subscriber, const struct message_header *header, union message_body *body)
{
	switch (header->type & ~MESSAGE_TYPE_OPTIONAL) {
	case MESSAGE_WELCOME:
		on_welcome(subscriber, header, &body->welcome);
		break;
	case MESSAGE_SNAPSHOT_BEGIN:
		on_begin(subscriber, header);
		break;
	case MESSAGE_SNAPSHOT_CHUNK:
		on_chunk(subscriber, header, &body->items);
		break;
	case MESSAGE_SNAPSHOT_END:
		on_end(subscriber, header);
		break;
	case MESSAGE_DELTA:
		on_delta(subscriber, header, &body->items);
		break;
	case MESSAGE_HEARTBEAT:
		on_heartbeat(subscriber, header, &body->heartbeat);
		break;
	case MESSAGE_TASK:
		on_task(subscriber, &body->task);
		break;
	case MESSAGE_REJECT:
		on_reason(subscriber, "refused", &body->reason);
		break;
	case MESSAGE_BYE:
		on_reason(subscriber, "bye", &body->reason);
		break;
	default:
		log_warn("bus", "unexpected", LOG_S("type", message_type_name(header->type)));
	}
}

static bool is_data(unsigned type)
{
	return type >= MESSAGE_SNAPSHOT_BEGIN && type <= MESSAGE_DELTA;
}

/* Left over in the pipe from before our latest HELLO, or from another publisher at this path: not a
 * mistake, not for us. */
static bool is_for_us(const struct subscriber *subscriber, const struct message_header *header)
{
	unsigned type = header->type & ~MESSAGE_TYPE_OPTIONAL;
	if (type == MESSAGE_REJECT)
		return subscriber->state != SUBSCRIBER_DOWN;
	if (header->group != subscriber->group)
		return false;
	if (type == MESSAGE_WELCOME)
		return subscriber->state != SUBSCRIBER_DOWN;
	return (subscriber->state == SUBSCRIBER_SYNC || subscriber->state == SUBSCRIBER_LIVE) &&
	       header->epoch == subscriber->epoch && header->instance == subscriber->publisher;
}

static void take(struct subscriber *subscriber, const struct message_header *header,
    const struct zsock_frame *text)
{
	char error[MESSAGE_ERROR_TEXT];
	union message_body body;
	subscriber->heard_at = mono_now();
	if (is_data(header->type & ~MESSAGE_TYPE_OPTIONAL)) {
		subscriber->received++;
		loop_defer(subscriber->loop, &subscriber->ack);
	}
	if (!message_decode_body(header, text->data, text->len, &body, error)) {
		log_error("bus", "bad-message", LOG_S("type", message_type_name(header->type)),
		    LOG_S("error", error));
		subscriber_resync(subscriber, "corrupt");
		return;
	}
	dispatch(subscriber, header, &body);
	message_body_free(header->type, &body);
}

void subscriber_receive(struct subscriber *subscriber, const struct zsock_message *message)
{
	char error[MESSAGE_ERROR_TEXT] = "a message has exactly two frames";
	struct message_header header;
	const struct zsock_frame *frames = message->frames;
	if (message->count != 2 || message->is_cut ||
	    !message_decode_header(
		frames[0].data, frames[0].len, frames[1].data, frames[1].len, &header, error)) {
		log_error("bus", "bad-message", LOG_S("error", error));
		subscriber_resync(subscriber, "corrupt");
		return;
	}
	const char *name = message_type_name(header.type);
	metric_add(subscriber->metrics.received, 1, name != NULL ? name : "unknown");
	if (name == NULL && (header.type & MESSAGE_TYPE_OPTIONAL) == 0)
		log_warn("bus", "unknown-message", LOG_I("type", header.type));
	if (name != NULL && is_for_us(subscriber, &header))
		take(subscriber, &header, &frames[1]);
}
