/* `sessions`: execs, attaches and port-forwards, those under way in all instances here and those
 * that are recorded; and `sessions terminate`, which ends one. Called by main. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/render.h"
#include "common/settings.h"
#include "common/sigv4.h"
#include "common/xmem.h"
#include "kubeproxyd/cli.h"
#include "kubeproxyd/cli_ask.h"
#include "kubeproxyd/proxy_admin_sessions.h"
#include "kubeproxyd/session_list.h"

#define ID_CHARACTERS "0123456789abcdefABCDEF-"
#define LIST	      "/v1/sessions"
#define TERMINATE     "/v1/sessions/terminate/"
/* How many ids a complaint names. */
#define NAMED_MAX 5

struct options {
	const char *config, *directory, *reason;
	enum render_format format;
	struct session_filter filter;
};

static const struct verb_option rows[] = {
    {"live", NULL, option_flag, offsetof(struct options, filter.has_live), "only those under way"},
    {"kept", NULL, option_flag, offsetof(struct options, filter.has_kept),
	"only recordings of those that are over"},
    {"user", "NAME", option_text, offsetof(struct options, filter.user), "only of this user"},
    {"cluster", "NAME", option_text, offsetof(struct options, filter.cluster),
	"only in this cluster"},
    {"since", "TIME", cli_option_since, offsetof(struct options, filter.since),
	"only those begun from then on: 1h, 7d, or 2026-01-02T03:04:05Z"},
    {"reason", "TEXT", option_text, offsetof(struct options, reason),
	"terminate: what the user is told and the audit log keeps"},
    {"instance", "NAME", cli_option_instance, offsetof(struct options, filter.instance),
	"only this instance"},
    {"dir", "DIRECTORY", option_text, offsetof(struct options, directory),
	"where recordings are, instead of eksgate.proxy.recording.dir"},
    {"format", "table|json|yaml", option_format, offsetof(struct options, format),
	"for people, or one document"},
    CLI_CONFIG_OPTION(struct options),
};

const struct verb cli_sessions_verb = {
    .name = "sessions",
    .operands = "[terminate ID]",
    .most = 2,
    VERB_OPTIONS(rows),
    .help = "print the sessions in containers, live and recorded, or end one",
};

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return json_object_get_string(value);
}

/* --- listing --------------------------------------------------------------------------------- */

static void complain(struct json_object *answer)
{
	const char *why = text_of(answer, "error");
	cli_tell(why != NULL ? why : "an instance's answer has no sessions");
}

static bool take_live(void *arg, int status, struct json_object *answer)
{
	if (status != 200 || !session_list_add_live(arg, answer))
		complain(answer);
	return true;
}

/* False after telling why, when something is not known. */
static bool fill(
    struct session_list *list, const struct options *options, const struct settings *settings)
{
	char *error = NULL;
	const char *directory =
	    options->directory != NULL ? options->directory : settings->proxy.recording.directory;
	bool is_known = cli_ask(
	    settings->proxy.run_dir, options->filter.instance, "GET", LIST, take_live, list);
	/* What is kept can be looked at while no proxy runs. */
	is_known |= options->filter.has_kept;
	if (session_list_add_kept(list, directory, &error))
		return is_known;
	(void)cli_fail(error);
	return is_known && !options->filter.has_kept;
}

static void tell_problems(struct json_object *sessions)
{
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		const char *problem = text_of(json_object_array_get_idx(sessions, i), "problem");
		if (problem != NULL)
			cli_tell(problem);
	}
}

static void print(struct json_object *sessions, enum render_format format)
{
	struct buf out = {0};
	if (format == RENDER_TABLE)
		session_list_table(sessions, &out);
	else
		render_document(&out, sessions, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
	if (format == RENDER_TABLE)
		tell_problems(sessions);
}

static int list_sessions(struct options *options, const struct settings *settings)
{
	struct session_list *list = session_list_new();
	if (!options->filter.has_live && !options->filter.has_kept)
		options->filter.has_live = options->filter.has_kept = true;
	bool is_known = fill(list, options, settings);
	struct json_object *sessions = session_list_take(list, &options->filter);
	print(sessions, options->format);
	json_object_put(sessions);
	session_list_free(&list);
	return is_known ? CLI_DONE : CLI_NO;
}

/* --- terminating ----------------------------------------------------------------------------- */

/* Live sessions whose ids begin with what was given. */
struct search {
	const char *prefix;
	const char *id, *instance; /* of the last one; borrowed from the list */
	struct buf names;
	size_t count;
};

static void look(struct search *search, struct json_object *sessions)
{
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		struct json_object *session = json_object_array_get_idx(sessions, i);
		const char *id = text_of(session, "id");
		if (strncasecmp(id, search->prefix, strlen(search->prefix)) != 0)
			continue;
		search->id = id;
		search->instance = text_of(session, "instance");
		if (search->count++ < NAMED_MAX)
			buf_printf(&search->names, "%s%s", search->count > 1 ? ", " : "", id);
	}
}

