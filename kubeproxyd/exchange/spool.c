/* Files of answers. The name of one is gone before a byte is in it, so that no other process finds
 * it and nothing is left when this one ends, however. What goes in are Secrets, and blocks of a
 * disk outlive their files: they are sealed (AES-256 in counter mode) with a key of the file's own,
 * which never leaves memory. A thread makes, writes, reads and closes the file, one job at a time:
 * what is put meanwhile gathers for the next, and what will be fetched is read ahead; in memory all
 * of it is sealed. Closing gives all of a file back at once, which takes long (35 ms for 512 MiB on
 * ext4). Called by exchange_filter.c. */
#include "kubeproxyd/exchange/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/worker.h"
#include "common/xmem.h"

#define PIECE ((size_t)32 * 1024)
/* Read in one job, which begins when no more is left of what was: with its growth 64 KiB. */
#define AHEAD ((size_t)31 * 1024)

/* What the thread has of it; the loop touches nothing here but while is_busy is false. */
struct task {
	struct worker_job job;
	char *name; /* a template of mkostemp(3) */
	int file; /* -1: not made yet */
	size_t at;
	struct buf bytes; /* sealed: to write; or room for what is read */
	size_t want; /* of them */
	int error; /* errno; 0: done */
};

struct spool {
	struct task task;
	bool is_busy, is_freed;
	struct spools *all;
	struct worker *worker; /* which may be ending */
	spool_fn *on_step;
	void *arg;
	EVP_CIPHER_CTX *seal, *unseal; /* at the end of what was put, and of what was fetched */
	struct buf waiting; /* sealed, to be written */
	struct buf ahead; /* sealed, to be fetched */
	size_t taken; /* of it */
	bool is_reading;
	size_t size, written, read, fetched;
	size_t counted; /* of all->all */
	struct mono since; /* when the job was given */
	enum spool_fault fault;
	int error; /* errno of SPOOL_BROKEN */
};

static void go_on(struct spool *spool);

static bool fail(struct spool *spool, enum spool_fault fault, int error)
{
	if (spool->fault == SPOOL_SOUND) {
		spool->fault = fault;
		spool->error = error;
	}
	return false;
}

/* --- the seal --------------------------------------------------------------------------------- */

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

/* Both directions are the same in counter mode. */
static void apply(EVP_CIPHER_CTX *cipher, uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t at = 0, part; at < len; at += part) {
		int done;
		part = len - at < PIECE ? len - at : PIECE;
		if (EVP_EncryptUpdate(cipher, to + at, &done, from + at, (int)part) != 1)
			abort();
	}
}

/* --- the thread's part ------------------------------------------------------------------------ */

static int make_file(struct task *task)
{
	int file = mkostemp(task->name, O_CLOEXEC);
	if (file < 0 || unlink(task->name) == 0) {
		task->file = file;
		return file < 0 ? errno : 0;
	}
	int error = errno;
	close(file);
	return error;
}

static int write_piece(const struct task *task)
{
	for (size_t done = 0; done < task->want;) {
		ssize_t written = pwrite(task->file, task->bytes.data + done, task->want - done,
		    (off_t)(task->at + done));
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? errno : EIO;
		done += (size_t)written;
	}
	return 0;
}

static void work_write(struct worker_job *job)
{
	struct task *task = (struct task *)job;
	task->error = task->file < 0 ? make_file(task) : 0;
	if (task->error == 0)
		task->error = write_piece(task);
}

static void work_read(struct worker_job *job)
{
	struct task *task = (struct task *)job;
	task->error = 0;
	for (size_t done = 0; done < task->want && task->error == 0;) {
		ssize_t got = pread(task->file, task->bytes.data + done, task->want - done,
		    (off_t)(task->at + done));
		done += got > 0 ? (size_t)got : 0;
		if (got <= 0 && !(got < 0 && errno == EINTR))
			task->error = got < 0 ? errno : EIO;
	}
}

