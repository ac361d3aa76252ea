/* What an exchange does for an exec or an attach besides relaying. The tunnel is read as it passes;
 * what cannot be read or written ends the session when a role is strict, and is told in any case.
 * Toward the client a last word may stand only between two messages: until the one under way is
 * complete nothing of the client's passes any more. Where a role is strict, nothing passes that the
 * recording did not take before: bytes of ours complete that message then. Called by the other
 * files of the exchange. */
#include "kubeproxyd/exchange/exchange_remote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/remote_asked.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/http/status.h"
#include "kubeproxyd/record/audit_event.h"
#include "kubeproxyd/record/recorded_event.h"
#include "kubeproxyd/record/recording.h"
#include "kubeproxyd/record/recordings.h"

/* For the rest of a message, from an API server that had begun it. */
#define PATIENCE_MS 2000
/* So much of one still passes when the session ends while its recording lags behind. */
#define REST_MAX ((uint64_t)64 * 1024)

struct exchange_remote {
	struct exchange *exchange;
	struct remote_asked asked;
	char *protocol; /* "websocket v5.channel.k8s.io" */
	struct recording *recording; /* NULL: none */
	struct recorded_event *last_event; /* while it is recorded */
	bool was_recorded; /* from the beginning on */
	char *problem; /* why not, or not to the end */
	bool has_failed; /* and it was told, and acted upon */
	const char *gap; /* what of it is missing although it goes on; NULL: nothing */
	struct remote_command *command; /* NULL: no tunnel, or one that cannot be read */
	char *ending; /* why the last word will be said */
	struct timer *patience;
};

/* --- the recording --------------------------------------------------------------------------- */

#define UNREADABLE "the protocol in which it is spoken cannot be recorded"
#define HIDDEN	   "what is sent through nodes/proxy cannot be recorded: use kubectl exec or attach"

static void stop_recording(struct exchange_remote *remote, const char *kind, const char *problem)
{
	if (remote->problem == NULL)
		remote->problem = xstrdup(problem);
	if (remote->recording != NULL)
		recording_fail(remote->recording, kind, problem);
	else
		recordings_tell_failure(remote->exchange->all->with.recordings,
		    remote->exchange->audit_id, kind, problem);
}

/* The answer to whoever must be recorded and cannot be. */
static char *refusal_of(const struct exchange_remote *remote)
{
	return xasprintf("this session must be recorded (record_session: strict in a role), and "
			 "that is not possible: %s",
	    remote->problem);
}

/* False: a role is strict, and the exchange is over. `can_tell`: all that was read has passed. */
static bool act_on_problem(struct exchange_remote *remote, bool can_tell)
{
	struct exchange *exchange = remote->exchange;
	remote->has_failed = true;
	if (remote->asked.mode != RECORD_STRICT)
		return true;
	char *reason = refusal_of(remote);
	if (!can_tell || !exchange_end_session(exchange, reason))
		exchange_finish(exchange, reason);
	free(reason);
	return false;
}

/* Nothing passes while too much of the recording waits for the disk. */
static void follow_disk(struct exchange_remote *remote)
{
	struct exchange *exchange = remote->exchange;
	bool is_behind = remote->problem == NULL && remote->recording != NULL &&
			 recording_is_full(remote->recording);
	bool is_rest = remote->ending != NULL && remote_command_wanted(remote->command) <= REST_MAX;
	if (exchange->state == STATE_TUNNEL)
		relay_hold(&exchange->relay, is_behind && !is_rest);
}

static void on_recording_failed(void *arg, const char *problem)
{
	struct exchange_remote *remote = arg;
	stop_recording(remote, "write", problem);
	if (act_on_problem(remote, true))
		follow_disk(remote);
}

static void on_recording_drain(void *arg)
{
	follow_disk(arg);
}

static void on_stream(
    void *arg, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last)
{
	struct exchange_remote *remote = arg;
	if (remote->problem == NULL &&
	    !recording_add(remote->recording, stream, data, len, is_last))
		remote->problem = xstrdup(recording_problem(remote->recording));
}

