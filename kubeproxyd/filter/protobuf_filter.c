/* The filter of Kubernetes' protobuf: lists and watches have a reader each, and one way out. Called
 * by filter.c. */
#include "kubeproxyd/filter/protobuf_filter.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/filter/protobuf_list.h"
#include "kubeproxyd/filter/protobuf_watch.h"

struct protobuf_filter {
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
	filter->out =
	    (struct protobuf_out){.events = events, .arg = arg, .held_max = limits->held_max};
	filter->list = (struct protobuf_list){
	    .limits = limits, .out = &filter->out, .result = &filter->result};
	filter->watch = (struct protobuf_watch){
	    .limits = limits, .out = &filter->out, .result = &filter->result};
	return filter;
}

bool protobuf_filter_feed(struct protobuf_filter *filter, const uint8_t *data, size_t len)
{
	if (filter->result.problem != NULL)
		return false;
	if (filter->body == FILTER_WATCH)
		protobuf_watch_feed(&filter->watch, data, len);
	else
		protobuf_list_feed(&filter->list, data, len);
	if (filter->result.problem == NULL)
		protobuf_out_flush(&filter->out);
	return filter->result.problem == NULL;
}

bool protobuf_filter_end(struct protobuf_filter *filter)
{
	bool is_whole = filter->body == FILTER_WATCH ? protobuf_watch_is_whole(&filter->watch)
						     : protobuf_list_is_whole(&filter->list);
	if (filter->result.problem == NULL && !is_whole)
		filter->result.problem = "it ends too early";
	return filter->result.problem == NULL;
}

const struct filter_result *protobuf_filter_result(const struct protobuf_filter *filter)
{
	return &filter->result;
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
