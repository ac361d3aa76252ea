/* The recordings of an instance: where they are kept, for how long, and the one way in which it is
 * told that something could not be. */
#ifndef EKSGATE_RECORDINGS_H
#define EKSGATE_RECORDINGS_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/record/audit_id.h"

struct loop;
struct metrics;
struct recording_queue;
struct recordings;
struct settings;

/* Borrowed. */
struct recordings_options {
	struct loop *loop;
	struct metrics *metrics;
	const struct settings *settings;
	const char *instance;
	/* A file that was called whole may not be on the disk: `id` is its session's. */
	void (*on_not_kept)(void *arg, const char *id, const char *problem); /* NULL: nobody asks */
	void *arg;
	struct duration sweep_every; /* where nothing else makes it look; 0: ten minutes */
};

/* Ends what a crash left behind, and deletes what is beyond the limits, soon. */
struct recordings *recordings_new(const struct recordings_options *options) MUST_USE;
/* No session is recorded any more; waits until all are on the disk, though not for ever for one
 * that does not answer: that is told. */
void recordings_free(struct recordings **recordings);
/* Stands still until nothing waits for the disk. False: it took longer. */
bool recordings_settle(struct recordings *recordings, struct duration patience) MUST_USE;
/* After SIGHUP; open recordings stay where they are. */
void recordings_set(struct recordings *recordings, const struct settings *settings);

/* What of a session is not recorded although a role asks for it: the log and a metric. `kind` is
 * "open", "write", "stalled", "size" or "protocol". */
void recordings_tell_failure(
    struct recordings *recordings, const char *session, const char *kind, const char *problem);

/* --- for recording.c ------------------------------------------------------------------------- */

struct recording;

struct recording_link {
	struct recording *recording;
	TAILQ_ENTRY(recording_link) entry;
	TAILQ_ENTRY(recording_link) full_entry;
};

const struct settings *recordings_settings(const struct recordings *recordings);
/* Where they are kept, as long as there are any. */
const char *recordings_directory(const struct recordings *recordings);
const char *recordings_instance(const struct recordings *recordings);
struct recording_queue *recordings_queue(const struct recordings *recordings);
/* Until it is removed it gets recording_tick(). */
void recordings_add(struct recordings *recordings, struct recording_link *link);
void recordings_remove(struct recordings *recordings, struct recording_link *link);
/* It waits for room: gets recording_wake() when another made some. */
void recordings_note_full(struct recordings *recordings, struct recording_link *link, bool is_full);
void recordings_wake(struct recordings *recordings);
/* A complete file of so many bytes reaches the disk and its kept name in the background. Takes both
 * descriptors. `is_told`: that it is not whole is told already. */
void recordings_keep(struct recordings *recordings, int directory, int file,
    const char id[AUDIT_ID_TEXT], uint64_t bytes, bool is_told);

#endif
