/* The directory of recordings, which instances share: ID.cast.part is live while its writer holds a
 * lock on it, ID.cast is kept. These functions wait for the disk and are for a worker's thread. */
#ifndef EKSGATE_RECORDING_FILES_H
#define EKSGATE_RECORDING_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/record/audit_id.h"

#define RECORDING_NAME (AUDIT_ID_TEXT + 16)

void recording_live_name(char name[RECORDING_NAME], const char *id);
void recording_kept_name(char name[RECORDING_NAME], const char *id);

/* The directory's descriptor, -1 with errno and, when that says too little, *what. Made when only
 * its last part is missing; it must belong to this user alone. */
int recording_directory_open(const char *path, const char **what) MUST_USE;
/* A new ID.cast.part, locked; -1 with errno. */
int recording_file_make(int directory, const char *id) MUST_USE;
#define RECORDING_DELETED (-1)
/* Lines at `at`, the end of the file; 0, errno, or RECORDING_DELETED: it has no name any more, and
 * what is written to it is lost. *kept bytes of them stay, whole lines: all, or as many as leave
 * room for a last one. */
int recording_file_write(
    int file, uint64_t at, const char *lines, size_t len, size_t *kept) MUST_USE;
/* As if it had never been made. Closes both. */
void recording_file_discard(int directory, int file, const char *id);
/* On the disk and under its kept name, or gone when nothing is in it; 0, or errno. The lock goes
 * with the descriptor. */
int recording_file_keep(int directory, int file, const char *id) MUST_USE;

enum recording_deed { RECORDING_ENDED, RECORDING_TOO_OLD, RECORDING_TOO_MANY };

/* What a sweep did with a file; `error` 0: done. */
struct recording_note {
	char id[AUDIT_ID_TEXT];
	enum recording_deed deed;
	int error;
};

#define RECORDING_NOTES_MAX 256

struct recording_sweep {
	/* Wanted. 0: no limit. */
	char *path;
	uint64_t max_bytes;
	int64_t max_age_seconds;
	int64_t now; /* Unix time */
	/* Found and done; with as many notes as there can be, another sweep goes on. */
	struct recording_note notes[RECORDING_NOTES_MAX];
	size_t note_count;
	uint64_t bytes;
	size_t files;
	int error; /* of the directory itself, ENOENT when there is none */
};

/* Ends what a crash left behind, and deletes the oldest that are kept beyond the limits. Never
 * touches a live one, nor a file that is none of ours. */
void recording_sweep_run(struct recording_sweep *sweep);

#endif
