/* What an answer must keep until its end and memory should not: a file that has no name, sealed
 * with a key that is nowhere else. All of them together have one limit. Nobody waits for the disk:
 * a thread reads and writes, and whoever owns a spool is told of each step. */
#ifndef EKSGATE_SPOOL_H
#define EKSGATE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/net/holdings.h"

struct worker;

/* What is fetched at once, at most. */
#define SPOOL_FETCH_MAX ((size_t)16 * 1024)

/* A plain value, which outlives its spools. */
struct spools {
	char *directory;
	size_t each_max; /* bytes */
	struct worker *worker; /* ends before the directory */
	struct duration patience; /* with a disk that does not answer, which is broken then */
	size_t jobs; /* the thread has of all of them, be their owners gone or not */
	struct mono answered; /* one last, or the first of them given */
	struct holdings all; /* its make_room() must not end the one that there is to be room for */
};

enum spool_fault {
	SPOOL_SOUND,
	SPOOL_TOO_LONG, /* than each may be */
	SPOOL_NO_ROOM, /* for all together */
	SPOOL_BROKEN, /* the directory, the file or the disk below; spool_error() */
};

struct spool;
/* In the loop: something was written or read, or could not be. May free the spool. */
typedef void spool_fn(void *arg);

struct spool *spool_new(struct spools *all, spool_fn *on_step, void *arg) MUST_USE;
/* Puts it behind what is there, unless the disk is silent. False: see spool_fault(). */
bool spool_put(struct spool *spool, const uint8_t *data, size_t len) MUST_USE;
/* The disk is slower than what is put: no more should be, until a step. */
bool spool_is_behind(const struct spool *spool) MUST_USE;
/* All was put, and reading begins with the first byte. False: SPOOL_FETCH_MAX bytes, or what is
 * left, cannot be had yet, and a step follows. */
bool spool_is_ready(struct spool *spool) MUST_USE;
/* The next `len` bytes, when it is ready. False: see spool_fault(). */
bool spool_fetch(struct spool *spool, uint8_t *data, size_t len) MUST_USE;
/* What went wrong; it sticks. */
enum spool_fault spool_fault(const struct spool *spool) MUST_USE;
/* Now and then: is it silent? */
void spool_look(struct spool *spool);
/* In words, borrowed; "" unless it is broken. */
const char *spool_error(const struct spool *spool) MUST_USE;
/* Bytes that were put. */
size_t spool_size(const struct spool *spool) MUST_USE;
/* Bytes of memory that it holds. */
size_t spool_memory(const struct spool *spool) MUST_USE;
void spool_free(struct spool **spool);

#endif
