/* The recording of one session: a file that holds its streams as asciicast v2. Whoever records
 * decides what a failure means; it is told in any case. */
#ifndef EKSGATE_RECORDING_H
#define EKSGATE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/record/audit_id.h"
#include "kubeproxyd/record/cast_writer.h"

struct recording;
struct recordings;

/* Nothing more is written from here on: `problem` is a sentence for people, borrowed. Called at
 * most once, from recording_flush(): recording_add() returns it instead. */
typedef void recording_failed_fn(void *arg, const char *problem);

/* Makes its file, before anything else happens. NULL: *problem is a sentence for people (free()).
 */
struct recording *recording_open(struct recordings *recordings, const char id[AUDIT_ID_TEXT],
    recording_failed_fn *on_failed, void *arg, char **problem) MUST_USE;
/* The tunnel is open: times count from here. `about` is borrowed for the call. */
void recording_begin(struct recording *recording, const struct cast_about *about);
/* False: this was not written, nor is what follows. */
bool recording_add(struct recording *recording, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last) MUST_USE;
/* What cannot be recorded although the disk could: `kind` as of recordings_tell_failure(). */
void recording_fail(struct recording *recording, const char *kind, const char *problem);
/* Why it stopped, or NULL: borrowed. */
const char *recording_problem(const struct recording *recording);
/* Brings what waits to the file. */
void recording_flush(struct recording *recording);
/* The session is over: its last line is written. recording_problem() says whether all is. */
void recording_end(struct recording *recording, const char *reason);
/* As recording_end(), unless that was called; the file reaches the disk in the background. */
void recording_finish(struct recording **recording, const char *reason);
/* There was no session: the file goes. */
void recording_discard(struct recording **recording);

#endif