static void begin_recording(struct exchange_remote *remote)
{
	const struct exchange *exchange = remote->exchange;
	const struct admission *admission = &exchange->admission;
	struct cast_about about = {
	    .session = exchange->audit_id,
	    .kind = admission->info.subresource,
	    .user = exchange->identity->user,
	    .cluster = admission->route.cluster,
	    .arn = admission->cluster->resource->aws.arn,
	    .namespace = admission->info.namespace,
	    .pod = admission->info.name,
	    .container = remote->asked.container,
	    .command = admission->info.command,
	    .client = exchange->caller->host,
	    .instance = recordings_instance(exchange->all->with.recordings),
	    .protocol = remote->protocol,
	    .mode = remote->asked.mode == RECORD_STRICT ? "strict" : "best_effort",
	    .started = unix_now(),
	    .has_input = exchange->options.records_input,
	};
	recording_begin(remote->recording, &about);
	remote->was_recorded = true;
	remote->last_event = recorded_event_new(exchange->all->with.audit);
}

/* --- admission ------------------------------------------------------------------------------- */

/* False: it must be recorded and is not. */
static bool may_go_on(struct exchange_remote *remote, char **message)
{
	remote->has_failed = remote->problem != NULL;
	if (remote->problem == NULL || remote->asked.mode != RECORD_STRICT)
		return true;
	*message = refusal_of(remote);
	return false;
}

static void on_recording_open(void *arg, const char *problem)
{
	struct exchange_remote *remote = arg;
	char *message = NULL;
	if (problem != NULL)
		remote->recording = NULL;
	remote->problem = xstrdup_or_null(problem);
	if (may_go_on(remote, &message))
		exchange_go_on(remote->exchange);
	else
		exchange_answer(remote->exchange, 503, message);
	free(message);
}

static const struct recording_events recording_events = {
    .on_open = on_recording_open,
    .on_failed = on_recording_failed,
    .on_drain = on_recording_drain,
};

/* False: the exchange goes on, with it or without. */
static bool open_recording(struct exchange_remote *remote)
{
	struct exchange *exchange = remote->exchange;
	struct recordings *recordings = exchange->all->with.recordings;
	if (remote->asked.kind == REMOTE_HIDDEN)
		stop_recording(remote, "protocol", HIDDEN);
	else if (!remote->asked.can_be_read)
		stop_recording(remote, "protocol", UNREADABLE);
	else if (recordings == NULL)
		stop_recording(remote, "open", "this instance keeps no recordings");
	else
		remote->recording =
		    recording_open(recordings, exchange->audit_id, &recording_events, remote);
	return remote->recording != NULL;
}

/* It must be recorded, or should. */
static enum remote_admission admit_recorded(
    struct exchange_remote *remote, unsigned *status, char **message)
{
	if (open_recording(remote))
		return REMOTE_WAITS;
	*status = remote->asked.can_be_read ? 503 : 403;
	return may_go_on(remote, message) ? REMOTE_ADMITTED : REMOTE_REFUSED;
}

enum remote_admission exchange_remote_admit(
    struct exchange *exchange, unsigned *status, char **message)
{
	struct remote_asked asked;
	remote_asked_read(exchange, &asked);
	bool is_recorded = asked.mode != RECORD_OFF;
	if (asked.kind == REMOTE_NONE || (asked.kind == REMOTE_HIDDEN && !is_recorded))
		return REMOTE_ADMITTED;
	struct exchange_remote *remote = xcalloc(1, sizeof *remote);
	exchange->remote = remote;
	remote->exchange = exchange;
	remote->asked = asked;
	return is_recorded ? admit_recorded(remote, status, message) : REMOTE_ADMITTED;
}

bool exchange_remote_is_recorded(const struct exchange *exchange)
{
	return exchange->remote != NULL && exchange->remote->recording != NULL;
}

/* --- the tunnel ------------------------------------------------------------------------------ */

