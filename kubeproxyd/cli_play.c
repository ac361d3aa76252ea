/* `play NAME`: shows a recorded session, kept or still under way, as its user saw it. Reads a file,
 * asks nobody. Called by main. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/player.h"
#include "kubeproxyd/record/cast_file.h"
#include "kubeproxyd/terminal.h"

#define SPEED_MIN 0.1
#define SPEED_MAX 100.0
#define IDLE_MIN  0.001
#define IDLE_MAX  86400.0

struct options {
	const char *config, *directory;
	struct player_options player;
};

/* --- options --------------------------------------------------------------------------------- */

static bool parse_number(const char *text, double least, double most, double *number)
{
	char *end;
	/* Digits and a point alone: no hexadecimal, no infinity. */
	if (*text == '\0' || strspn(text, "0123456789.") != strlen(text))
		return false;
	*number = strtod(text, &end);
	return *end == '\0' && *number >= least && *number <= most;
}

static bool take_speed(void *field, const char *value, char **error)
{
	if (parse_number(value, SPEED_MIN, SPEED_MAX, field))
		return true;
	*error = xstrdup("must be a number from 0.1 to 100");
	return false;
}

static bool take_idle_limit(void *field, const char *value, char **error)
{
	if (parse_number(value, IDLE_MIN, IDLE_MAX, field))
		return true;
	*error = xstrdup("must be seconds, from 0.001 to 86400");
	return false;
}

static const struct verb_option rows[] = {
    {"speed", "N", take_speed, offsetof(struct options, player.speed),
	"so many times as fast, from 0.1 to 100"},
    {"idle-limit", "SECONDS", take_idle_limit, offsetof(struct options, player.idle_limit),
	"wait at most so long between two outputs"},
    {"no-timing", NULL, option_flag, offsetof(struct options, player.has_no_timing), "all at once"},
    {"dir", "DIRECTORY", option_text, offsetof(struct options, directory),
	"where recordings are, instead of eksgate.proxy.recording.dir"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_play_verb = {
    .name = "play",
    .operands = "ID|FILE",
    .least = 1,
    .most = 1,
    VERB_OPTIONS(rows),
    .help = "play a recorded session (space pauses, q quits)",
};

/* --- the file -------------------------------------------------------------------------------- */

/* Where recordings are (free()); NULL after saying why that is not known. */
static char *find_directory(const struct options *options)
{
	if (options->directory != NULL)
		return xstrdup(options->directory);
	bool is_whole;
	struct settings *settings = cli_load_readable(options->config, &is_whole);
	if (settings == NULL)
		return NULL;
	char *directory = xstrdup(settings->proxy.recording.directory);
	settings_free(&settings);
	return directory;
}

/* Ids have no dots and no slashes. NULL after saying why; free(). */
static char *find_file(const struct options *options, const char *name)
{
	char *error = NULL;
	if (strpbrk(name, "./") != NULL)
		return xstrdup(name);
	char *directory = find_directory(options);
	if (directory == NULL)
		return NULL;
	char *path = cast_directory_find(directory, name, &error);
	free(directory);
	if (path == NULL)
		(void)cli_fail(error);
	return path;
}

/* --- playing --------------------------------------------------------------------------------- */

/* Whether it was necessary. */
static bool warn_of_size(int64_t width, int64_t height)
{
	int64_t columns, lines;
	if (!terminal_size(&columns, &lines) || (columns >= width && lines >= height))
		return false;
	fprintf(stderr,
	    "kubeproxyd: this terminal has %" PRId64 " columns and %" PRId64
	    " rows, the recorded one %" PRId64 " and %" PRId64 ": what does not fit looks wrong\n",
	    columns, lines, width, height);
	return true;
}

/* Before the screen is used. */
static bool warn_of_header(const char *path)
{
	struct cast_summary summary;
	cast_summary_read(path, &summary);
	bool is_warned = warn_of_size(summary.width, summary.height);
	cast_summary_free(&summary);
	return is_warned;
}

/* The file of a session that goes on may end within a line. */
static bool is_so_far(const char *path, const struct player_report *report)
{
	size_t len = strlen(path), tail = strlen(CAST_PART_SUFFIX);
	return len > tail && strcmp(path + len - tail, CAST_PART_SUFFIX) == 0 &&
	       report->ending == NULL &&
	       (report->fault_count == 0 || (report->is_torn && report->fault_count == 1));
}

static void tell_faults(const struct player_report *report)
{
	struct buf out = {0};
	render_lines(&out, buf_text(&report->faults));
	fputs(buf_text(&out), stderr);
	buf_free(&out);
	if (report->fault_count > PLAYER_FAULTS_MAX)
		fprintf(stderr, "kubeproxyd: and %zu lines more that cannot be read\n",
		    report->fault_count - PLAYER_FAULTS_MAX);
}

/* What there is to say once the screen is the user's again. */
static int conclude(const struct player_report *report, const char *path)
{
	if (report->was_quit)
		return CLI_DONE;
	if (is_so_far(path, report)) {
		fputs("kubeproxyd: so far: the session is not over, or its end was not written\n",
		    stderr);
		return CLI_DONE;
	}
	tell_faults(report);
	if (report->ending != NULL && isatty(STDOUT_FILENO))
		cli_tell(report->ending);
	return report->fault_count == 0 ? CLI_DONE : CLI_NO;
}

static int play(int fd, const char *path, const struct options *options)
{
	struct player_report report;
	char *error = NULL;
	bool is_warned = warn_of_header(path);
	struct terminal *terminal = terminal_open();
	bool is_played = player_run(fd, path, &options->player, terminal, &report, &error);
	int signal_number = terminal_close(&terminal);
	if (!is_warned)
		(void)warn_of_size(report.width, report.height);
	int status = is_played ? conclude(&report, path) : cli_fail(error);
	player_report_free(&report);
	if (signal_number != 0)
		(void)raise(signal_number);
	return status;
}

int cli_play(int argc, char **argv)
{
	struct options options = {.player = {.speed = 1}};
	char **operands;
	int status;
	if (!cli_read(&cli_play_verb, argc, argv, &options, &operands, &status))
		return status;
	char *path = find_file(&options, operands[0]);
	if (path == NULL)
		return CLI_NO;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		status = cli_fail(xasprintf("%s: %s", path, strerror(errno)));
	} else {
		status = play(fd, path, &options);
		close(fd);
	}
	free(path);
	return status;
}
