/* The recordings of an instance: where they are kept, for how long, and the one way in which it is
 * told that something could not be. */
#ifndef EKSGATE_RECORDINGS_H
#define EKSGATE_RECORDINGS_H

#include <bsd/sys/queue.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/record/audit_id.h"

struct loop;
struct metrics;
struct recordings;
struct settings;

/* Borrowed. */
struct recordings_options {
	struct loop *loop;
	struct metrics *metrics;
	const struct settings *settings;
	const char *instance;
};

/* Ends what a crash left behind, and deletes what is beyond the limits, soon. */
struct recordings *recordings_new(const struct recordings_options *options) MUST_USE;
/* No recording is open any more; waits until all are on the disk. */
void recordings_free(struct recordings **recordings);
/* After SIGHUP; open recordings stay where they are. */
void recordings_set(struct recordings *recordings, const struct settings *settings);

/* What of a session is not recorded although a role asks for it: the log and a metric. `kind` is
 * "open", "write", "size" or "protocol". */
void recordings_tell_failure(
    struct recordings *recordings, const char *session, const char *kind, const char *problem);

/* --- for recording.c ------------------------------------------------------------------------- */

struct recording;

struct recording_link {
	struct recording *recording;
	TAILQ_ENTRY(recording_link) entry;
};

const struct settings *recordings_settings(const struct recordings *recordings);
const char *recordings_instance(const struct recordings *recordings);
/* Live ones are flushed every second. */
void recordings_add(struct recordings *recordings, struct recording_link *link);
void recordings_remove(struct recordings *recordings, struct recording_link *link);
/* A complete file of so many bytes reaches the disk and its kept name in the background. Takes both
 * descriptors. */
void recordings_keep(struct recordings *recordings, int directory, int file,
    const char id[AUDIT_ID_TEXT], uint64_t bytes);

#endif