char *exchange_remote_open(struct exchange *exchange, const struct http_head *answer)
{
	struct exchange_remote *remote = exchange->remote;
	if (remote == NULL || remote->asked.kind == REMOTE_HIDDEN || answer->status != 101)
		return NULL;
	const char *upgrade = fields_get(&answer->fields, "Upgrade");
	const char *protocol = fields_get(&answer->fields, strcasecmp(upgrade, "websocket") == 0
							       ? "Sec-WebSocket-Protocol"
							       : "X-Stream-Protocol-Version");
	bool can_read = remote_command_can_read(upgrade, protocol);
	if (!can_read && remote->asked.mode != RECORD_OFF && remote->problem == NULL) {
		stop_recording(remote, "protocol", UNREADABLE);
		remote->has_failed = true;
	}
	if (!can_read)
		return remote->asked.mode == RECORD_STRICT ? refusal_of(remote) : NULL;
	remote->protocol = xasprintf("%s %s", upgrade, protocol != NULL ? protocol : "");
	if (remote->recording != NULL)
		begin_recording(remote);
	remote->command =
	    remote_command_new(upgrade, protocol, remote->was_recorded ? on_stream : NULL, remote);
	return NULL;
}

/* Only input and sizes are missing. If the recording stopped, clients could stop it. */
static void note_gap(struct exchange_remote *remote, const char *gap)
{
	if (remote->gap != NULL)
		return;
	remote->gap = gap;
	recording_note_gap(remote->recording, gap);
	recordings_tell_failure(
	    remote->exchange->all->with.recordings, remote->exchange->audit_id, "protocol", gap);
}

/* False: the exchange is over. */
static bool on_unreadable(struct exchange_remote *remote, enum remote_side side)
{
	static const char *const problems[REMOTE_SIDES] = {
	    "what its client sends cannot be read any more",
	    "what the API server sends cannot be read any more"};
	if (!remote->was_recorded || remote->has_failed)
		return true;
	if (side == REMOTE_CLIENT && remote->asked.mode != RECORD_STRICT) {
		note_gap(remote, problems[side]);
		return true;
	}
	stop_recording(remote, "protocol", problems[side]);
	return act_on_problem(remote, true);
}

/* Reads no further than the message goes that is under way. */
static bool read_to_end(struct exchange_remote *remote, const uint8_t *data, size_t *len)
{
	size_t used = 0;
	while (used < *len && remote_command_wanted(remote->command) > 0) {
		uint64_t wanted = remote_command_wanted(remote->command);
		size_t count = *len - used < wanted ? *len - used : (size_t)wanted;
		if (!remote_command_feed(remote->command, REMOTE_SERVER, data + used, count))
			break;
		used += count;
	}
	*len = used;
	return used > 0;
}

bool exchange_remote_passes(
    struct exchange *exchange, enum remote_side side, const uint8_t *data, size_t *len)
{
	struct exchange_remote *remote = exchange->remote;
	if (remote->command == NULL)
		return true;
	if (remote->ending != NULL)
		return side == REMOTE_SERVER && read_to_end(remote, data, len);
	if (!remote_command_feed(remote->command, side, data, *len) && !on_unreadable(remote, side))
		return false;
	/* Not taken: neither does it pass. */
	return remote->problem == NULL || remote->has_failed || act_on_problem(remote, false);
}

static void say_last_word(struct exchange_remote *remote)
{
	struct exchange *exchange = remote->exchange;
	struct buf status = {0}, out = {0};
	char *text = remote->asked.has_terminal ? xasprintf("\r\n%s\r\n", remote->ending)
						: xasprintf("%s\n", remote->ending);
	bool has_place = remote->asked.has_terminal || remote->asked.has_stderr;
	struct remote_last_word word = {
	    .stream = remote->asked.has_terminal ? REMOTE_STDOUT : REMOTE_STDERR,
	    .text = has_place ? text : NULL,
	};
	status_write(&status, 500, remote->ending);
	word.status = buf_text(&status);
	remote_command_end(remote->command, &word, &out);
	if (has_place && remote->was_recorded)
		on_stream(remote, word.stream, (const uint8_t *)text, strlen(text), true);
	exchange->relay.answer_bytes += out.len;
	(void)!exchange->client.verbs->send_body(
	    exchange->client.object, (const uint8_t *)out.data, out.len);
	exchange->client.verbs->send_end(exchange->client.object);
	free(text);
	buf_free(&status);
	buf_free(&out);
	exchange_finish(exchange, remote->ending);
}

