/* Takes the objects that may not be read out of Kubernetes' protobuf: lists
 * (application/vnd.kubernetes.protobuf) and watches (with ;stream=watch), as the bytes come. Pure:
 * see filter.h, which chooses it by content type.
 *
 * The length of a list stands before its items. What is left of a list is therefore held until its
 * end, in memory up to limits.held_max bytes, the rest where filter_events.put_away() puts it: it
 * leaves with its true length, and nothing of it before all of it was read. So a list tells nothing
 * of what was taken out of it, and one that breaks can still be answered with a sentence. Watches
 * leave event by event. */
#ifndef EKSGATE_PROTOBUF_FILTER_H
#define EKSGATE_PROTOBUF_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

struct protobuf_filter;

/* `events` are borrowed. */
struct protobuf_filter *protobuf_filter_new(enum filter_body body,
    const struct filter_limits *limits, const struct filter_events *events, void *arg) MUST_USE;
/* False: what came cannot be read, and nothing more is emitted. */
bool protobuf_filter_feed(struct protobuf_filter *filter, const uint8_t *data, size_t len) MUST_USE;
/* False: the body was not complete. */
bool protobuf_filter_end(struct protobuf_filter *filter) MUST_USE;
/* After that, until *len is 0: emits the next piece of what was held, of *len bytes. False: it
 * cannot be fetched. */
bool protobuf_filter_next(struct protobuf_filter *filter, size_t *len) MUST_USE;
/* Borrowed. */
const struct filter_result *protobuf_filter_result(const struct protobuf_filter *filter);
size_t protobuf_filter_memory(const struct protobuf_filter *filter) MUST_USE;
/* Appends a frame: the event that ends a watch, so that another is begun with a new list. */
void protobuf_filter_write_expired(struct buf *out);
void protobuf_filter_free(struct protobuf_filter **filter);

#endif
