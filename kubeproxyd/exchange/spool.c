/* Files of answers. The name of one is gone before a byte is in it, so that no other process finds
 * it and nothing is left when this one ends, however. What goes in are Secrets, and blocks of a
 * disk outlive their files: they are sealed (AES-256 in counter mode) with a key of the file's own,
 * which never leaves memory. Writes go to the page cache, in pieces of PIECE bytes at most: they
 * wait for the disk only while the kernel holds writers back. Closing gives all of a file back at
 * once, which takes long (35 ms for 512 MiB on ext4): that is done beside the loop. Called by
 * exchange_filter.c. */
#include "kubeproxyd/exchange/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/worker.h"
#include "common/xmem.h"

#define PIECE ((size_t)32 * 1024)

struct spool {
	struct spools *all;
	int file; /* -1: nothing was put yet */
	EVP_CIPHER_CTX *seal, *unseal; /* at the end of what was put, and of what was fetched */
	size_t size, fetched;
	size_t counted; /* of all->all */
	enum spool_fault fault;
	int error; /* errno of SPOOL_BROKEN */
};

static bool fail(struct spool *spool, enum spool_fault fault, int error)
{
	spool->fault = fault;
	spool->error = error;
	return false;
}

/* --- the seal ---------------------------------------------------------------------------------
 */

/* A counter from 0 is as good as any: no key seals two files. */
static EVP_CIPHER_CTX *new_cipher(const uint8_t key[32])
{
	static const uint8_t counter[16];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	if (cipher == NULL ||
	    EVP_EncryptInit_ex2(cipher, EVP_aes_256_ctr(), key, counter, NULL) != 1)
		abort();
	return cipher;
}

static void make_seal(struct spool *spool)
{
	uint8_t key[32];
	if (RAND_bytes(key, sizeof key) != 1)
		abort();
	spool->seal = new_cipher(key);
	spool->unseal = new_cipher(key);
	explicit_bzero(key, sizeof key);
}

/* Both directions are the same in counter mode; `to` may be `from`. */
static void apply(EVP_CIPHER_CTX *cipher, uint8_t *to, const uint8_t *from, size_t len)
{
	int done;
	if (EVP_EncryptUpdate(cipher, to, &done, from, (int)len) != 1)
		abort();
}

/* --- the file ---------------------------------------------------------------------------------
 */

static bool open_file(struct spool *spool)
{
	char *name = xasprintf("%s/list.XXXXXX", spool->all->directory);
	spool->file = mkostemp(name, O_CLOEXEC);
	int error = errno;
	if (spool->file >= 0 && unlink(name) != 0) {
		error = errno;
		close(spool->file);
		spool->file = -1;
	}
	free(name);
	if (spool->file < 0)
		return fail(spool, SPOOL_BROKEN, error);
	make_seal(spool);
	return true;
}

static bool write_piece(struct spool *spool, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t written = pwrite(spool->file, data, len, (off_t)spool->size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return fail(spool, SPOOL_BROKEN, written < 0 ? errno : EIO);
		spool->size += (size_t)written;
		data += written;
		len -= (size_t)written;
	}
	return true;
}

static bool read_piece(struct spool *spool, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t got = pread(spool->file, data, len, (off_t)spool->fetched);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail(spool, SPOOL_BROKEN, got < 0 ? errno : EIO);
		apply(spool->unseal, data, data, (size_t)got);
		spool->fetched += (size_t)got;
		data += got;
		len -= (size_t)got;
	}
	return true;
}

struct closing {
	struct worker_job job;
	int file;
};

static void work_closing(struct worker_job *job)
{
	close(((struct closing *)job)->file);
}

static void on_closed(struct worker_job *job)
{
	free(job);
}

static void close_beside(struct worker *worker, int file)
{
	struct closing *closing = xcalloc(1, sizeof *closing);
	closing->job.work = work_closing;
	closing->job.done = on_closed;
	closing->file = file;
	worker_add(worker, &closing->job);
}

/* --- public ----------------------------------------------------------------------------------- */

struct spool *spool_new(struct spools *all)
{
	struct spool *spool = xcalloc(1, sizeof *spool);
	spool->all = all;
	spool->file = -1;
	return spool;
}

bool spool_put(struct spool *spool, const uint8_t *data, size_t len)
{
	struct holdings *all = &spool->all->all;
	if (spool->fault != SPOOL_SOUND)
		return false;
	if (spool->size > spool->all->each_max || len > spool->all->each_max - spool->size)
		return fail(spool, SPOOL_TOO_LONG, 0);
	holdings_make_room(all, len);
	if (!holdings_have_room(all, len))
		return fail(spool, SPOOL_NO_ROOM, 0);
	if (spool->file < 0 && !open_file(spool))
		return false;
	uint8_t sealed[PIECE];
	for (size_t at = 0, part; at < len; at += part) {
		part = len - at < sizeof sealed ? len - at : sizeof sealed;
		apply(spool->seal, sealed, data + at, part);
		if (!write_piece(spool, sealed, part))
			return false;
	}
	holdings_count(all, &spool->counted, spool->size);
	return true;
}

bool spool_fetch(struct spool *spool, uint8_t *data, size_t len)
{
	return spool->fault == SPOOL_SOUND && read_piece(spool, data, len);
}

enum spool_fault spool_fault(const struct spool *spool)
{
	return spool->fault;
}

const char *spool_error(const struct spool *spool)
{
	return spool->fault == SPOOL_BROKEN ? strerror(spool->error) : "";
}

size_t spool_size(const struct spool *spool)
{
	return spool->size;
}

void spool_free(struct spool **spool)
{
	if (*spool == NULL)
		return;
	holdings_count(&(*spool)->all->all, &(*spool)->counted, 0);
	if ((*spool)->file >= 0)
		close_beside((*spool)->all->worker, (*spool)->file);
	EVP_CIPHER_CTX_free((*spool)->seal);
	EVP_CIPHER_CTX_free((*spool)->unseal);
	xfree(spool);
}
