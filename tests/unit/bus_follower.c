/* The stage of the subscriber's tests. */
#include "tests/unit/bus_follower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"

#define WAIT_MS 8000
#define BEAT_MS 50

/* --- the publisher by hand */

void fake_send(struct fake *fake, unsigned type, uint64_t base, uint64_t sequence, uint32_t count,
    const char *text)
{
	uint8_t frame[MESSAGE_HEADER_SIZE];
	char *body = xstrdup(text);
	const struct message_header header = {.type = (uint8_t)type,
	    .version_major = 1,
	    .group = fake->group,
	    .epoch = fake->epoch,
	    .instance = fake->instance,
	    .base_sequence = base,
	    .sequence = sequence,
	    .count = count,
	    .digest = fake->digest};
	message_encode_header(&header, body, strlen(body), frame);
	if (fake->flips)
		body[strlen(body) / 2] ^= 1;
	const struct zsock_frame frames[] = {
	    {fake->id, fake->id_len}, {frame, sizeof frame}, {body, strlen(body)}};
	if (fake->id_len > 0)
		(void)!zsock_send(fake->zsock, frames, 3);
	free(body);
}

static void send_items(struct fake *fake, enum message_type type, uint64_t base,
    struct message_item *items, size_t count)
{
	size_t len;
	char *text =
	    message_encode_body(type, &(const union message_body){.items = {items, count}}, &len);
	fake_send(fake, type, base, fake->sequence, (uint32_t)count + fake->count_lie, text);
	free(text);
}

static struct message_item as_item(struct fake_item *item)
{
	return (struct message_item){.name = item->name,
	    .revision = item->revision,
	    .resource = item->resource,
	    .resource_len = item->resource != NULL ? strlen(item->resource) : 0,
	    .renamed_to = item->renamed_to[0] != '\0' ? item->renamed_to : NULL};
}

static void toggle(struct fake *fake, const struct fake_item *item)
{
	if (item->resource != NULL)
		message_digest_toggle(&fake->digest, item->name, item->revision, item->resource,
		    strlen(item->resource));
}

static struct fake_item *find_item(struct fake *fake, const char *name)
{
	size_t i = 0;
	while (i < fake->item_count && strcmp(fake->items[i].name, name) < 0)
		i++;
	if (i < fake->item_count && strcmp(fake->items[i].name, name) == 0)
		return &fake->items[i];
	assert_true(fake->item_count < FAKE_ITEMS);
	memmove(
	    &fake->items[i + 1], &fake->items[i], (fake->item_count - i) * sizeof fake->items[0]);
	fake->item_count++;
	fake->items[i] = (struct fake_item){0};
	snprintf(fake->items[i].name, sizeof fake->items[i].name, "%s", name);
	return &fake->items[i];
}

static void set_item(struct fake *fake, const char *name, char *resource, const char *renamed_to)
{
	struct fake_item *item = find_item(fake, name);
	toggle(fake, item);
	fake->count -= item->resource != NULL;
	free(item->resource);
	item->resource = resource;
	item->revision = (int64_t)++fake->sequence;
	snprintf(
	    item->renamed_to, sizeof item->renamed_to, "%s", renamed_to != NULL ? renamed_to : "");
	fake->count += resource != NULL;
	toggle(fake, item);
}

void fake_put(struct fake *fake, const char *name, int64_t variant)
{
	set_item(fake, name, bus_resource(name, variant), NULL);
}

void fake_put_as(struct fake *fake, const char *name, const char *arn_name)
{
	set_item(fake, name, bus_resource_of(name, arn_name, 0), NULL);
}

void fake_put_text(struct fake *fake, const char *name, const char *resource)
{
	set_item(fake, name, xstrdup(resource), NULL);
}

void fake_remove(struct fake *fake, const char *name, const char *renamed_to)
{
	set_item(fake, name, NULL, renamed_to);
}

void fake_send_delta(struct fake *fake)
{
	struct message_item items[FAKE_ITEMS];
	size_t count = 0;
	for (uint64_t revision = fake->sent + 1; revision <= fake->sequence; revision++) {
		for (size_t i = 0; i < fake->item_count; i++) {
			if ((uint64_t)fake->items[i].revision == revision)
				items[count++] = as_item(&fake->items[i]);
		}
	}
	send_items(fake, MESSAGE_DELTA, fake->sent, items, count);
	fake->sent = fake->sequence;
}

