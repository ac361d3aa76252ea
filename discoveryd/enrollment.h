/* Where looking meets keeping: takes what a pass saw, has it reconciled, lets the guard look at the
 * removals, commits, and tells the log. Owns the guard; uses the registry and the discovery of the
 * daemon. */
#ifndef EKSGATE_ENROLLMENT_H
#define EKSGATE_ENROLLMENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct cluster_item;
struct discovery;
struct discovery_metrics;
struct enrollment;
struct guard;
struct look;
struct loop;
struct registry;
struct scope;
struct settings;
struct sweep_result;

/* `group` is the discovery group that this process publishes for. */
struct enrollment *enrollment_new(struct loop *loop, struct registry *registry,
    struct discovery_metrics *metrics, const char *group) MUST_USE;
void enrollment_free(struct enrollment **enrollment);
/* Before any other call, and at each reload; the settings are borrowed until the next call. The
 * discovery may be NULL while there is none. */
void enrollment_configure(
    struct enrollment *enrollment, struct discovery *discovery, const struct settings *settings);

/* Asked before a cluster that still exists is removed: true keeps it, as "removing", until it is
 * asked again at the next look. */
typedef bool enrollment_hold_fn(void *arg, const struct cluster_item *item);
void enrollment_on_removal(struct enrollment *enrollment, enrollment_hold_fn *fn, void *arg);
/* Sets status.access of a cluster, at the end of this turn. */
void enrollment_set_access(struct enrollment *enrollment, const char *arn, const char *text);

/* A discovery_swept_fn without its argument. */
bool enrollment_take(struct enrollment *enrollment, struct scope *scope,
    const struct sweep_result *result, char **error) MUST_USE;
/* What discovery may rely on instead of describing the cluster again: its last look, as long as it
 * fits what is registered. NULL: describe it. Borrowed until the end of the turn. */
const struct look *enrollment_recall(
    const struct enrollment *enrollment, const struct scope *scope, const char *name) MUST_USE;
/* Scopes came or went: looks for orphans soon. */
void enrollment_scopes_changed(struct enrollment *enrollment);
/* Commits what the guard holds back. False with *error (free()). */
bool enrollment_confirm(struct enrollment *enrollment, size_t *removed, char **error) MUST_USE;

/* Removes the cluster of that name now, which no scope can see: an orphan before its grace time is
 * over, or one whose scopes all fail. False: nothing changed, *error says why (free()); *is_known:
 * there is such a cluster. */
bool enrollment_forget(
    struct enrollment *enrollment, const char *name, bool *is_known, char **error) MUST_USE;
const struct guard *enrollment_guard(const struct enrollment *enrollment);
/* Why the last change could not be recorded; NULL when it was. */
const char *enrollment_error(const struct enrollment *enrollment);

#endif
