/* Writes the streams of an exec or an attach as asciicast v2 (asciinema.org): a line that says what
 * it is, then one for each event. What is written depends on the streams and their messages alone,
 * not on the pieces in which they come. Pure. */
#ifndef EKSGATE_CAST_WRITER_H
#define EKSGATE_CAST_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"
#include "kubeproxyd/record/remote_command.h"

struct cast_writer;

/* Of the first line. Texts are borrowed for the call; NULL is "". */
struct cast_about {
	const char *session; /* the exchange's audit id */
	const char *kind; /* "exec", "attach" */
	const char *user, *cluster, *arn, *namespace, *pod, *container, *command;
	const char *client, *instance, *protocol, *mode;
	struct unix_time started;
	bool has_input; /* what is typed is written, too */
};

/* Lines are appended to `out`, whole ones only, which is empty and nobody else's until
 * cast_writer_begin(). */
struct cast_writer *cast_writer_new(const struct cast_about *about, struct buf *out) MUST_USE;
void cast_writer_free(struct cast_writer **writer);

/* A piece of a message; `at` is the time since the beginning. The first line waits for the first
 * size of the terminal, or is written with the first output and again with that size: whoever sits
 * far away tells it when a shell has long said something. */
void cast_writer_add(struct cast_writer *writer, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last, struct mono at);
/* Waits no longer for a size: what is in `out` may leave. */
void cast_writer_begin(struct cast_writer *writer);
/* So much at most will be in `out` of what it has already. */
size_t cast_writer_owed(const struct cast_writer *writer) MUST_USE;
/* What has come of messages that will not be completed. */
void cast_writer_flush(struct cast_writer *writer, struct mono at);
/* Or is none of the file's any more: what stood before it is lost. */
void cast_writer_forget(struct cast_writer *writer);
/* A line beside the streams. */
void cast_writer_mark(struct cast_writer *writer, const char *text, struct mono at);
/* The last line: "exit 0" as the Status said, or "ended: REASON". */
void cast_writer_end(struct cast_writer *writer, const char *reason, struct mono at);
/* "exit 0", "ended: REASON": what that line says; borrowed, NULL before it. */
const char *cast_writer_ending(const struct cast_writer *writer);

/* An event by itself, for whoever ends a file in another's place. */
void cast_write_event(struct buf *out, struct mono at, char code, const char *text, size_t len);

/* How many bytes at the end may be the begin of a character of UTF-8 that goes on behind them. */
size_t cast_partial_tail(const uint8_t *data, size_t len) MUST_USE;

#endif
