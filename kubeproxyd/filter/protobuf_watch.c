/* The reader of a watch in protobuf. A frame is judged when all of it is there; one that is too
 * long for that is skipped. Called by protobuf_filter.c. */
#include "kubeproxyd/filter/protobuf_watch.h"

#include <string.h>

#include "kubeproxyd/filter/protobuf_object.h"

static void begin_frame(struct protobuf_watch *watch)
{
	const uint8_t *head = watch->head;
	watch->left =
	    (uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3];
	watch->is_too_long = watch->left > watch->limits->item_max;
}

static void judge(struct protobuf_watch *watch, const uint8_t *data, size_t len)
{
	struct protobuf event = {.at = data, .len = len};
	enum protobuf_verdict verdict =
	    protobuf_event_judge(event, watch->out->events, watch->out->arg);
	protobuf_verdict_count(watch->result, verdict);
	if (verdict != PROTOBUF_PASSED)
		return;
	protobuf_out_add(watch->out, watch->head, sizeof watch->head);
	protobuf_out_add(watch->out, data, len);
}

static void end_frame(struct protobuf_watch *watch, const uint8_t *data, size_t len)
{
	if (watch->is_too_long)
		watch->result->unreadable++;
	else
		judge(watch, data, len);
	watch->head_read = 0;
	carry_free(&watch->gathered); /* most watches are idle for long */
}

static size_t read_head(struct protobuf_watch *watch, const uint8_t *data, size_t len)
{
	size_t want = sizeof watch->head - watch->head_read;
	size_t part = len < want ? len : want;
	memcpy(watch->head + watch->head_read, data, part);
	watch->head_read += part;
	if (watch->head_read == sizeof watch->head)
		begin_frame(watch);
	return part;
}

static size_t read_frame(struct protobuf_watch *watch, const uint8_t *data, size_t len)
{
	size_t part = len < watch->left ? len : (size_t)watch->left;
	bool is_whole = part == watch->left && watch->gathered.len == 0;
	watch->left -= part;
	if (!is_whole && !watch->is_too_long)
		carry_append(&watch->gathered, data, part);
	if (watch->left > 0)
		return part;
	if (is_whole)
		end_frame(watch, data, part);
	else
		end_frame(watch, watch->gathered.data, watch->gathered.len);
	return part;
}

void protobuf_watch_feed(struct protobuf_watch *watch, const uint8_t *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		bool is_head = watch->head_read < sizeof watch->head;
		at += is_head ? read_head(watch, data + at, len - at)
			      : read_frame(watch, data + at, len - at);
		if (watch->head_read == sizeof watch->head && watch->left == 0)
			end_frame(watch, NULL, 0);
	}
}

bool protobuf_watch_is_whole(const struct protobuf_watch *watch)
{
	return watch->head_read == 0;
}

void protobuf_watch_free(struct protobuf_watch *watch)
{
	carry_free(&watch->gathered);
}
