/* The filter of Kubernetes' protobuf: lists and watches have a reader each, and one way out. Called
 * by filter.c. */
#include "kubeproxyd/filter/protobuf_filter.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/filter/protobuf_list.h"
#include "kubeproxyd/filter/protobuf_watch.h"
#include "kubeproxyd/policy/protobuf.h"

/* metav1.Status, metav1.WatchEvent and runtime.RawExtension */
enum { STATUS_METADATA = 1, STATUS_STATUS, STATUS_MESSAGE, STATUS_REASON, STATUS_CODE = 6 };
enum { EVENT_TYPE = 1, EVENT_OBJECT };
enum { EXTENSION_RAW = 1 };

struct protobuf_filter {
	struct filter_limits limits;
	enum filter_body body;
	struct filter_result result;
	struct protobuf_out out;
	struct protobuf_list list;
	struct protobuf_watch watch;
};

struct protobuf_filter *protobuf_filter_new(enum filter_body body,
    const struct filter_limits *limits, const struct filter_events *events, void *arg)
{
	struct protobuf_filter *filter = xcalloc(1, sizeof *filter);
	filter->body = body;
	filter->limits = *limits;
	filter->out =
	    (struct protobuf_out){.events = events, .arg = arg, .held_max = limits->held_max};
	filter->list = (struct protobuf_list){
	    .limits = &filter->limits, .out = &filter->out, .result = &filter->result};
	filter->watch = (struct protobuf_watch){
	    .limits = &filter->limits, .out = &filter->out, .result = &filter->result};
	return filter;
}

/* A list is held until its end; anything else while it is not known to be none. */
static bool may_leave(const struct protobuf_filter *filter)
{
	if (filter->body == FILTER_WATCH)
		return true;
	return filter->list.has_raw && filter->out.place == PROTOBUF_OUTSIDE;
}

/* What could not be put away, or fetched. */
static bool fail_holding(struct protobuf_filter *filter)
{
	filter->result.problem = "what is left of it cannot be held until its end";
	filter->result.is_unheld = true;
	return false;
}

bool protobuf_filter_feed(struct protobuf_filter *filter, const uint8_t *data, size_t len)
{
	if (filter->result.problem != NULL)
		return false;
	if (filter->body == FILTER_WATCH)
		protobuf_watch_feed(&filter->watch, data, len);
	else
		protobuf_list_feed(&filter->list, data, len);
	if (filter->result.problem == NULL && filter->out.is_refused)
		return fail_holding(filter);
	if (filter->result.problem == NULL && may_leave(filter))
		protobuf_out_flush(&filter->out);
	return filter->result.problem == NULL;
}

bool protobuf_filter_end(struct protobuf_filter *filter)
{
	bool is_whole = filter->body == FILTER_WATCH ? protobuf_watch_is_whole(&filter->watch)
						     : protobuf_list_is_whole(&filter->list);
	if (filter->result.problem == NULL && !is_whole)
		filter->result.problem = "it ends too early";
	if (filter->result.problem == NULL)
		protobuf_out_finish(&filter->out);
	return filter->result.problem == NULL;
}

bool protobuf_filter_next(struct protobuf_filter *filter, size_t *len)
{
	*len = 0;
	if (filter->result.problem != NULL)
		return false;
	return protobuf_out_next(&filter->out, len) || fail_holding(filter);
}

const struct filter_result *protobuf_filter_result(const struct protobuf_filter *filter)
{
	return &filter->result;
}

size_t protobuf_filter_memory(const struct protobuf_filter *filter)
{
	return sizeof *filter + filter->out.pending.cap + filter->out.held.cap +
	       filter->out.behind.cap + filter->list.gathered.cap + filter->watch.gathered.cap;
}

static void write_status(struct buf *out)
{
	protobuf_add_bytes(out, STATUS_METADATA, "", 0);
	protobuf_add_text(out, STATUS_STATUS, "Failure");
	protobuf_add_text(out, STATUS_MESSAGE, FILTER_EXPIRED);
	protobuf_add_text(out, STATUS_REASON, "Expired");
	protobuf_add_number(out, STATUS_CODE, 410);
}

void protobuf_filter_write_expired(struct buf *out)
{
	struct buf status = {0}, object = {0}, extension = {0}, event = {0};
	write_status(&status);
	protobuf_wrap(&object, "v1", "Status", &status);
	protobuf_add_bytes(&extension, EXTENSION_RAW, object.data, object.len);
	protobuf_add_text(&event, EVENT_TYPE, "ERROR");
	protobuf_add_bytes(&event, EVENT_OBJECT, extension.data, extension.len);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_append_char(out, (char)(event.len >> shift));
	buf_append(out, event.data, event.len);
	buf_free(&status);
	buf_free(&object);
	buf_free(&extension);
	buf_free(&event);
}

void protobuf_filter_free(struct protobuf_filter **filter)
{
	if (*filter == NULL)
		return;
	protobuf_out_free(&(*filter)->out);
	protobuf_list_free(&(*filter)->list);
	protobuf_watch_free(&(*filter)->watch);
	free(*filter);
	*filter = NULL;
}
