/* Files of recordings. Whoever holds the lock on a part writes it; a part without one was left by a
 * process that is gone, and whoever finds it gives it an end. Called by recording.c and, in a
 * worker's thread, by recordings.c. */
#include "kubeproxyd/record/recording_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT	 ".cast"
#define LIVE	 ".cast.part"
#define ID_BYTES (AUDIT_ID_TEXT - 1)
/* More than the longest line: an event's 32 KiB, six times as long when escaped. */
#define TAIL_MAX	((size_t)256 * 1024)
#define TRIES		3
#define TIME_DIGITS_MAX 30
/* An empty file of that age may be about to be locked by whoever makes it. */
#define NEW_SECONDS 60
/* What a disk must have room for, so that a session that cannot be recorded does not begin. */
#define RESERVED_BYTES ((off_t)64 * 1024)
/* What a full disk gets back, so that a last line says why: more than a page of its own. */
#define END_BYTES ((size_t)8 * 1024)

void recording_live_name(char name[RECORDING_NAME], const char *id)
{
	snprintf(name, RECORDING_NAME, "%.*s" LIVE, (int)ID_BYTES, id);
}

void recording_kept_name(char name[RECORDING_NAME], const char *id)
{
	snprintf(name, RECORDING_NAME, "%.*s" KEPT, (int)ID_BYTES, id);
}

/* --- the directory --------------------------------------------------------------------------- */

int recording_directory_open(const char *path, const char **what)
{
	*what = NULL;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;
	if (directory < 0 || fstat(directory, &status) != 0)
		return directory;
	if (status.st_uid == geteuid() && (status.st_mode & 077) == 0)
		return directory;
	*what = "others than this process's user may look at it: it must be this user's, mode 0700";
	close(directory);
	errno = EPERM;
	return -1;
}

/* --- one file -------------------------------------------------------------------------------- */

/* Between its making and its lock another instance's sweep may have taken it for abandoned: then it
 * is gone, being empty. */
static bool is_in_place(int directory, int file, const char *name)
{
	struct stat held, there;
	return fstat(file, &held) == 0 &&
	       fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

static bool reserve(int file)
{
	return fallocate(file, FALLOC_FL_KEEP_SIZE, 0, RESERVED_BYTES) == 0 ||
	       errno == EOPNOTSUPP || errno == ENOSYS;
}

static int give_up(int directory, int file, const char *name)
{
	int error = errno;
	(void)unlinkat(directory, name, 0);
	close(file);
	errno = error;
	return -1;
}

int recording_file_make(int directory, const char *id)
{
	char name[RECORDING_NAME];
	recording_live_name(name, id);
	for (int try = 0; try < TRIES; try++) {
		int file = openat(
		    directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (file < 0)
			return -1;
		bool is_locked = flock(file, LOCK_EX | LOCK_NB) == 0;
		if (is_locked && is_in_place(directory, file, name))
			return reserve(file) ? file : give_up(directory, file, name);
		close(file);
	}
	errno = EBUSY;
	return -1;
}

static bool is_deleted(int file)
{
	struct stat status;
	return fstat(file, &status) == 0 && status.st_nlink == 0;
}

/* How much could be written. */
static size_t write_at(int file, const char *text, size_t len, off_t at)
{
	size_t done = 0;
	while (done < len) {
		ssize_t written = pwrite(file, text + done, len - done, at + (off_t)done);
		if (written < 0 && errno != EINTR)
			return done;
		if (written > 0)
			done += (size_t)written;
	}
	return done;
}

static size_t whole_lines(const char *text, size_t len)
{
	const char *end = len > 0 ? memrchr(text, '\n', len) : NULL;
	return end != NULL ? (size_t)(end - text) + 1 : 0;
}

int recording_file_write(int file, uint64_t at, const char *lines, size_t len, size_t *kept)
{
	bool is_gone = is_deleted(file);
	size_t done = is_gone ? 0 : write_at(file, lines, len, (off_t)at);
	*kept = done;
	if (!is_gone && done == len)
		return 0;
	int error = is_gone ? RECORDING_DELETED : errno;
	*kept = done > END_BYTES ? whole_lines(lines, done - END_BYTES) : 0;
	(void)!ftruncate(file, (off_t)(at + *kept));
	return error;
}

void recording_file_discard(int directory, int file, const char *id)
{
	char name[RECORDING_NAME];
	recording_live_name(name, id);
	(void)unlinkat(directory, name, 0);
	close(file);
	close(directory);
}

int recording_file_keep(int directory, int file, const char *id)
{
	char live[RECORDING_NAME], kept[RECORDING_NAME];
	recording_live_name(live, id);
	recording_kept_name(kept, id);
	struct stat status;
	if (fstat(file, &status) != 0)
		return errno;
	if (status.st_size == 0)
		return unlinkat(directory, live, 0) == 0 ? 0 : errno;
	/* What was reserved behind the end is given back. */
	bool is_cut = ftruncate(file, status.st_size) == 0;
	bool is_kept = is_cut && fsync(file) == 0 &&
		       renameat(directory, live, directory, kept) == 0 && fsync(directory) == 0;
	return is_kept ? 0 : errno;
}

/* --- what a crash left ----------------------------------------------------------------------- */

/* Where the last whole line ends; 0: there is none, -1: errno. Behind it may stand much that is
 * nothing: after a loss of power, zeros. */
static off_t find_end(int file, off_t size, char *piece)
{
	for (off_t to = size; to > 0;) {
		off_t from = to > (off_t)TAIL_MAX ? to - (off_t)TAIL_MAX : 0;
		ssize_t len = pread(file, piece, (size_t)(to - from), from);
		if (len < 0)
			return -1;
		const char *last = len > 0 ? memrchr(piece, '\n', (size_t)len) : NULL;
		if (last != NULL)
			return from + (last - piece) + 1;
		to = from;
	}
	return 0;
}

/* The line that ends there, which is in `piece` then. */
static const char *read_line(int file, off_t end, char *piece, size_t *line_len)
{
	off_t from = end > (off_t)TAIL_MAX ? end - (off_t)TAIL_MAX : 0;
	size_t len = (size_t)(end - from);
	ssize_t got = pread(file, piece, len, from);
	if (got != (ssize_t)len) {
		errno = got < 0 ? errno : EIO;
		return NULL;
	}
	const char *before = len > 1 ? memrchr(piece, '\n', len - 1) : NULL;
	const char *line = before != NULL ? before + 1 : piece;
	*line_len = len - (size_t)(line - piece);
	return line;
}

static bool write_whole(int file, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(file, text, len);
		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			text += written;
			len -= (size_t)written;
		}
	}
	return true;
}

