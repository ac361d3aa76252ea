/* What the tests of the protobuf filter share: a reader who may see names that begin with "a", but
 * not in namespace "no"; bodies; a run of the filter over one. */
#ifndef EKSGATE_PROTOBUF_STAGE_H
#define EKSGATE_PROTOBUF_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

#define MIB ((size_t)1024 * 1024)
/* Magic and type of a list, before its raw. */
#define LIST_TYPE "k8s\0\x0a\x0d\x0a\x02v1\x12\x07PodList"

/* All of a list in memory, and next to nothing of it. */
extern const struct filter_limits usual, shelved;
/* Emits into a buf; what is put away is on a shelf of that many bytes, emptied by run(). */
extern const struct filter_events stage_events;
extern size_t stage_shelf_max;
bool stage_may_read(void *arg, const char *namespace, const char *name);

/* What is emitted replaces `out`, and of a list nothing was before its end. The problem; NULL: it
 * went well. */
const char *run_in_pieces(enum filter_body body, const struct filter_limits *limits,
    const struct buf *in, size_t piece, struct buf *out, struct filter_result *result);
const char *run(enum filter_body body, const struct filter_limits *limits, const struct buf *in,
    struct buf *out, struct filter_result *result);

/* An item of a list, its metadata, and an event about a Pod. */
void put_item(struct buf *list, const char *namespace, const char *name, size_t padding);
void put_list_meta(struct buf *list);
void put_named_event(struct buf *out, const char *type, const char *namespace, const char *name);
/* A mixed list of 40, and in `wanted` the same with the 10 that may be read. */
void put_mixed(struct buf *in, struct buf *wanted);
void assert_same(const struct buf *a, const struct buf *b);

#endif
