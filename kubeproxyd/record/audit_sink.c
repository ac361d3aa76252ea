/* Brings audit lines out. The buffer holds whole lines; of its first one a part may be written
 * already, after a write that a full disk cut short: it is completed there, or written whole into
 * the file that rotation put in its place. Called by audit.c. */
#include "kubeproxyd/record/audit_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/record/audit_event.h"
#include "kubeproxyd/record/audit_id.h"
#include "kubeproxyd/record/journal.h"

#define RETRY_MS 1000
/* A line that can wait. */
#define WAIT_MS 10
/* More would not make the writing cheaper, and be no longer in the processor's caches by then. */
#define WAIT_BYTES ((size_t)64 * 1024)
/* What a line is taken to need: is_full() before anything was done beats a loss after it. */
#define LINE_USUAL ((size_t)4 * 1024)
/* A buffer that an outage made larger is not kept. */
#define KEEP_MAX ((size_t)256 * 1024)

struct audit_sink {
	struct loop *loop;
	enum audit_destination destination;
	char *path;
	size_t buffer_max;
	void (*on_state)(void *arg); /* NULL: nobody asks */
	void *arg;
	int fd;
	struct buf waiting;
	size_t sent; /* of the first line, while failing */
	size_t begun; /* where the line stands that is being written */
	struct deferred turn;
	struct timer *wait, *retry;
	bool is_failing;
	int last_errno;
	uint64_t lost; /* since the last one that was written */
	struct {
		struct metric *lines, *lost, *failing;
	} metrics;
};