/* Behind the last whole line, at its time; a line that says how it ended stays the last. */
static bool write_end(int file, const char *line, size_t len)
{
	size_t digits = line[0] == '[' ? strspn(line + 1, "0123456789.") : 0;
	static const char marker[] = ",\"m\",";
	const char *time = line + 1;
	if (digits == 0 || digits > TIME_DIGITS_MAX) {
		time = "0.0";
		digits = strlen(time);
	} else if (len > 1 + digits + strlen(marker) &&
		   memcmp(line + 1 + digits, marker, strlen(marker)) == 0) {
		return true;
	}
	char text[TIME_DIGITS_MAX + 64];
	int count = snprintf(
	    text, sizeof text, "[%.*s%s\"ended: the proxy stopped\"]\n", (int)digits, time, marker);
	return write_whole(file, text, (size_t)count);
}

/* Cuts a line that was not finished, and ends the file. False: errno, or 0 when nothing of it is
 * worth keeping. */
static bool finish_text(int file, off_t size, char *piece)
{
	size_t len = 0;
	errno = 0;
	off_t end = find_end(file, size, piece);
	if (end <= 0)
		return false;
	const char *line = read_line(file, end, piece, &len);
	return line != NULL && ftruncate(file, end) == 0 && lseek(file, end, SEEK_SET) == end &&
	       write_end(file, line, len);
}

/* After an fsync that failed the kernel takes the pages for clean, and another one would say that
 * all is well: written again, they are not. */
static bool write_again(int file, char *piece)
{
	for (off_t at = 0;;) {
		ssize_t len = pread(file, piece, TAIL_MAX, at);
		if (len <= 0)
			return len == 0;
		ssize_t written = pwrite(file, piece, (size_t)len, at);
		if (written < 0)
			return false;
		at += written;
	}
}

static void add_note(
    struct recording_sweep *sweep, const char *id, enum recording_deed deed, int error)
{
	if (sweep->note_count == RECORDING_NOTES_MAX)
		return;
	struct recording_note *note = &sweep->notes[sweep->note_count++];
	*note = (struct recording_note){.deed = deed, .error = error};
	memcpy(note->id, id, ID_BYTES);
}

/* Names begin with the id. */
static void end_locked(struct recording_sweep *sweep, int directory, int file, const char *name)
{
	struct stat status;
	if (!is_in_place(directory, file, name) || fstat(file, &status) != 0)
		return;
	char *tail = malloc(TAIL_MAX);
	if (tail == NULL) {
		add_note(sweep, name, RECORDING_ENDED, ENOMEM);
		return;
	}
	bool is_finished = finish_text(file, status.st_size, tail) && write_again(file, tail);
	int error = is_finished ? recording_file_keep(directory, file, name) : errno;
	free(tail);
	if (!is_finished && error == 0)
		(void)unlinkat(directory, name, 0);
	else
		add_note(sweep, name, RECORDING_ENDED, error);
}

