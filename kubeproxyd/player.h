/* Plays a recording to standard output, in its own time or faster. */
#ifndef EKSGATE_PLAYER_H
#define EKSGATE_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct terminal;

/* How many faults are told in full. */
#define PLAYER_FAULTS_MAX 10

struct player_options {
	double speed;
	double idle_limit; /* seconds; 0: as the recording says, if it does */
	bool has_no_timing;
};

struct player_report {
	int64_t width, height; /* the largest that the recorded terminal had */
	char *ending; /* what the last marker says; NULL: there was none */
	struct buf faults; /* "kubeproxyd: FILE:2:12: what", a line for each of the first */
	size_t fault_count;
	bool is_torn; /* the last line ends too early */
	bool was_quit; /* by a key or a signal */
};

/* `path` is for faults. `terminal` NULL: nobody presses keys. False: *error, nothing can be read or
 * written any more (free()). The report is the caller's in any case. */
bool player_run(int fd, const char *path, const struct player_options *options,
    struct terminal *terminal, struct player_report *report, char **error) MUST_USE;
void player_report_free(struct player_report *report);

#endif