/* --- opening --------------------------------------------------------------------------------- */

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static int open_destination(const struct audit_sink *sink)
{
	switch (sink->destination) {
	case AUDIT_TO_FILE:
		return open_file(sink->path);
	case AUDIT_TO_JOURNAL:
		return journal_open(sink->path);
	case AUDIT_TO_STDOUT:
		break;
	}
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Its '\n' included; `len`: of all lines from this one on. */
static size_t line_length(const char *line, size_t len)
{
	const char *end = memchr(line, '\n', len);
	return end != NULL ? (size_t)(end - line) + 1 : len;
}

/* As much as goes. False: errno says why no more does. */
static bool write_stream(struct audit_sink *sink)
{
	while (sink->waiting.len > 0) {
		ssize_t written = write(
		    sink->fd, sink->waiting.data + sink->sent, sink->waiting.len - sink->sent);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		size_t done = sink->sent + (size_t)written;
		if (done == sink->waiting.len) {
			buf_clear(&sink->waiting);
			sink->sent = 0;
			break;
		}
		const char *last = memrchr(sink->waiting.data, '\n', done);
		size_t whole = last != NULL ? (size_t)(last - sink->waiting.data) + 1 : 0;
		buf_consume(&sink->waiting, whole);
		sink->sent = done - whole;
	}
	return true;
}

/* To the journal that listens now: after a restart of its socket another does than at first. */
static bool send_line(struct audit_sink *sink, const char *line, size_t len)
{
	if (journal_send(sink->fd, line, len))
		return true;
	if (!journal_is_gone(errno))
		return false;
	int fd = journal_open(sink->path);
	if (fd < 0)
		return false;
	close(sink->fd);
	sink->fd = fd;
	return journal_send(fd, line, len);
}

static bool write_journal(struct audit_sink *sink)
{
	size_t sent = 0;
	bool goes_on = true;
	while (sent < sink->waiting.len && goes_on) {
		const char *line = sink->waiting.data + sent;
		size_t len = line_length(line, sink->waiting.len - sent);
		goes_on = send_line(sink, line, len);
		if (goes_on)
			sent += len;
	}
	int error = errno;
	buf_consume(&sink->waiting, sent);
	errno = error;
	return goes_on;
}

static void tell_loss(struct audit_sink *sink)
{
	char id[AUDIT_ID_TEXT];
	char *ending = xasprintf("%" PRIu64 " events were lost while nothing could be written: %s",
	    sink->lost, strerror(sink->last_errno));
	struct unix_time now = unix_now();
	audit_id_make(id);
	struct audit_event event = {.level = AUDIT_METADATA,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .audit_id = id,
	    .user = "system:eksgate",
	    .ending = ending,
	    .received = now,
	    .now = now};
	audit_event_write(&sink->waiting, &event);
	free(ending);
}

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static const char *remedy_of(const struct audit_sink *sink)
{
	switch (sink->destination) {
	case AUDIT_TO_FILE:
		break;
	case AUDIT_TO_JOURNAL:
		return "see that systemd-journald.socket listens, or set "
		       "eksgate.proxy.audit.destination";
	case AUDIT_TO_STDOUT:
		return "see what reads the standard output, or set eksgate.proxy.audit.destination";
	}
	return is_full(sink->last_errno) ? "make room, or move eksgate.proxy.audit.directory"
					 : "see what the kernel's log says of the disk, or move "
					   "eksgate.proxy.audit.directory";
}

static void log_failing(const struct audit_sink *sink)
{
	if (sink->is_failing) {
		log_error("audit", "write-failed", LOG_S("path", sink->path),
		    LOG_S("error", strerror(sink->last_errno)), LOG_S("remedy", remedy_of(sink)));
		return;
	}
	log_warn("audit", "writing-again", LOG_S("path", sink->path),
	    LOG_I("lost", (int64_t)sink->lost));
}

static void set_failing(struct audit_sink *sink, bool is_failing)
{
	if (sink->is_failing == is_failing)
		return;
	sink->is_failing = is_failing;
	metric_set(sink->metrics.failing, is_failing);
	log_failing(sink);
	if (sink->on_state != NULL)
		sink->on_state(sink->arg);
}

static bool write_waiting(struct audit_sink *sink)
{
	return sink->destination == AUDIT_TO_JOURNAL ? write_journal(sink) : write_stream(sink);
}

bool audit_sink_flush(struct audit_sink *sink)
{
	if (sink->waiting.len == 0)
		return true;
	if (!write_waiting(sink)) {
		sink->last_errno = errno;
		set_failing(sink, true);
		timer_set(sink->retry, duration_ms(RETRY_MS));
		return false;
	}
	set_failing(sink, false);
	if (sink->waiting.cap > KEEP_MAX)
		buf_free(&sink->waiting);
	if (sink->lost == 0)
		return true;
	tell_loss(sink);
	sink->lost = 0;
	return audit_sink_flush(sink);
}

/* At the end of a turn, and when lines have waited long enough. */
static void on_due(void *arg)
{
	struct audit_sink *sink = arg;
	/* While it fails the other timer tries again. */
	if (!sink->is_failing)
		audit_sink_flush(sink);
}

static void on_retry(void *arg)
{
	audit_sink_flush(arg);
}

/* --- public ---------------------------------------------------------------------------------- */

static void make_metrics(struct audit_sink *sink, struct metrics *metrics)
{
	sink->metrics.lines = metrics_counter(
	    metrics, "eksgate_audit_events_total", "Audit events, written or waiting.", "");
	sink->metrics.lost = metrics_counter(metrics, "eksgate_audit_lost_total",
	    "Audit events lost because the buffer was full.", "");
	sink->metrics.failing = metrics_gauge(
	    metrics, "eksgate_audit_failing", "Whether audit events cannot be written.", "");
	metric_set(sink->metrics.failing, 0);
}

struct audit_sink *audit_sink_new(const struct audit_sink_options *options, char **error)
{
	struct audit_sink *sink = xcalloc(1, sizeof *sink);
	sink->loop = options->loop;
	sink->destination = options->destination;
	sink->path = xstrdup(options->destination == AUDIT_TO_STDOUT ? "stdout" : options->path);
	sink->buffer_max = options->buffer_max;
	sink->on_state = options->on_state;
	sink->arg = options->arg;
	sink->fd = open_destination(sink);
	if (sink->fd < 0) {
		*error = xasprintf("cannot write audit events to %s: %s (eksgate.proxy.audit)",
		    sink->path, strerror(errno));
		free(sink->path);
		free(sink);
		return NULL;
	}
	sink->turn = (struct deferred){.fn = on_due, .arg = sink};
	sink->wait = timer_new(sink->loop, on_due, sink);
	sink->retry = timer_new(sink->loop, on_retry, sink);
	make_metrics(sink, options->metrics);
	return sink;
}

void audit_sink_free(struct audit_sink **sink)
{
	struct audit_sink *old = *sink;
	*sink = NULL;
	if (old == NULL)
		return;
	old->on_state = NULL;
	loop_undefer(old->loop, &old->turn);
	if (!audit_sink_flush(old))
		log_error("audit", "lost-at-exit", LOG_I("bytes", (int64_t)old->waiting.len));
	timer_free(&old->wait);
	timer_free(&old->retry);
	close(old->fd);
	buf_free(&old->waiting);
	free(old->path);
	free(old);
}

void audit_sink_set_buffer(struct audit_sink *sink, size_t buffer_max)
{
	sink->buffer_max = buffer_max;
}

/* The bound is for when nothing can be written, not for how much one turn has to tell. */
static bool has_room(struct audit_sink *sink, size_t len)
{
	return sink->waiting.len + len <= sink->buffer_max ||
	       (!sink->is_failing && audit_sink_flush(sink));
}

/* One more waits. Where others do already, something is set that will write them. */
static void note_line(struct audit_sink *sink, bool is_first, bool can_wait)
{
	metric_add(sink->metrics.lines, 1);
	if (!can_wait || sink->waiting.len >= WAIT_BYTES)
		loop_defer(sink->loop, &sink->turn);
	else if (is_first)
		timer_set(sink->wait, duration_ms(WAIT_MS));
}

void audit_sink_add(struct audit_sink *sink, const char *line, size_t len, bool can_wait)
{
	if (!has_room(sink, len)) {
		sink->lost++;
		metric_add(sink->metrics.lost, 1);
		return;
	}
	bool is_first = sink->waiting.len == 0;
	buf_append(&sink->waiting, line, len);
	note_line(sink, is_first, can_wait);
}

struct buf *audit_sink_begin(struct audit_sink *sink)
{
	sink->begun = sink->waiting.len;
	return &sink->waiting;
}

/* Takes back the line that was begun, and brings it in as any other. */
static void add_again(struct audit_sink *sink, bool can_wait)
{
	struct buf line = {0};
	buf_append(&line, sink->waiting.data + sink->begun, sink->waiting.len - sink->begun);
	sink->waiting.len = sink->begun;
	audit_sink_add(sink, line.data, line.len, can_wait);
	buf_free(&line);
}

void audit_sink_end(struct audit_sink *sink, bool can_wait)
{
	if (sink->waiting.len <= sink->buffer_max)
		note_line(sink, sink->begun == 0, can_wait);
	else
		add_again(sink, can_wait);
}

void audit_sink_reopen(struct audit_sink *sink)
{
	if (sink->destination != AUDIT_TO_FILE)
		return;
	int fd = open_file(sink->path);
	if (fd < 0) {
		log_error("audit", "reopen-failed", LOG_S("path", sink->path),
		    LOG_S("error", strerror(errno)));
		return;
	}
	/* What can still be written belongs to the old file; a line begun there comes again. */
	bool is_done = audit_sink_flush(sink);
	close(sink->fd);
	sink->fd = fd;
	sink->sent = 0;
	if (!is_done)
		timer_set(sink->retry, duration_ms(0));
}

bool audit_sink_is_failing(const struct audit_sink *sink)
{
	return sink->is_failing;
}

bool audit_sink_is_full(const struct audit_sink *sink)
{
	return sink->waiting.len + LINE_USUAL > sink->buffer_max;
}
