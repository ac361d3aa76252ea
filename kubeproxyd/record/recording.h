/* The recording of one session: a file that holds its streams as asciicast v2, written by a thread
 * beside the loop. Whoever records decides what a failure means; it is told in any case. */
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

/* Each `problem` is a sentence for people, borrowed for the call. None is called from within a
 * function of this header, nor after recording_finish() or recording_discard(). */
struct recording_events {
	/* Its file is there. Or, with a problem, it cannot be made: the recording is gone. */
	void (*on_open)(void *arg, const char *problem);
	/* Nothing more is written from here on. */
	void (*on_failed)(void *arg, const char *problem);
	/* recording_is_full() was true, and is so no more. */
	void (*on_drain)(void *arg);
};

/* All of it is in its file (NULL), or why not. */
typedef void recording_ended_fn(void *arg, const char *problem);

struct recording *recording_open(struct recordings *recordings, const char id[AUDIT_ID_TEXT],
    const struct recording_events *events, void *arg) MUST_USE;
/* It is open, and so is the tunnel: times count from here. `about` is borrowed for the call. */
void recording_begin(struct recording *recording, const struct cast_about *about);
/* False: this is not written, nor is what follows; on_failed does not come for it. */
bool recording_add(struct recording *recording, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last) MUST_USE;
/* It goes on without a part of what is said: the file tells which. */
void recording_note_gap(struct recording *recording, const char *gap);
/* More should not be added before on_drain: too much waits for the disk. */
bool recording_is_full(const struct recording *recording) MUST_USE;
/* What cannot be recorded although the disk could: `kind` as of recordings_tell_failure(). */
void recording_fail(struct recording *recording, const char *kind, const char *problem);
/* Why it stopped, or NULL: borrowed. */
const char *recording_problem(const struct recording *recording);
/* The session is over: the last line follows. `on_ended` is told once, perhaps in this call; when
 * all was written only then. */
void recording_finish(
    struct recording **recording, const char *reason, recording_ended_fn *on_ended, void *arg);
/* There was no session: the file goes. */
void recording_discard(struct recording **recording);

/* --- for recordings.c ------------------------------------------------------------------------ */

/* Each second: brings what waits on its way. */
void recording_tick(struct recording *recording);
/* There may be room again in the queue that all share. */
void recording_wake(struct recording *recording);
/* The process ends and the disk does not answer: it is left as it is. */
void recording_abandon(struct recording *recording);

#endif