void fake_beat(struct fake *fake)
{
	fake_send(fake, MESSAGE_HEARTBEAT, fake->sent, fake->sequence, (uint32_t)fake->count,
	    "{\"clock_offset_ms\":1234}");
}

void fake_send_reason(struct fake *fake, enum message_type type, const char *code, const char *text)
{
	char *body = xasprintf("{\"code\":\"%s\",\"text\":\"%s\"}", code, text);
	fake_send(fake, type, 0, 0, 0, body);
	free(body);
}

static void on_beat(void *arg)
{
	struct fake *fake = arg;
	timer_set(fake->beat, duration_ms(BEAT_MS));
	if (!fake->is_silent && fake->sent == fake->sequence)
		fake_beat(fake);
}

/* One item a chunk. */
static void send_chunks(struct fake *fake)
{
	uint64_t at = 0;
	for (size_t i = 0; i < fake->item_count; i++) {
		struct message_item item = as_item(&fake->items[i]);
		if (item.resource == NULL)
			continue;
		if (at != 1 || fake->snapshot != SNAPSHOT_WITHOUT_CHUNK)
			send_items(fake, MESSAGE_SNAPSHOT_CHUNK, at, &item, 1);
		if (at == 1 && fake->snapshot == SNAPSHOT_CHUNK_TWICE)
			send_items(fake, MESSAGE_SNAPSHOT_CHUNK, at + 1, &item, 1);
		if (at == 1 && fake->snapshot == SNAPSHOT_WITH_DELTA)
			send_items(fake, MESSAGE_DELTA, fake->sequence - 1,
			    &(struct message_item){
				.name = (char[]){"x"}, .revision = (int64_t)fake->sequence},
			    1);
		at++;
	}
}

static void send_snapshot(struct fake *fake)
{
	uint32_t count = (uint32_t)fake->count + (fake->snapshot == SNAPSHOT_WRONG_COUNT);
	bool is_wrong = fake->snapshot == SNAPSHOT_WRONG_DIGEST;
	if (fake->snapshot != SNAPSHOT_WITHOUT_BEGIN)
		fake_send(fake, MESSAGE_SNAPSHOT_BEGIN, 0, fake->sequence, count, "{}");
	send_chunks(fake);
	fake->digest.bytes[5] ^= is_wrong;
	fake_send(fake, MESSAGE_SNAPSHOT_END, 0, fake->sequence, count, "{}");
	fake->digest.bytes[5] ^= is_wrong;
	fake->sent = fake->sequence;
}

static void on_hello(struct fake *fake, const struct zsock_frame *id, int64_t session)
{
	fake->hellos++;
	fake->session = session;
	fake->id_len = id->len;
	memcpy(fake->id, id->data, id->len);
	if (fake->is_silent)
		return;
	char *text =
	    xasprintf("{\"session\":%lld,\"heartbeat_ms\":%d}", (long long)session, BEAT_MS);
	fake_send(fake, MESSAGE_WELCOME, 0, fake->sequence, (uint32_t)fake->count, text);
	free(text);
	send_snapshot(fake);
}

static void on_ack(struct fake *fake, const struct message_ack *ack)
{
	fake->rejected += (unsigned)ack->rejected_count;
	if (ack->rejected_count == 0)
		return;
	const struct message_rejection *last = &ack->rejected[ack->rejected_count - 1];
	snprintf(fake->rejected_name, sizeof fake->rejected_name, "%s", last->name);
	snprintf(fake->rejected_text, sizeof fake->rejected_text, "%s", last->text);
}

static void on_message(void *arg, const struct zsock_message *message)
{
	struct fake *fake = arg;
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header;
	union message_body body;
	const struct zsock_frame *frames = message->frames;
	assert_int_equal(message->count, 3);
	if (!message_decode_header(
		frames[1].data, frames[1].len, frames[2].data, frames[2].len, &header, error) ||
	    !message_decode_body(&header, frames[2].data, frames[2].len, &body, error))
		fail_msg("%s", error);
	if (header.type == MESSAGE_HELLO)
		on_hello(fake, &frames[0], body.hello.session);
	else if (header.type == MESSAGE_ACK)
		on_ack(fake, &body.ack);
	fake->refreshes += header.type == MESSAGE_REFRESH;
	fake->task_results += header.type == MESSAGE_TASK_RESULT;
	message_body_free(header.type, &body);
}