static bool is_begun(const struct recording_sweep *sweep, int file)
{
	struct stat status;
	return fstat(file, &status) == 0 &&
	       (status.st_size > 0 || sweep->now - (int64_t)status.st_mtim.tv_sec >= NEW_SECONDS);
}

static void end_if_abandoned(struct recording_sweep *sweep, int directory, const char *name)
{
	int file = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file < 0)
		return;
	if (is_begun(sweep, file) && flock(file, LOCK_EX | LOCK_NB) == 0)
		end_locked(sweep, directory, file, name);
	close(file);
}

/* --- limits ---------------------------------------------------------------------------------- */

struct kept {
	char id[AUDIT_ID_TEXT];
	uint64_t bytes;
	int64_t seconds; /* Unix time of its end */
};

struct kept_list {
	struct kept *items;
	size_t count, room;
};

static bool is_id(const char *name)
{
	for (size_t i = 0; i < ID_BYTES; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (is_dash ? name[i] != '-' : strchr("0123456789abcdef", name[i]) == NULL)
			return false;
		if (name[i] == '\0')
			return false;
	}
	return true;
}

static bool add_kept(struct kept_list *list, const char *name, const struct stat *status)
{
	if (list->count == list->room) {
		size_t room = list->room * 2 + 64;
		struct kept *items = reallocarray(list->items, room, sizeof *items);
		if (items == NULL)
			return false;
		list->items = items;
		list->room = room;
	}
	struct kept *kept = &list->items[list->count++];
	*kept = (struct kept){
	    .bytes = (uint64_t)status->st_size, .seconds = (int64_t)status->st_mtim.tv_sec};
	memcpy(kept->id, name, ID_BYTES);
	return true;
}

static void look_at(
    struct recording_sweep *sweep, int directory, const char *name, struct kept_list *list)
{
	struct stat status;
	if (!is_id(name))
		return;
	bool is_live = strcmp(name + ID_BYTES, LIVE) == 0;
	if (!is_live && strcmp(name + ID_BYTES, KEPT) != 0)
		return;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
		return;
	sweep->bytes += (uint64_t)status.st_size;
	if (!is_live && !add_kept(list, name, &status))
		sweep->error = ENOMEM;
}

static int by_age(const void *a, const void *b)
{
	const struct kept *left = a, *right = b;
	if (left->seconds != right->seconds)
		return left->seconds < right->seconds ? -1 : 1;
	return strcmp(left->id, right->id);
}

static void delete_one(
    struct recording_sweep *sweep, int directory, const struct kept *kept, enum recording_deed deed)
{
	char name[RECORDING_NAME];
	recording_kept_name(name, kept->id);
	bool is_gone = unlinkat(directory, name, 0) == 0;
	if (!is_gone && errno == ENOENT) {
		sweep->bytes -= kept->bytes;
		return; /* a sibling was faster, and told it */
	}
	add_note(sweep, kept->id, deed, is_gone ? 0 : errno);
	if (is_gone)
		sweep->bytes -= kept->bytes;
}

static void apply_limits(struct recording_sweep *sweep, int directory, const struct kept_list *list)
{
	sweep->files = list->count;
	for (size_t i = 0; i < list->count && sweep->note_count < RECORDING_NOTES_MAX; i++) {
		const struct kept *kept = &list->items[i];
		bool is_old = sweep->max_age_seconds > 0 &&
			      sweep->now - kept->seconds > sweep->max_age_seconds;
		bool is_much = sweep->max_bytes > 0 && sweep->bytes > sweep->max_bytes;
		if (!is_old && !is_much)
			return;
		delete_one(sweep, directory, kept, is_old ? RECORDING_TOO_OLD : RECORDING_TOO_MANY);
		sweep->files--;
	}
}

void recording_sweep_run(struct recording_sweep *sweep)
{
	struct kept_list list = {0};
	DIR *directory = opendir(sweep->path);
	if (directory == NULL) {
		sweep->error = errno;
		return;
	}
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (is_id(entry->d_name) && strcmp(entry->d_name + ID_BYTES, LIVE) == 0)
			end_if_abandoned(sweep, dirfd(directory), entry->d_name);
	}
	rewinddir(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		look_at(sweep, dirfd(directory), entry->d_name, &list);
	if (list.count > 0)
		qsort(list.items, list.count, sizeof *list.items, by_age);
	apply_limits(sweep, dirfd(directory), &list);
	free(list.items);
	closedir(directory);
}
