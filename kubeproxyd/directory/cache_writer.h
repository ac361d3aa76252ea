/* Writes the cache file beside the loop, which waits for no disk. One job at a time. */
#ifndef EKSGATE_CACHE_WRITER_H
#define EKSGATE_CACHE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

struct cache_writer;
struct loop;

/* In the loop: it was saved (`error` 0), or not (errno). */
typedef void cache_writer_fn(void *arg, int error);

struct cache_writer *cache_writer_new(
    struct loop *loop, const char *path, cache_writer_fn *on_saved, void *arg) MUST_USE;
/* A job is under way. */
bool cache_writer_is_busy(const struct cache_writer *writer) MUST_USE;
/* For how long one has been. */
struct duration cache_writer_silence(const struct cache_writer *writer) MUST_USE;
/* Not while it is busy. Takes the text of cache_make(); on_saved() follows. */
void cache_writer_save(struct cache_writer *writer, char *text, size_t len);
/* Only the time. While it is busy: nothing. */
void cache_writer_touch(struct cache_writer *writer, struct unix_time fresh_at);
/* Stands still until it is not busy. False: it took longer. */
bool cache_writer_wait(struct cache_writer *writer, struct duration patience) MUST_USE;
/* Waits. False: it took longer, and what is under way is left to itself. */
bool cache_writer_free(struct cache_writer **writer, struct duration patience) MUST_USE;

#endif
