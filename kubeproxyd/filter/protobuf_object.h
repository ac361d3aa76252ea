/* Whether one object in protobuf may be seen. Pure. */
#ifndef EKSGATE_PROTOBUF_OBJECT_H
#define EKSGATE_PROTOBUF_OBJECT_H

#include "common/attr.h"
#include "kubeproxyd/filter/filter.h"
#include "kubeproxyd/policy/protobuf.h"

enum protobuf_verdict { PROTOBUF_PASSED, PROTOBUF_DROPPED, PROTOBUF_UNREADABLE };

/* `object` is the message itself, without an envelope. Unreadable is whatever a decoder could take
 * for another object: a name that is missing, no UTF-8 or there twice. */
enum protobuf_verdict protobuf_object_judge(
    struct protobuf object, const struct filter_events *events, void *arg) MUST_USE;
/* The same for the WatchEvent in a frame. What says nothing about an object (bookmarks, errors)
 * passes. */
enum protobuf_verdict protobuf_event_judge(
    struct protobuf event, const struct filter_events *events, void *arg) MUST_USE;

static inline void protobuf_verdict_count(
    struct filter_result *result, enum protobuf_verdict verdict)
{
	result->passed += verdict == PROTOBUF_PASSED;
	result->dropped += verdict == PROTOBUF_DROPPED;
	result->unreadable += verdict == PROTOBUF_UNREADABLE;
}

/* Compares bytes with a text. */
bool protobuf_is(struct protobuf bytes, const char *text) MUST_USE;

#endif
