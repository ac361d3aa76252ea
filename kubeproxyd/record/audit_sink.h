/* Where audit lines go: a file of this instance's own, the journal, or standard output. Lines
 * leave together, those that matter most at the end of their turn; what cannot be written waits,
 * within a bound, and is told. */
#ifndef EKSGATE_AUDIT_SINK_H
#define EKSGATE_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct audit_sink;
struct buf;
struct loop;
struct metrics;

enum audit_destination { AUDIT_TO_FILE, AUDIT_TO_JOURNAL, AUDIT_TO_STDOUT };

/* Texts are borrowed for the call. `on_state` (NULL: nobody asks) is told when writing fails and
 * when it goes again; it may ask, and add or write nothing. */
struct audit_sink_options {
	struct loop *loop;
	struct metrics *metrics;
	enum audit_destination destination;
	const char *path; /* of the file, or of the journal's socket */
	size_t buffer_max; /* bytes that wait while nothing can be written */
	void (*on_state)(void *arg);
	void *arg;
};

#define AUDIT_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* NULL: *error says what and why (free()). */
struct audit_sink *audit_sink_new(const struct audit_sink_options *options, char **error) MUST_USE;
/* Writes what waits, as far as it can. */
void audit_sink_free(struct audit_sink **sink);
void audit_sink_set_buffer(struct audit_sink *sink, size_t buffer_max);

/* Copies one line, '\n' included; it leaves at the end of the turn or, with `can_wait`, within 10
 * ms or when 64 KiB wait, in the order in which lines came, and before when the buffer is full.
 * When it cannot leave then, it is lost, counted, and its loss is written once there is room again.
 */
void audit_sink_add(struct audit_sink *sink, const char *line, size_t len, bool can_wait);
/* The same without a copy: the line is appended to what audit_sink_begin() returns, and
 * audit_sink_end() follows at once. */
struct buf *audit_sink_begin(struct audit_sink *sink) MUST_USE;
void audit_sink_end(struct audit_sink *sink, bool can_wait);
/* Writes now. False: something still waits. */
bool audit_sink_flush(struct audit_sink *sink);
/* The file is opened anew by its name (log rotation). On failure the old one stays in use, and the
 * log says so. */
void audit_sink_reopen(struct audit_sink *sink);
/* The last write failed. */
bool audit_sink_is_failing(const struct audit_sink *sink) MUST_USE;
/* The next line would be lost, if it is as long as lines are and nothing can be written. */
bool audit_sink_is_full(const struct audit_sink *sink) MUST_USE;

#endif