static void open_fake(struct fake *fake, struct bus_world *world)
{
	char *error = NULL;
	const struct zsock_options options = {.message_max = MESSAGE_HELLO_MAX,
	    .send_queue = 1000,
	    .receive_queue = 64,
	    .on_message = on_message,
	    .arg = fake};
	fake->loop = world->loop;
	fake->group = message_group_id("test");
	fake->epoch = 1000;
	fake->instance = 42;
	fake->context = zsock_context_new(world->loop, NULL, NULL, &error);
	fake->zsock = zsock_bind(fake->context, world->socket, &options, &error);
	if (fake->zsock == NULL)
		fail_msg("%s", error);
	fake->beat = timer_new(world->loop, on_beat, fake);
	timer_set(fake->beat, duration_ms(BEAT_MS));
}

static void close_fake(struct fake *fake)
{
	timer_free(&fake->beat);
	zsock_free(&fake->zsock);
	zsock_context_free(&fake->context);
	for (size_t i = 0; i < fake->item_count; i++)
		free(fake->items[i].resource);
}

/* --- the follower */

static void on_cluster(void *arg, enum directory_event event, const struct kube_cluster *old,
    const struct kube_cluster *now)
{
	struct follower *follower = arg;
	size_t len = strlen(follower->events);
	snprintf(follower->events + len, sizeof follower->events - len, "%c%s ", "+~-"[event],
	    now != NULL ? now->name : old->name);
}

void start_follower(struct follower *follower, bool has_subscriber)
{
	follower->events[0] = '\0';
	follower->metrics = metrics_new();
	follower->directory =
	    directory_new(follower->world.loop, follower->metrics, follower->settings, "main");
	directory_observe(follower->directory, on_cluster, follower);
	if (has_subscriber)
		follower->subscriber = subscriber_new(follower->world.loop, follower->metrics,
		    follower->settings, "main", follower->directory);
}

void stop_follower(struct follower *follower)
{
	subscriber_free(&follower->subscriber);
	directory_free(&follower->directory);
	metrics_free(&follower->metrics);
	bus_run(&follower->world, 5);
}

void restart_follower(struct follower *follower, bool has_subscriber)
{
	stop_follower(follower);
	start_follower(follower, has_subscriber);
}

void open_follower(struct follower *follower, size_t items)
{
	memset(follower, 0, sizeof *follower);
	bus_world_open(&follower->world);
	open_fake(&follower->fake, &follower->world);
	for (size_t i = 0; i < items; i++) {
		char name[32];
		snprintf(name, sizeof name, "c%zu", i);
		fake_put(&follower->fake, name, 0);
	}
	follower->settings = bus_settings(&follower->world);
	follower->cache = xasprintf("%s/main.cache", follower->settings->proxy.cache_dir);
	start_follower(follower, true);
}

void close_follower(struct follower *follower)
{
	stop_follower(follower);
	close_fake(&follower->fake);
	bus_settings_free(&follower->settings);
	bus_world_close(&follower->world);
	free(follower->cache);
}

static bool is_following(void *arg)
{
	const struct follower *follower = arg;
	struct directory_status status = directory_status(follower->directory);
	return !status.is_stale && status.sequence == follower->fake.sequence &&
	       status.clock_offset.ms == 1234 &&
	       message_digest_equal(directory_digest(follower->directory), &follower->fake.digest);
}

void assert_follows(struct follower *follower)
{
	if (!bus_wait(&follower->world, is_following, follower, WAIT_MS))
		fail_msg("it does not follow: sequence %llu, wanted %llu, %u HELLOs",
		    (unsigned long long)directory_status(follower->directory).sequence,
		    (unsigned long long)follower->fake.sequence, follower->fake.hellos);
	/* What it has to say in return. */
	bus_run(&follower->world, 20);
}

struct hello_count {
	const struct fake *fake;
	unsigned wanted;
};

static bool has_hellos(void *arg)
{
	const struct hello_count *count = arg;
	return count->fake->hellos >= count->wanted;
}

bool wait_hello(struct follower *follower, unsigned count)
{
	struct hello_count wanted = {&follower->fake, count};
	return bus_wait(&follower->world, has_hellos, &wanted, WAIT_MS);
}
