/* The source of credentials that runs a program (credential_process of a profile) and reads a JSON
 * document from its standard output. No shell, no waiting: pipes and a pidfd on the loop, bounded
 * in time and output. The program is killed when it takes too long, prints too much, or is not
 * wanted any more. Made by the default chain. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/aws_context.h"
#include "common/aws_credentials_json.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/aws_words.h"
#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"

#define TIMEOUT	   duration_seconds(60)
#define MAX_OUTPUT ((size_t)64 * 1024)
#define MAX_ERRORS ((size_t)4096) /* kept of standard error */
#define MAX_LINE   200 /* of it shown */

/* One of its two outputs. */
struct outlet {
	struct process *process;
	int fd; /* -1: at its end */
	struct watch *watch;
	struct buf text;
	size_t max;
	bool is_too_long;
};

struct process {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *origin, *command;
	pid_t pid;
	int pidfd; /* -1: none runs */
	struct watch *watch; /* of pidfd */
	struct timer *timer;
	struct outlet out, err;
	bool is_late;
};

static void fail(struct process *process, const char *what, const char *detail)
{
	char *error = xasprintf("%s: credential_process %s%s%s", process->origin, what,
	    *detail != '\0' ? ": " : "", detail);
	aws_provider_done(process->provider, NULL, error);
	xfree(&error);
}

/* --- outputs --------------------------------------------------------------------------------- */

static void close_outlet(struct outlet *outlet)
{
	watch_free(&outlet->watch);
	if (outlet->fd >= 0)
		close(outlet->fd);
	outlet->fd = -1;
}

/* Takes what is there; false at the end. What is beyond `max` is not kept. */
static bool read_some(struct outlet *outlet)
{
	char chunk[4096];
	ssize_t got = read(outlet->fd, chunk, sizeof chunk);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	size_t room = outlet->max - outlet->text.len;
	outlet->is_too_long = outlet->is_too_long || (size_t)got > room;
	buf_append(&outlet->text, chunk, (size_t)got < room ? (size_t)got : room);
	explicit_bzero(chunk, sizeof chunk);
	return got > 0;
}

static void kill_process(const struct process *process)
{
	kill(process->pid, SIGKILL);
}

static void on_output(void *arg, unsigned ready)
{
	(void)ready;
	struct outlet *outlet = arg;
	if (!read_some(outlet))
		close_outlet(outlet);
	struct process *process = outlet->process;
	if (process->out.is_too_long)
		kill_process(process);
}

static void open_outlet(struct process *process, struct outlet *outlet, int fd, size_t max)
{
	outlet->process = process;
	outlet->fd = fd;
	outlet->max = max;
	outlet->is_too_long = false;
	outlet->watch = watch_new(process->aws->loop, fd, on_output, outlet);
	watch_set(outlet->watch, WATCH_READ);
}

/* What is left in the pipe once the program has ended; its children may hold it open. */
static void drain(struct outlet *outlet)
{
	for (size_t i = 0; i < MAX_OUTPUT / 4096 + 1 && outlet->fd >= 0 && !outlet->is_too_long;
	     i++) {
		if (!read_some(outlet))
			close_outlet(outlet);
	}
}

/* Its first line, without what could disturb a log (free()). */
static char *first_line(const struct buf *text)
{
	char *line = xstrndup(buf_text(text), text->len < MAX_LINE ? text->len : MAX_LINE);
	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return line;
}

/* --- the end --------------------------------------------------------------------------------- */

static void forget(struct process *process)
{
	timer_cancel(process->timer);
	watch_free(&process->watch);
	close_outlet(&process->out);
	close_outlet(&process->err);
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
	buf_free_secret(&process->out.text);
	buf_free_secret(&process->err.text);
}

static void take_output(struct process *process)
{
	char *error = NULL;
	struct aws_credentials *credentials =
	    aws_parse_process(buf_text(&process->out.text), process->out.text.len, &error);
	if (credentials != NULL)
		credentials->source = xstrdup(aws_provider_text(process->provider));
	forget(process);
	if (credentials != NULL)
		aws_provider_done(process->provider, credentials, NULL);
	else
		fail(process, "printed no credentials", error);
	xfree(&error);
}

