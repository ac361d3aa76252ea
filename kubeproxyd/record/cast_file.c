/* Looks at recordings without reading them through, since one may hold days of output. Called by
 * `sessions` and `play`. */
#include "kubeproxyd/record/cast_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_reader.h"

/* How much of the end is looked at first; more while no whole line is in it. */
#define TAIL_FIRST  ((size_t)4096)
#define TAIL_FACTOR 16
#define HEAD_PIECE  ((size_t)4096)
/* How many ids a complaint names. */
#define NAMED_MAX 5

/* --- the directory --------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);
	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

static void tell(const char *directory, const char *name, cast_file_fn *fn, void *arg)
{
	bool is_part = ends_with(name, CAST_PART_SUFFIX);
	if (name[0] == '.' || (!is_part && !ends_with(name, CAST_KEPT_SUFFIX)))
		return;
	size_t tail = strlen(is_part ? CAST_PART_SUFFIX : CAST_KEPT_SUFFIX);
	char *id = xstrndup(name, strlen(name) - tail);
	char *path = xasprintf("%s/%s", directory, name);
	fn(arg, id, path, is_part);
	free(path);
	free(id);
}

bool cast_directory_each(const char *directory, cast_file_fn *fn, void *arg, char **error)
{
	DIR *stream = opendir(directory);
	if (stream == NULL && errno == ENOENT)
		return true;
	if (stream == NULL) {
		*error = xasprintf("%s: %s%s", directory, strerror(errno),
		    errno == EACCES ? " (try as root)" : "");
		return false;
	}
	for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
		tell(directory, entry->d_name, fn, arg);
	closedir(stream);
	return true;
}

struct search {
	const char *prefix;
	char *path; /* of the last one that was found */
	struct buf names;
	size_t count;
};

static void compare(void *arg, const char *id, const char *path, bool is_part)
{
	struct search *search = arg;
	(void)is_part;
	if (strncmp(id, search->prefix, strlen(search->prefix)) != 0)
		return;
	free(search->path);
	search->path = xstrdup(path);
	if (search->count++ < NAMED_MAX)
		buf_printf(&search->names, "%s%s", search->count > 1 ? ", " : "", id);
}

char *cast_directory_find(const char *directory, const char *prefix, char **error)
{
	struct search search = {.prefix = prefix};
	bool is_read = cast_directory_each(directory, compare, &search, error);
	if (is_read && search.count == 1) {
		buf_free(&search.names);
		return search.path;
	}
	if (is_read && search.count == 0)
		*error = xasprintf("no recording in %s begins with \"%s\": `kubeproxyd sessions "
				   "--kept` lists them",
		    directory, prefix);
	if (is_read && search.count > 1)
		*error = xasprintf("\"%s\" is the beginning of %zu recordings: %s%s", prefix,
		    search.count, buf_text(&search.names), search.count > NAMED_MAX ? ", ..." : "");
	buf_free(&search.names);
	free(search.path);
	return NULL;
}

/* --- one file -------------------------------------------------------------------------------- */

struct looking {
	const char *path;
	int fd;
	struct cast_reader *reader;
	struct cast_summary *summary;
};

static void fail(struct looking *looking, const struct cast_item *item)
{
	looking->summary->problem =
	    xasprintf("%s:%zu:%zu: %s", looking->path, item->line, item->column, item->fault);
}

static void fail_errno(struct looking *looking)
{
	looking->summary->problem = xasprintf("%s: %s", looking->path, strerror(errno));
}

/* Feeds the reader from the beginning until it has the header. */
static bool read_header(struct looking *looking)
{
	char piece[HEAD_PIECE];
	struct cast_item item;
	enum cast_kind kind;
	off_t at = 0;
	while ((kind = cast_reader_next(looking->reader, &item)) == CAST_NEEDS_MORE) {
		ssize_t count = pread(looking->fd, piece, sizeof piece, at);
		if (count < 0) {
			fail_errno(looking);
			return false;
		}
		at += count;
		cast_reader_add(looking->reader, piece, (size_t)count);
		if (count == 0)
			cast_reader_end(looking->reader);
	}
	if (kind != CAST_HEADER) {
		fail(looking, &item);
		return false;
	}
	looking->summary->header = json_object_get(item.header.document);
	looking->summary->width = item.header.width;
	looking->summary->height = item.header.height;
	looking->summary->timestamp = item.header.timestamp;
	return true;
}

/* The last whole line in the tail; NULL: there is none, or it may begin before it. */
static const char *last_line(const char *tail, size_t len, bool is_all, size_t *line_len)
{
	const char *end = memrchr(tail, '\n', len);
	if (end == NULL)
		return NULL;
	const char *before = memrchr(tail, '\n', (size_t)(end - tail));
	if (before == NULL && !is_all)
		return NULL;
	const char *line = before != NULL ? before + 1 : tail;
	*line_len = (size_t)(end - line);
	return line;
}

static void take_last(struct looking *looking, const char *line, size_t len)
{
	struct cast_reader *reader = cast_reader_new();
	static const char header[] = "{\"version\":2,\"width\":1,\"height\":1}\n";
	struct cast_item item;
	cast_reader_add(reader, header, sizeof header - 1);
	bool is_begun = cast_reader_next(reader, &item) == CAST_HEADER;
	cast_reader_add(reader, line, len);
	cast_reader_end(reader);
	enum cast_kind kind = is_begun ? cast_reader_next(reader, &item) : CAST_END;
	if (kind == CAST_FAULT)
		looking->summary->problem = xasprintf("%s: in its last line, at column %zu: %s",
		    looking->path, item.column, item.fault);
	if (kind == CAST_EVENT) {
		looking->summary->duration_us = item.event.at_us;
		if (item.event.code == 'm')
			looking->summary->ending = xstrndup(item.event.text, item.event.len);
	}
	cast_reader_free(&reader);
}

/* The event in the last line that is whole; the header alone is none. */
static void read_last(struct looking *looking)
{
	size_t size = looking->summary->size;
	for (size_t want = TAIL_FIRST; want <= CAST_LINE_MAX; want *= TAIL_FACTOR) {
		bool is_all = want >= size;
		size_t len = is_all ? size : want, line_len = 0;
		char *tail = xmalloc(len + 1);
		ssize_t got = pread(looking->fd, tail, len, (off_t)(size - len));
		const char *line =
		    got == (ssize_t)len ? last_line(tail, len, is_all, &line_len) : NULL;
		bool is_header = line == tail && is_all;
		if (line != NULL && !is_header)
			take_last(looking, line, line_len);
		free(tail);
		if (line != NULL || is_all)
			return;
	}
	looking->summary->problem =
	    xasprintf("%s: its last line is longer than 1 MiB", looking->path);
}

void cast_summary_read(const char *path, struct cast_summary *summary)
{
	struct looking looking = {
	    .path = path, .summary = summary, .reader = cast_reader_new(), .fd = -1};
	struct stat status;
	*summary = (struct cast_summary){0};
	looking.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (looking.fd < 0 || fstat(looking.fd, &status) != 0) {
		fail_errno(&looking);
	} else if (!S_ISREG(status.st_mode)) {
		summary->problem = xasprintf("%s: it is no file", path);
	} else {
		summary->size = (uint64_t)status.st_size;
		if (read_header(&looking))
			read_last(&looking);
	}
	if (looking.fd >= 0)
		close(looking.fd);
	cast_reader_free(&looking.reader);
}

void cast_summary_free(struct cast_summary *summary)
{
	json_object_put(summary->header);
	free(summary->ending);
	free(summary->problem);
	*summary = (struct cast_summary){0};
}