static bool is_found(const struct search *search)
{
	if (search->count == 0)
		(void)cli_fail(
		    xasprintf("no session under way here begins with \"%s\": `kubeproxyd "
			      "sessions --live` lists them",
			search->prefix));
	if (search->count > 1)
		(void)cli_fail(
		    xasprintf("\"%s\" is the beginning of %zu sessions: %s%s; nothing was ended",
			search->prefix, search->count, buf_text(&search->names),
			search->count > NAMED_MAX ? ", ..." : ""));
	return search->count == 1;
}

static bool on_terminated(void *arg, int status, struct json_object *answer)
{
	bool *is_done = arg;
	struct json_object *session = NULL;
	*is_done = status == 200 && json_object_object_get_ex(answer, "terminated", &session);
	if (!*is_done) {
		complain(answer);
		return true;
	}
	struct buf out = {0};
	char *text = xasprintf("%s is ended: %s of %s in %s/%s, %s", text_of(session, "id"),
	    text_of(session, "kind"), text_of(session, "user"), text_of(session, "namespace"),
	    text_of(session, "pod"), text_of(session, "cluster"));
	render_text(&out, text);
	puts(buf_text(&out));
	buf_free(&out);
	free(text);
	return true;
}

static void add_parameter(struct buf *target, char before, const char *name, const char *value)
{
	buf_printf(target, "%c%s=", before, name);
	sigv4_encode(target, value, strlen(value));
}

static int end_session(
    const struct search *search, const struct options *options, const struct settings *settings)
{
	struct buf target = {0};
	bool is_done = false;
	/* Whom root says it is, for the audit log. */
	const char *behalf = getenv("SUDO_USER");
	buf_printf(&target, TERMINATE "%s", search->id);
	add_parameter(&target, '?', "for", behalf != NULL ? behalf : "");
	if (options->reason != NULL)
		add_parameter(&target, '&', "reason", options->reason);
	bool is_asked = cli_ask(settings->proxy.run_dir, search->instance, "POST",
	    buf_text(&target), on_terminated, &is_done);
	buf_free(&target);
	return is_asked && is_done ? CLI_DONE : CLI_NO;
}

static int terminate(
    const char *prefix, const struct options *options, const struct settings *settings)
{
	static const struct session_filter live = {.has_live = true};
	struct search search = {.prefix = prefix};
	struct session_list *list = session_list_new();
	bool is_known = cli_ask(
	    settings->proxy.run_dir, options->filter.instance, "GET", LIST, take_live, list);
	struct json_object *sessions = session_list_take(list, &live);
	look(&search, sessions);
	int status =
	    is_known && is_found(&search) ? end_session(&search, options, settings) : CLI_NO;
	buf_free(&search.names);
	json_object_put(sessions);
	session_list_free(&list);
	return status;
}

/* --- the verb -------------------------------------------------------------------------------- */

static int check(const struct options *options, char **operands)
{
	const struct verb *verb = &cli_sessions_verb;
	const struct session_filter *filter = &options->filter;
	if (operands[0] == NULL)
		return options->reason == NULL
			   ? CLI_DONE
			   : cli_wrong_use(verb, "--reason goes with terminate");
	if (strcmp(operands[0], "terminate") != 0 || operands[1] == NULL)
		return cli_wrong_use(verb, "sessions takes nothing, or terminate and an ID");
	if (filter->has_live || filter->has_kept || filter->user != NULL ||
	    filter->cluster != NULL || filter->since.ms != 0)
		return cli_wrong_use(verb, "terminate takes one ID, and no choice of sessions");
	if (*operands[1] == '\0' || strspn(operands[1], ID_CHARACTERS) != strlen(operands[1]))
		return cli_wrong_use(
		    verb, "\"%s\" is no ID, nor the beginning of one", operands[1]);
	if (options->reason != NULL && strlen(options->reason) > SESSION_REASON_MAX)
		return cli_wrong_use(verb, "--reason must be at most %d bytes", SESSION_REASON_MAX);
	return CLI_DONE;
}

int cli_sessions(int argc, char **argv)
{
	struct options options = {0};
	char **operands;
	int status;
	if (!cli_read(&cli_sessions_verb, argc, argv, &options, &operands, &status))
		return status;
	status = check(&options, operands);
	if (status != CLI_DONE)
		return status;
	bool is_whole;
	struct settings *settings = cli_load_readable(options.config, &is_whole);
	if (settings == NULL)
		return CLI_NO;
	status = operands[0] != NULL && operands[1] != NULL
		     ? terminate(operands[1], &options, settings)
		     : list_sessions(&options, settings);
	settings_free(&settings);
	return status;
}
