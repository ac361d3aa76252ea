/* What an answer must keep until its end and memory should not: a file that has no name, sealed
 * with a key that is nowhere else. All of them together have one limit. */
#ifndef EKSGATE_SPOOL_H
#define EKSGATE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/net/holdings.h"

struct worker;

/* A plain value, which outlives its spools. */
struct spools {
	char *directory;
	size_t each_max; /* bytes */
	struct worker *worker; /* closes files */
	struct holdings all; /* its make_room() must not end the one that there is to be room for */
};

enum spool_fault {
	SPOOL_SOUND,
	SPOOL_TOO_LONG, /* than each may be */
	SPOOL_NO_ROOM, /* for all together */
	SPOOL_BROKEN, /* the directory, the file or the disk below; spool_error() */
};

struct spool;

struct spool *spool_new(struct spools *all) MUST_USE;
/* Puts it behind what is there. False: see spool_fault(). */
bool spool_put(struct spool *spool, const uint8_t *data, size_t len) MUST_USE;
/* The next `len` bytes, from the first that was put. False: see spool_fault(). */
bool spool_fetch(struct spool *spool, uint8_t *data, size_t len) MUST_USE;
/* What went wrong; it sticks. */
enum spool_fault spool_fault(const struct spool *spool) MUST_USE;
/* In words, borrowed; "" unless it is broken. */
const char *spool_error(const struct spool *spool) MUST_USE;
/* Bytes in its file. */
size_t spool_size(const struct spool *spool) MUST_USE;
void spool_free(struct spool **spool);

#endif
