/* Puts policy and sink together, and keeps the one rule of failure: with `refuse`, nothing
 * privileged happens that could not be recorded; with `buffer`, people work on and what a full
 * buffer lost is told. Called by the exchange room. */
#include "kubeproxyd/record/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/record/audit_sink.h"

struct audit {
	const struct settings *settings;
	const struct audit_policy *policy;
	struct audit_sink *sink;
	void (*on_stuck)(void *arg, bool is_stuck); /* NULL: nobody asks */
	void *arg;
	bool is_stuck; /* as told */
};

static enum audit_destination destination_of(const char *word)
{
	if (strcmp(word, "journal") == 0)
		return AUDIT_TO_JOURNAL;
	return strcmp(word, "stdout") == 0 ? AUDIT_TO_STDOUT : AUDIT_TO_FILE;
}

/* DIRECTORY/INSTANCE.jsonl, or the journal's socket. Without its directory the file cannot be: made
 * when only its last part is missing, as a person at a terminal expects. */
static char *path_of(enum audit_destination destination, const struct audit_options *options)
{
	if (destination != AUDIT_TO_FILE)
		return xstrdup(AUDIT_JOURNAL_SOCKET);
	const char *directory = options->settings->proxy.audit.directory;
	(void)!mkdir(directory, 0750); /* opening the file says what is wrong */
	return xasprintf("%s/%s.jsonl", directory, options->instance);
}

/* Nothing goes on from when the buffer is full until all of it is written: a disk that takes a line
 * now and then is full. */
static void tell_stuck(void *arg)
{
	struct audit *audit = arg;
	bool is_stuck = audit_sink_is_failing(audit->sink) &&
			(audit->is_stuck || audit_sink_is_full(audit->sink)) &&
			strcmp(audit->settings->proxy.audit.when_failing, "refuse") == 0;
	if (is_stuck == audit->is_stuck)
		return;
	audit->is_stuck = is_stuck;
	if (audit->on_stuck != NULL)
		audit->on_stuck(audit->arg, is_stuck);
}

struct audit *audit_new(const struct audit_options *options, char **error)
{
	const struct audit_settings *settings = &options->settings->proxy.audit;
	*error = NULL;
	if (strcmp(settings->destination, "off") == 0)
		return NULL;
	enum audit_destination destination = destination_of(settings->destination);
	char *path = path_of(destination, options);
	struct audit *audit = xcalloc(1, sizeof *audit);
	audit->settings = options->settings;
	audit->policy = options->policy;
	audit->on_stuck = options->on_stuck;
	audit->arg = options->arg;
	struct audit_sink_options for_sink = {.loop = options->loop,
	    .metrics = options->metrics,
	    .destination = destination,
	    .path = path,
	    .buffer_max = settings->buffer,
	    .on_state = tell_stuck,
	    .arg = audit};
	audit->sink = audit_sink_new(&for_sink, error);
	free(path);
	if (audit->sink == NULL)
		xfree(&audit);
	return audit;
}

void audit_free(struct audit **audit)
{
	if (*audit == NULL)
		return;
	audit_sink_free(&(*audit)->sink);
	xfree(audit);
}

void audit_set(
    struct audit *audit, const struct settings *settings, const struct audit_policy *policy)
{
	if (audit == NULL)
		return;
	audit->settings = settings;
	audit->policy = policy;
	audit_sink_set_buffer(audit->sink, settings->proxy.audit.buffer);
	tell_stuck(audit);
}

void audit_reopen(struct audit *audit)
{
	if (audit == NULL)
		return;
	audit_sink_reopen(audit->sink);
	tell_stuck(audit);
}

struct audit_verdict audit_judge(
    const struct audit *audit, const struct identity *identity, const struct request_info *info)
{
	if (audit == NULL)
		return (struct audit_verdict){.level = AUDIT_NONE};
	return audit_policy_judge(audit->policy, identity, info);
}

void audit_write(struct audit *audit, const struct audit_event *event)
{
	if (audit == NULL)
		return;
	audit_event_write(audit_sink_begin(audit->sink), event);
	audit_sink_end(audit->sink, event->can_wait);
	tell_stuck(audit);
}

void audit_write_line(struct audit *audit, const struct buf *line)
{
	if (audit == NULL)
		return;
	audit_sink_add(audit->sink, line->data, line->len, false);
	tell_stuck(audit);
}

void audit_write_not_kept(struct audit *audit, const char *session, const char *problem)
{
	struct unix_time now = unix_now();
	struct audit_event event = {.level = AUDIT_METADATA,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .audit_id = session,
	    .user = "system:eksgate",
	    .recorded = "in part",
	    .recording = session,
	    .recording_problem = problem,
	    .received = now,
	    .now = now};
	audit_write(audit, &event);
}

bool audit_flush(struct audit *audit)
{
	return audit == NULL || audit_sink_flush(audit->sink);
}

static bool is_full(const struct audit *audit)
{
	bool is_worth_a_try =
	    audit_sink_is_full(audit->sink) && !audit_sink_is_failing(audit->sink);
	if (is_worth_a_try)
		(void)audit_sink_flush(audit->sink);
	return audit_sink_is_full(audit->sink);
}

static bool is_well(const struct audit *audit)
{
	return !audit->is_stuck && !audit_sink_is_failing(audit->sink) &&
	       !audit_sink_is_full(audit->sink);
}

bool audit_admits(const struct audit *audit, bool is_privileged)
{
	if (audit == NULL || is_well(audit) ||
	    strcmp(audit->settings->proxy.audit.when_failing, "buffer") == 0)
		return true;
	if (audit->is_stuck || is_full(audit))
		return false;
	return !is_privileged || !audit_sink_is_failing(audit->sink);
}