static void work_close(struct worker_job *job)
{
	close(((struct task *)job)->file);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* What waits for it stays in memory, be its owner gone: no more may join. */
static bool is_silent(const struct spools *all)
{
	return all->jobs > 0 && mono_since(all->answered).ms >= all->patience.ms;
}

static void note_answer(struct spools *all)
{
	all->jobs--;
	all->answered = mono_now();
}

static void start_job(
    struct spool *spool, void (*work)(struct worker_job *job), void (*done)(struct worker_job *job))
{
	spool->is_busy = true;
	spool->since = mono_now();
	if (spool->all->jobs++ == 0)
		spool->all->answered = spool->since;
	spool->task.job = (struct worker_job){.work = work, .done = done};
	worker_add(spool->worker, &spool->task.job);
}

static void release(struct spool *spool)
{
	buf_free(&spool->task.bytes);
	free(spool->task.name);
	free(spool);
}

static void on_closed(struct worker_job *job)
{
	struct spool *spool = (struct spool *)job;
	note_answer(spool->all);
	release(spool);
}

/* The owner may free it. */
static void end_step(struct spool *spool)
{
	bool is_owned = !spool->is_freed;
	note_answer(spool->all);
	if (spool->task.error != 0)
		(void)fail(spool, SPOOL_BROKEN, spool->task.error);
	spool->is_busy = false;
	go_on(spool);
	if (is_owned)
		spool->on_step(spool->arg);
}

static void on_written(struct worker_job *job)
{
	struct spool *spool = (struct spool *)job;
	spool->written += spool->task.want;
	buf_clear(&spool->task.bytes);
	end_step(spool);
}

static void on_read(struct worker_job *job)
{
	struct spool *spool = (struct spool *)job;
	struct task *task = &spool->task;
	if (!spool->is_freed && task->error == 0) {
		buf_consume(&spool->ahead, spool->taken);
		spool->taken = 0;
		buf_append(&spool->ahead, task->bytes.data, task->want);
		spool->read += task->want;
	}
	end_step(spool);
}

static void start_writing(struct spool *spool)
{
	struct buf empty = spool->task.bytes;
	spool->task.bytes = spool->waiting;
	spool->waiting = empty;
	spool->task.at = spool->written;
	spool->task.want = spool->task.bytes.len;
	start_job(spool, work_write, on_written);
}

static void start_reading(struct spool *spool)
{
	size_t left = spool->written - spool->read;
	if (spool->read == 0) {
		buf_free(&spool->waiting);
		buf_free(&spool->task.bytes);
	}
	spool->task.at = spool->read;
	spool->task.want = left < AHEAD ? left : AHEAD;
	buf_make_room(&spool->task.bytes, spool->task.want);
	start_job(spool, work_read, on_read);
}

static void go_on(struct spool *spool)
{
	if (spool->is_busy)
		return;
	if (spool->is_freed && spool->task.file >= 0)
		start_job(spool, work_close, on_closed);
	else if (spool->is_freed)
		release(spool);
	else if (spool->fault != SPOOL_SOUND)
		return;
	else if (spool->waiting.len > 0)
		start_writing(spool);
	else if (spool->is_reading && spool->read < spool->written &&
		 spool->ahead.len - spool->taken <= AHEAD)
		start_reading(spool);
}

/* --- public ----------------------------------------------------------------------------------- */

struct spool *spool_new(struct spools *all, spool_fn *on_step, void *arg)
{
	struct spool *spool = xcalloc(1, sizeof *spool);
	spool->all = all;
	spool->worker = all->worker;
	spool->on_step = on_step;
	spool->arg = arg;
	spool->task.name = xasprintf("%s/list.XXXXXX", all->directory);
	spool->task.file = -1;
	make_seal(spool);
	return spool;
}

bool spool_put(struct spool *spool, const uint8_t *data, size_t len)
{
	struct holdings *all = &spool->all->all;
	if (spool->fault != SPOOL_SOUND)
		return false;
	if (spool->size > spool->all->each_max || len > spool->all->each_max - spool->size)
		return fail(spool, SPOOL_TOO_LONG, 0);
	if (is_silent(spool->all))
		return fail(spool, SPOOL_BROKEN, ETIMEDOUT);
	holdings_make_room(all, len);
	if (!holdings_have_room(all, len))
		return fail(spool, SPOOL_NO_ROOM, 0);
	apply(spool->seal, (uint8_t *)buf_reserve(&spool->waiting, len), data, len);
	buf_commit(&spool->waiting, len);
	spool->size += len;
	holdings_count(all, &spool->counted, spool->size);
	go_on(spool);
	return true;
}

bool spool_is_behind(const struct spool *spool)
{
	return spool->waiting.len > 0;
}

bool spool_is_ready(struct spool *spool)
{
	size_t left = spool->size - spool->fetched;
	size_t wanted = left < SPOOL_FETCH_MAX ? left : SPOOL_FETCH_MAX;
	spool->is_reading = true;
	go_on(spool);
	/* go_on() releases only what its owner has given up, who does not ask for it any more.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return spool->written == spool->size && spool->ahead.len - spool->taken >= wanted;
}

bool spool_fetch(struct spool *spool, uint8_t *data, size_t len)
{
	if (spool->fault != SPOOL_SOUND)
		return false;
	if (spool->ahead.len - spool->taken < len)
		return fail(spool, SPOOL_BROKEN, EIO);
	apply(spool->unseal, data, (const uint8_t *)spool->ahead.data + spool->taken, len);
	spool->taken += len;
	spool->fetched += len;
	go_on(spool);
	return true;
}

enum spool_fault spool_fault(const struct spool *spool)
{
	return spool->fault;
}

void spool_look(struct spool *spool)
{
	if (spool->is_busy && mono_since(spool->since).ms >= spool->all->patience.ms)
		(void)fail(spool, SPOOL_BROKEN, ETIMEDOUT);
}

const char *spool_error(const struct spool *spool)
{
	if (spool->fault != SPOOL_BROKEN)
		return "";
	return spool->error == ETIMEDOUT ? "the disk does not answer" : strerror(spool->error);
}

size_t spool_size(const struct spool *spool)
{
	return spool->size;
}

size_t spool_memory(const struct spool *spool)
{
	return sizeof *spool + spool->waiting.cap + spool->ahead.cap + spool->task.bytes.cap;
}

void spool_free(struct spool **spool)
{
	struct spool *old = *spool;
	*spool = NULL;
	if (old == NULL)
		return;
	holdings_count(&old->all->all, &old->counted, 0);
	buf_free(&old->waiting);
	buf_free(&old->ahead);
	EVP_CIPHER_CTX_free(old->seal);
	EVP_CIPHER_CTX_free(old->unseal);
	old->is_freed = true;
	go_on(old);
}
