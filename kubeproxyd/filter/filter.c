/* Chooses who can read an answer, and unpacks before and packs behind it when it is compressed.
 * Called by exchange_filter.c. */
#include "kubeproxyd/filter/filter.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/filter/carry.h"
#include "kubeproxyd/filter/gzip.h"
#include "kubeproxyd/filter/json_filter.h"
#include "kubeproxyd/filter/protobuf_filter.h"

/* Bytes that are unpacked, or fetched, in one call: some milliseconds. */
#define TURN_MAX ((size_t)1024 * 1024)

/* Whoever reads one format; `object` is its own. */
struct reader {
	const char *media_type;
	void *(*new)(enum filter_body body, const struct filter_limits *limits,
	    const struct filter_events *events, void *arg);
	void (*free)(void *object);
	bool (*feed)(void *object, const uint8_t *data, size_t len);
	bool (*end)(void *object);
	bool (*next)(void *object, size_t *len); /* of what is held to the end; NULL: nothing */
	const struct filter_result *(*result)(const void *object);
	size_t (*memory)(const void *object);
	void (*write_expired)(struct buf *out); /* the event that says so */
};

struct filter {
	const struct reader *reader;
	void *object;
	enum filter_body body;
	struct filter_events events;
	void *arg;
	struct filter_result result; /* the reader's, or what is wrong with the packing */
	/* Only when it is packed: */
	struct gunzip *gunzip;
	struct gzip *gzip;
	struct carry input; /* what was fed while it is paused */
	bool has_packed; /* something that is not flushed yet */
	bool is_paused;
	bool has_ended, is_done; /* what came; what leaves */
};

/* --- readers --------------------------------------------------------------------------------- */

static void *new_json(enum filter_body body, const struct filter_limits *limits,
    const struct filter_events *events, void *arg)
{
	return json_filter_new(body, limits, events, arg);
}

static void free_json(void *object)
{
	struct json_filter *filter = object;
	json_filter_free(&filter);
}

static bool feed_json(void *object, const uint8_t *data, size_t len)
{
	return json_filter_feed(object, data, len);
}

static bool end_json(void *object)
{
	return json_filter_end(object);
}

static const struct filter_result *result_of_json(const void *object)
{
	return json_filter_result(object);
}

static size_t memory_of_json(const void *object)
{
	return json_filter_memory(object);
}

static void write_expired_json(struct buf *out)
{
	buf_append_text(out,
	    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
	    "\"metadata\":{},\"status\":\"Failure\",\"message\":\"" FILTER_EXPIRED "\","
	    "\"reason\":\"Expired\",\"code\":410}}\n");
}

static void *new_protobuf(enum filter_body body, const struct filter_limits *limits,
    const struct filter_events *events, void *arg)
{
	return protobuf_filter_new(body, limits, events, arg);
}

static void free_protobuf(void *object)
{
	struct protobuf_filter *filter = object;
	protobuf_filter_free(&filter);
}

static bool feed_protobuf(void *object, const uint8_t *data, size_t len)
{
	return protobuf_filter_feed(object, data, len);
}

static bool end_protobuf(void *object)
{
	return protobuf_filter_end(object);
}

static bool next_protobuf(void *object, size_t *len)
{
	return protobuf_filter_next(object, len);
}

static const struct filter_result *result_of_protobuf(const void *object)
{
	return protobuf_filter_result(object);
}

static size_t memory_of_protobuf(const void *object)
{
	return protobuf_filter_memory(object);
}

static const struct reader readers[] = {
    {.media_type = "application/json",
	.new = new_json,
	.free = free_json,
	.feed = feed_json,
	.end = end_json,
	.result = result_of_json,
	.memory = memory_of_json,
	.write_expired = write_expired_json},
    {.media_type = "application/vnd.kubernetes.protobuf",
	.new = new_protobuf,
	.free = free_protobuf,
	.feed = feed_protobuf,
	.end = end_protobuf,
	.next = next_protobuf,
	.result = result_of_protobuf,
	.memory = memory_of_protobuf,
	.write_expired = protobuf_filter_write_expired},
};

static const struct reader *find_reader(const char *media_type)
{
	size_t len = strcspn(media_type, "; \t");
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
		if (strlen(readers[i].media_type) == len &&
		    strncasecmp(readers[i].media_type, media_type, len) == 0)
			return &readers[i];
	}
	return NULL;
}

bool filter_can_read(const char *media_type)
{
	return find_reader(media_type) != NULL;
}

/* --- what is packed -------------------------------------------------------------------------- */

static void pack(struct filter *filter, const uint8_t *data, size_t len, enum gzip_flush flush)
{
	gzip_put(filter->gzip, data, len, flush, filter->events.emit, filter->arg);
	filter->has_packed = flush == GZIP_GATHER;
}

static bool may_read(void *arg, const char *namespace, const char *name)
{
	struct filter *filter = arg;
	return filter->events.may_read(filter->arg, namespace, name);
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	struct filter *filter = arg;
	if (filter->gzip != NULL)
		pack(filter, data, len, GZIP_GATHER);
	else
		filter->events.emit(filter->arg, data, len);
}

static bool put_away(void *arg, const uint8_t *data, size_t len)
{
	struct filter *filter = arg;
	return filter->events.put_away != NULL && filter->events.put_away(filter->arg, data, len);
}

static bool fetch(void *arg, uint8_t *data, size_t len)
{
	struct filter *filter = arg;
	return filter->events.fetch(filter->arg, data, len);
}

static bool fail(struct filter *filter, const char *problem)
{
	filter->result = *filter->reader->result(filter->object);
	filter->result.problem = problem;
	return false;
}

static bool fail_reading(struct filter *filter)
{
	filter->result = *filter->reader->result(filter->object);
	return false;
}

