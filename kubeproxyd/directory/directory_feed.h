/* How the subscriber feeds the directory. Whatever it is fed, the digest and the sequence follow
 * the bus; an item that cannot be read is told to `reject` and keeps serving its earlier version.
 */
#ifndef EKSGATE_DIRECTORY_FEED_H
#define EKSGATE_DIRECTORY_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "kubeproxyd/directory/directory_table.h"

typedef void directory_reject_fn(void *arg, const char *name, int64_t revision, const char *text);

/* The whole table at `sequence`: what is not in it is removed. *table becomes the directory's. */
void directory_replace(struct directory *directory, struct directory_table **table, uint64_t epoch,
    int64_t sequence, directory_reject_fn *reject, void *arg);
/* What changed up to `sequence`, continuing what is there. */
void directory_apply(struct directory *directory, const struct message_item *items, size_t count,
    int64_t sequence, directory_reject_fn *reject, void *arg);
/* Discoveryd says that this is the state of things; it says so every `heartbeat`. */
void directory_confirm(struct directory *directory, struct duration heartbeat);
void directory_set_clock_offset(struct directory *directory, struct duration offset);
const struct message_digest *directory_digest(const struct directory *directory);

#endif