static void on_end(void *arg, unsigned ready)
{
	(void)ready;
	struct process *process = arg;
	siginfo_t end = {0};
	if (waitid(P_PIDFD, (id_t)process->pidfd, &end, WEXITED | WNOHANG) == 0 && end.si_pid == 0)
		return;
	drain(&process->out);
	drain(&process->err);
	char *line = first_line(&process->err.text);
	bool is_too_long = process->out.is_too_long;
	if (!process->is_late && !is_too_long && end.si_code == CLD_EXITED && end.si_status == 0) {
		take_output(process);
	} else {
		char *what = process->is_late ? xstrdup("did not end within 60 s and was killed")
			     : is_too_long    ? xstrdup("printed more than 64 KiB and was killed")
			     : end.si_code == CLD_EXITED
				 ? xasprintf("ended with status %d", end.si_status)
				 : xasprintf("was ended by signal %d", end.si_status);
		forget(process);
		fail(process, what, line);
		xfree(&what);
	}
	xfree(&line);
}

static void on_late(void *arg)
{
	struct process *process = arg;
	process->is_late = true;
	kill_process(process);
}

/* --- the start ------------------------------------------------------------------------------- */

/* 0, or why not. `out` and `err` are the ends that it writes to. */
static int spawn(struct process *process, char **words, int out, int err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int failure = posix_spawnp(&process->pid, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failure;
}

/* 0, or why not. */
static int watch_it(struct process *process, int out, int err)
{
	process->pidfd = pidfd_open(process->pid, 0);
	if (process->pidfd < 0) {
		int failure = errno;
		kill_process(process);
		waitpid(process->pid, NULL, 0);
		return failure;
	}
	fcntl(out, F_SETFL, O_NONBLOCK);
	fcntl(err, F_SETFL, O_NONBLOCK);
	open_outlet(process, &process->out, out, MAX_OUTPUT);
	open_outlet(process, &process->err, err, MAX_ERRORS);
	process->watch = watch_new(process->aws->loop, process->pidfd, on_end, process);
	watch_set(process->watch, WATCH_READ);
	timer_set(process->timer, TIMEOUT);
	return 0;
}

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

static int launch(struct process *process, char **words)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	int failure = pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ? errno : 0;
	if (failure == 0)
		failure = spawn(process, words, out[1], err[1]);
	if (failure == 0)
		failure = watch_it(process, out[0], err[0]);
	if (failure == 0)
		out[0] = err[0] = -1; /* the outlets' now */
	close_pair(out);
	close_pair(err);
	return failure;
}

static void start(struct aws_provider *provider, void *source)
{
	struct process *process = source;
	const char *flaw = NULL;
	process->provider = provider;
	process->is_late = false;
	char **words = aws_words_split(process->command, &flaw);
	if (words == NULL) {
		fail(process, "cannot be read", flaw);
		return;
	}
	int failure = launch(process, words);
	if (failure != 0) {
		char *what = xasprintf("cannot run %s", words[0]);
		fail(process, what, strerror(failure));
		xfree(&what);
	}
	aws_words_free(&words);
}

static void stop(void *source)
{
	struct process *process = source;
	if (process->pidfd < 0)
		return;
	kill_process(process);
	waitid(P_PIDFD, (id_t)process->pidfd, &(siginfo_t){0}, WEXITED);
	forget(process);
}

static void free_process(void *source)
{
	struct process *process = source;
	timer_free(&process->timer);
	xfree(&process->origin);
	xfree_secret(&process->command);
	free(process);
}

static const struct aws_source_class process_class = {
    .start = start, .stop = stop, .free = free_process};

struct aws_provider *aws_provider_process(struct aws_context *aws, const struct aws_plan *plan)
{
	struct process *process = xcalloc(1, sizeof *process);
	process->aws = aws;
	process->origin = xstrdup(plan->origin);
	process->command = xstrdup(plan->command);
	process->pidfd = process->out.fd = process->err.fd = -1;
	process->timer = timer_new(aws->loop, on_late, process);
	return aws_provider_new(
	    aws, &process_class, process, xasprintf("%s (credential_process)", plan->text));
}