/* Whoever watches waits for what was packed of the events so far. */
static void flush_events(struct filter *filter)
{
	if (filter->body == FILTER_WATCH && filter->has_packed)
		pack(filter, NULL, 0, GZIP_AT_ONCE);
}

/* Until *data is used up, or it is paused. */
static bool unpack(struct filter *filter, const uint8_t **data, size_t *len)
{
	uint8_t out[GZIP_PIECE];
	size_t out_len, unpacked = 0;
	while (!filter->is_paused) {
		switch (gunzip_next(filter->gunzip, data, len, out, &out_len)) {
		case GUNZIP_BAD:
			return fail(filter, "its compression cannot be read");
		case GUNZIP_WAITS:
			flush_events(filter);
			return true;
		case GUNZIP_OUT:
			if (!filter->reader->feed(filter->object, out, out_len))
				return fail_reading(filter);
			unpacked += out_len;
			filter->is_paused |= unpacked >= TURN_MAX;
		}
	}
	flush_events(filter);
	return true;
}

static bool feed_packed(struct filter *filter, const uint8_t *data, size_t len)
{
	if (filter->input.len > 0 || filter->is_paused) {
		carry_append(&filter->input, data, len);
		return true;
	}
	if (!unpack(filter, &data, &len))
		return false;
	carry_append(&filter->input, data, len);
	return true;
}

/* --- the end --------------------------------------------------------------------------------- */

static void finish(struct filter *filter)
{
	if (!filter->is_done && filter->gzip != NULL)
		pack(filter, NULL, 0, GZIP_FINISH);
	filter->is_done = true;
}

/* What was held to the end, until that is all, or it is paused. */
static bool let_go(struct filter *filter)
{
	size_t len = 0, sent = 0;
	if (filter->reader->next == NULL) {
		finish(filter);
		return true;
	}
	filter->is_paused = false;
	while (!filter->is_paused) {
		if (!filter->reader->next(filter->object, &len))
			return fail_reading(filter);
		if (len == 0) {
			finish(filter);
			return true;
		}
		sent += len;
		filter->is_paused |= sent >= TURN_MAX;
	}
	return true;
}

/* --- public ---------------------------------------------------------------------------------- */

struct filter *filter_new(enum filter_body body, const char *content_type,
    const char *content_encoding, const struct filter_limits *limits,
    const struct filter_events *events, void *arg)
{
	static const struct filter_events own = {may_read, emit, put_away, fetch};
	const struct reader *reader = find_reader(content_type);
	bool is_packed = content_encoding != NULL && strcasecmp(content_encoding, "gzip") == 0;
	bool is_plain = content_encoding == NULL || strcasecmp(content_encoding, "identity") == 0;
	if (reader == NULL || (!is_packed && !is_plain))
		return NULL;
	struct filter *filter = xcalloc(1, sizeof *filter);
	filter->reader = reader;
	filter->body = body;
	filter->events = *events;
	filter->arg = arg;
	filter->object = reader->new (body, limits, &own, filter);
	if (is_packed) {
		filter->gunzip = gunzip_new();
		filter->gzip = gzip_new();
	}
	return filter;
}

void filter_free(struct filter **filter)
{
	if (*filter == NULL)
		return;
	(*filter)->reader->free((*filter)->object);
	gunzip_free(&(*filter)->gunzip);
	gzip_free(&(*filter)->gzip);
	carry_free(&(*filter)->input);
	xfree(filter);
}

bool filter_feed(struct filter *filter, const uint8_t *data, size_t len)
{
	if (filter->result.problem != NULL)
		return false;
	if (filter->gunzip != NULL)
		return feed_packed(filter, data, len);
	return filter->reader->feed(filter->object, data, len) || fail_reading(filter);
}

bool filter_end(struct filter *filter)
{
	if (filter->result.problem != NULL)
		return false;
	bool is_cut = filter->gunzip != NULL &&
		      (filter->input.len > 0 || !gunzip_is_complete(filter->gunzip));
	if (is_cut)
		return fail(filter, "it is not complete");
	if (!filter->has_ended && !filter->reader->end(filter->object))
		return fail_reading(filter);
	filter->has_ended = true;
	return let_go(filter);
}

bool filter_is_done(const struct filter *filter)
{
	return filter->is_done;
}

void filter_pause(struct filter *filter)
{
	filter->is_paused = filter->gunzip != NULL || filter->has_ended;
}

bool filter_resume(struct filter *filter)
{
	filter->is_paused = false;
	if (filter->gunzip == NULL || filter->result.problem != NULL)
		return filter->result.problem == NULL;
	const uint8_t *data = filter->input.data;
	size_t len = filter->input.len;
	bool is_sound = unpack(filter, &data, &len);
	carry_consume(&filter->input, filter->input.len - len);
	return is_sound;
}

bool filter_is_paused(const struct filter *filter)
{
	return filter->is_paused;
}

void filter_close(struct filter *filter)
{
	if (filter->gzip != NULL && filter->result.problem == NULL)
		pack(filter, NULL, 0, GZIP_FINISH);
}

void filter_expire(struct filter *filter)
{
	struct buf event = {0};
	if (filter->result.problem != NULL)
		return;
	filter->reader->write_expired(&event);
	emit(filter, (const uint8_t *)event.data, event.len);
	buf_free(&event);
}

const struct filter_result *filter_result(const struct filter *filter)
{
	return filter->result.problem != NULL ? &filter->result
					      : filter->reader->result(filter->object);
}

size_t filter_memory(const struct filter *filter)
{
	size_t packing = filter->gzip != NULL ? GZIP_MEMORY + filter->input.cap : 0;
	return sizeof *filter + filter->reader->memory(filter->object) + packing;
}
