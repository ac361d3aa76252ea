/* Reads a recording piece by piece and writes what the user saw, each event when it is due: the
 * file may be larger than memory, and may still grow. Called by `play`. */
#include "kubeproxyd/player.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_reader.h"
#include "kubeproxyd/terminal.h"

#define PIECE_BYTES   ((size_t)64 * 1024)
#define PAUSE_SECONDS 3600

struct player {
	int fd;
	const char *path;
	const struct player_options *options;
	struct terminal *terminal;
	struct player_report *report;
	double idle_limit; /* seconds; 0: none */
	int64_t at_us; /* of the last event, in the recording */
	struct mono due; /* when it was to be shown */
	char **error;
};

/* --- time ------------------------------------------------------------------------------------ */

/* False: the user has had enough. */
static bool hold(struct player *player)
{
	struct mono since = mono_now();
	enum terminal_key key;
	do {
		struct mono later = mono_add(mono_now(), duration_seconds(PAUSE_SECONDS));
		key = terminal_wait(player->terminal, later);
	} while (key == TERMINAL_NO_KEY);
	player->due.ns += mono_now().ns - since.ns;
	return key == TERMINAL_PAUSE;
}

/* Until the event is due. */
static bool await(struct player *player)
{
	enum terminal_key key;
	while ((key = terminal_wait(player->terminal, player->due)) != TERMINAL_NO_KEY) {
		if (key == TERMINAL_QUIT || !hold(player))
			return false;
	}
	return true;
}

static void advance(struct player *player, int64_t at_us)
{
	/* Times that run backwards are waited for once. */
	if (at_us <= player->at_us)
		return;
	double gap = (double)(at_us - player->at_us) / 1e6;
	if (player->idle_limit > 0 && gap > player->idle_limit)
		gap = player->idle_limit;
	player->at_us = at_us;
	if (!player->options->has_no_timing)
		player->due.ns += (int64_t)(gap * 1e9 / player->options->speed);
}

/* --- items ----------------------------------------------------------------------------------- */

static bool write_all(struct player *player, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t count = write(STDOUT_FILENO, text, len);
		if (count < 0 && errno != EINTR) {
			*player->error = xasprintf("standard output: %s", strerror(errno));
			return false;
		}
		if (count > 0) {
			text += count;
			len -= (size_t)count;
		}
	}
	return true;
}

static void note_fault(struct player *player, const struct cast_item *item)
{
	struct player_report *report = player->report;
	report->is_torn = item->is_torn;
	if (report->fault_count++ < PLAYER_FAULTS_MAX)
		buf_printf(&report->faults, "kubeproxyd: %s:%zu:%zu: %s\n", player->path,
		    item->line, item->column, item->fault);
}

static void note_size(struct player_report *report, int64_t width, int64_t height)
{
	if (width > report->width)
		report->width = width;
	if (height > report->height)
		report->height = height;
}

static void begin(struct player *player, const struct cast_header *header)
{
	struct json_object *limit = NULL;
	note_size(player->report, header->width, header->height);
	player->due = mono_now();
	player->idle_limit = player->options->idle_limit;
	if (player->idle_limit == 0 &&
	    json_object_object_get_ex(header->document, "idle_time_limit", &limit))
		player->idle_limit = json_object_get_double(limit);
}

/* False: it is over. */
static bool show(struct player *player, const struct cast_event *event)
{
	struct player_report *report = player->report;
	advance(player, event->at_us);
	if (event->code == 'm') {
		free(report->ending);
		report->ending = xstrndup(event->text, event->len);
	}
	int64_t width, height;
	if (event->code == 'r' && cast_size_parse(event->text, event->len, &width, &height))
		note_size(report, width, height);
	if (event->code != 'o')
		return true;
	report->was_quit = !await(player);
	if (player->terminal != NULL)
		terminal_note(player->terminal, event->text, event->len);
	return !report->was_quit && write_all(player, event->text, event->len);
}

/* False: it is over. */
static bool take(struct player *player, enum cast_kind kind, const struct cast_item *item)
{
	switch (kind) {
	case CAST_HEADER:
		begin(player, &item->header);
		return true;
	case CAST_EVENT:
		return show(player, &item->event);
	case CAST_FAULT:
		note_fault(player, item);
		return true;
	case CAST_NEEDS_MORE:
	case CAST_END:
		break;
	}
	return false;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool feed(struct player *player, struct cast_reader *reader, char *piece)
{
	ssize_t count;
	do {
		count = read(player->fd, piece, PIECE_BYTES);
	} while (count < 0 && errno == EINTR);
	if (count < 0) {
		*player->error = xasprintf("%s: %s", player->path, strerror(errno));
		return false;
	}
	cast_reader_add(reader, piece, (size_t)count);
	if (count == 0)
		cast_reader_end(reader);
	return true;
}

bool player_run(int fd, const char *path, const struct player_options *options,
    struct terminal *terminal, struct player_report *report, char **error)
{
	struct player player = {.fd = fd,
	    .path = path,
	    .options = options,
	    .terminal = terminal,
	    .report = report,
	    .error = error};
	struct cast_reader *reader = cast_reader_new();
	char *piece = xmalloc(PIECE_BYTES);
	struct cast_item item;
	bool goes_on = true;
	*error = NULL;
	*report = (struct player_report){0};
	while (goes_on) {
		enum cast_kind kind = cast_reader_next(reader, &item);
		goes_on = kind == CAST_NEEDS_MORE ? feed(&player, reader, piece)
						  : take(&player, kind, &item);
	}
	free(piece);
	cast_reader_free(&reader);
	return *error == NULL;
}

void player_report_free(struct player_report *report)
{
	free(report->ending);
	buf_free(&report->faults);
}