void exchange_remote_passed(struct exchange *exchange)
{
	struct exchange_remote *remote = exchange->remote;
	if (remote->command == NULL)
		return;
	bool is_now = remote->ending != NULL && remote_command_wanted(remote->command) == 0;
	if (!is_now) {
		follow_disk(remote);
		return;
	}
	if (remote_command_can_end(remote->command))
		say_last_word(remote);
	else
		exchange_finish(exchange, remote->ending);
}

/* --- the end --------------------------------------------------------------------------------- */

static void on_patience_over(void *arg)
{
	struct exchange_remote *remote = arg;
	exchange_finish(remote->exchange, remote->ending);
}

/* Of a message that the client has the begin of. False: none can stand there. */
static bool cover_rest(struct exchange_remote *remote)
{
	struct exchange *exchange = remote->exchange;
	struct buf rest = {0};
	bool is_covered = remote_command_fill(remote->command, &rest);
	if (is_covered && rest.len > 0) {
		exchange->relay.answer_bytes += rest.len;
		(void)!exchange->client.verbs->send_body(
		    exchange->client.object, (const uint8_t *)rest.data, rest.len);
	}
	buf_free(&rest);
	return is_covered;
}

/* Who does not read cannot be told, and what waits for them is not to be kept. */
bool exchange_end_session(struct exchange *exchange, const char *reason)
{
	struct exchange_remote *remote = exchange->remote;
	if (exchange->state != STATE_TUNNEL || remote == NULL || remote->command == NULL ||
	    remote->ending != NULL || exchange->is_half_closed || exchange->link.is_stalled ||
	    !remote_command_can_end(remote->command))
		return false;
	bool is_unrecorded = remote->problem != NULL && remote->asked.mode == RECORD_STRICT;
	if (is_unrecorded && !cover_rest(remote))
		return false;
	remote->ending = xstrdup(reason);
	if (remote_command_wanted(remote->command) == 0) {
		say_last_word(remote);
		return true;
	}
	remote->patience = timer_new(exchange->all->with.loop, on_patience_over, remote);
	timer_set(remote->patience, duration_ms(PATIENCE_MS));
	follow_disk(remote);
	return true;
}

const char *exchange_remote_reason(const struct exchange *exchange, const char *reason)
{
	const struct exchange_remote *remote = exchange->remote;
	return remote != NULL && remote->ending != NULL ? remote->ending : reason;
}

void exchange_remote_tell(const struct exchange *exchange, struct audit_event *event)
{
	const struct exchange_remote *remote = exchange->remote;
	if (remote == NULL || event->stage == AUDIT_REQUEST_RECEIVED)
		return;
	event->recording_problem = remote->problem != NULL ? remote->problem : remote->gap;
	event->recorded = !remote->was_recorded		     ? "no"
			  : event->recording_problem != NULL ? "in part"
							     : "yes";
	if (remote->was_recorded)
		event->recording = exchange->audit_id;
}

bool exchange_remote_take_event(const struct exchange *exchange, const struct audit_event *event)
{
	const struct exchange_remote *remote = exchange->remote;
	if (remote == NULL || remote->last_event == NULL)
		return false;
	recorded_event_set(remote->last_event, event);
	return true;
}

static void on_recording_ended(void *arg, const char *problem)
{
	struct recorded_event *last = arg;
	recorded_event_end(&last, problem);
}

static void end_recording(struct exchange_remote *remote, const char *reason)
{
	bool is_in_part = recording_problem(remote->recording) == NULL && remote->gap != NULL;
	recording_finish(
	    &remote->recording, reason, is_in_part ? NULL : on_recording_ended, remote->last_event);
	if (is_in_part)
		recorded_event_end(&remote->last_event, remote->gap);
}

void exchange_remote_free(struct exchange *exchange, const char *reason)
{
	struct exchange_remote *remote = exchange->remote;
	exchange->remote = NULL;
	if (remote == NULL)
		return;
	if (remote->recording != NULL && remote->was_recorded)
		end_recording(remote, reason);
	else if (remote->recording != NULL)
		recording_discard(&remote->recording);
	remote_command_free(&remote->command);
	timer_free(&remote->patience);
	remote_asked_clear(&remote->asked);
	free(remote->protocol);
	free(remote->problem);
	free(remote->ending);
	free(remote);
}
