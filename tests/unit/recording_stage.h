/* Recordings in a directory of their own, and what is told of them. */
#ifndef EKSGATE_TESTS_RECORDING_STAGE_H
#define EKSGATE_TESTS_RECORDING_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "kubeproxyd/record/recording.h"
#include "kubeproxyd/record/recordings.h"

#define ID(n) "00000000-0000-4000-8000-00000000000" n

extern char directory[64];
extern char *path; /* of the recordings, in it */
extern struct loop *loop;
extern struct metrics *metrics;
extern struct settings settings;
extern struct recordings *recordings;
/* What was told last: by on_failed, by on_open, at the end. */
extern char *failure, *refusal, *ending;
extern bool is_open;
extern int drains, endings;
extern const struct recording_events events;

int set_up(void **state);
int tear_down(void **state);

char *file_of(const char *name);
/* NULL: there is none. Borrowed until the next call. */
const char *text_of(const char *name);
void write_file(const char *name, const char *text, int64_t seconds);
size_t count_files(void);

/* All jobs are done, and told. */
void wait_for_disk(void);
struct recording *begin(const char *id);
/* As each second. */
void flush(struct recording *recording);
void finish(struct recording **recording);
bool say(struct recording *recording, const char *text);
/* Everything is on the disk. */
void settle(void);

void assert_failures(int count);
void assert_no_recording(const char *says);
bool ends_with(const char *text, const char *end);
void limit_files(rlim_t bytes);

#endif
