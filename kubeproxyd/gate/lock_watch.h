/* Follows the file of locks: a change counts within a second, in every instance. */
#ifndef EKSGATE_LOCK_WATCH_H
#define EKSGATE_LOCK_WATCH_H

#include "common/attr.h"

struct lock_watch;
struct locks;
struct loop;
struct metrics;

/* The locks are others than before. */
typedef void lock_watch_fn(void *arg);

/* Everything is borrowed. Never calls back inside this call. */
struct lock_watch *lock_watch_new(struct loop *loop, struct metrics *metrics, const char *path,
    lock_watch_fn *fn, void *arg) MUST_USE;
void lock_watch_free(struct lock_watch **watch);
/* After a reload: the path, which may be another. */
void lock_watch_set(struct lock_watch *watch, const char *path);
/* What holds now; borrowed until the loop's next turn. */
const struct locks *lock_watch_now(const struct lock_watch *watch);

#endif
