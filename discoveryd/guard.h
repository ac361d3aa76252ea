/* The removal guard: more than a share of ten or more clusters is not removed within an hour unless
 * somebody confirms it. Keeps what is held back, and why, for status. */
#ifndef EKSGATE_GUARD_H
#define EKSGATE_GUARD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "discoveryd/registry.h"

#define GUARD_WINDOW_SECONDS 3600
#define GUARD_MIN_CLUSTERS   10

/* Whether `wanted` more removals are too many when `removed` of what is now `present` went within
 * the window. Pure. */
bool guard_refuses(unsigned percent, size_t present, size_t removed, size_t wanted) MUST_USE;

struct guard;

struct guard *guard_new(void) MUST_USE;
void guard_free(struct guard **guard);
/* Takes the removals out of `changes` when they are too many, and holds them under `source` (a
 * scope's id). `is_whole`: the source looked at everything it has, so what it held before is
 * forgotten. Returns how many were taken out. */
size_t guard_filter(struct guard *guard, const char *source, bool is_whole, unsigned percent,
    const struct registry *registry, struct registry_changes *changes);
/* `source` looked at this cluster again: what it held of it is forgotten. */
void guard_release(struct guard *guard, const char *source, const char *arn);
/* Forgets what is held for sources that are no more: its evidence gets no younger. */
void guard_keep_sources(
    struct guard *guard, bool (*is_source)(void *arg, const char *source), void *arg);
/* All that is held, as confirmed removals. It stays held until guard_clear(), when they were
 * committed. */
void guard_confirm(
    const struct guard *guard, const struct registry *registry, struct registry_changes *changes);
void guard_clear(struct guard *guard);
size_t guard_held_count(const struct guard *guard);
/* {percent, window_seconds, removed, held, clusters: [{name, arn, reason, detail, since}], remedy}
 */
struct json_object *guard_to_json(
    const struct guard *guard, unsigned percent, const struct registry *registry) MUST_USE;
/* Why the removal of `arn` is held: "gone: …" (free()), or NULL. */
char *guard_held_text(const struct guard *guard, const char *arn) MUST_USE;

#endif
