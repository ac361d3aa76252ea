/* Takes the objects that may not be read out of Kubernetes' protobuf: lists
 * (application/vnd.kubernetes.protobuf) and watches (with ;stream=watch), as the bytes come. Pure:
 * see filter.h, which chooses it by content type.
 *
 * The length of a list stands before its items. What is left of a list is therefore held until its
 * end or until it is limits.held_max bytes: a list that is no longer than that leaves with its
 * true length. A longer one is announced as long as what is held and all that is still to come, and
 * what is then taken out is made up for: by fields that no list has, of zeroes and one length,
 * which every decoder of protobuf skips. So a long list says how many bytes were taken out of its
 * rest, and neither how many objects nor of what length each. */
#ifndef EKSGATE_PROTOBUF_FILTER_H
#define EKSGATE_PROTOBUF_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

/* A field number that no list of Kubernetes has, in one byte with its wire type. */
#define PROTOBUF_FILLER_FIELD 15u

struct protobuf_filter;

/* `events` are borrowed. */
struct protobuf_filter *protobuf_filter_new(enum filter_body body,
    const struct filter_limits *limits, const struct filter_events *events, void *arg) MUST_USE;
/* False: what came cannot be read, and nothing more is emitted. */
bool protobuf_filter_feed(struct protobuf_filter *filter, const uint8_t *data, size_t len) MUST_USE;
/* False: the body was not complete. */
bool protobuf_filter_end(struct protobuf_filter *filter) MUST_USE;
/* Borrowed. */
const struct filter_result *protobuf_filter_result(const struct protobuf_filter *filter);
size_t protobuf_filter_memory(const struct protobuf_filter *filter) MUST_USE;
/* Appends a frame: the event that ends a watch, so that another is begun with a new list. */
void protobuf_filter_write_expired(struct buf *out);
void protobuf_filter_free(struct protobuf_filter **filter);

#endif
