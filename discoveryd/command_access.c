/* `discoveryd access NAME`: what is wanted, what was found, what is next, for people. */
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "discoveryd/admin_routes.h"
#include "discoveryd/commands.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

static void append_row(struct buf *out, const char *heading, const char *value)
{
	if (value != NULL)
		buf_printf(out, "  %-14s %s\n", heading, value);
}

static void append_list(struct buf *out, const char *heading, struct json_object *list)
{
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
		append_row(
		    out, heading, json_object_get_string(json_object_array_get_idx(list, i)));
}

static void append_found(struct buf *out, struct json_object *found)
{
	for (size_t i = 0; found != NULL && i < json_object_array_length(found); i++) {
		struct json_object *entry = json_object_array_get_idx(found, i);
		struct json_object *groups = member(entry, "groups");
		struct buf line = {0};
		buf_printf(&line, "%s: access entry %s", text_of(entry, "principal"),
		    text_of(entry, "entry"));
		if (text_of(entry, "made_by") != NULL)
			buf_printf(&line, ", made by %s", text_of(entry, "made_by"));
		for (size_t k = 0; k < json_object_array_length(groups); k++)
			buf_printf(&line, "%s%s", k == 0 ? ", groups " : " ",
			    json_object_get_string(json_object_array_get_idx(groups, k)));
		append_row(out, "found", buf_text(&line));
		buf_free(&line);
	}
}

static void append_proxies(struct buf *out, struct json_object *state)
{
	struct json_object *proxies = member(state, "proxies");
	for (size_t i = 0; proxies != NULL && i < json_object_array_length(proxies); i++) {
		struct json_object *proxy = json_object_array_get_idx(proxies, i);
		struct buf line = {0};
		buf_printf(&line, "%s: reachable %s, known %s, permitted %s, healthy %s (%s)",
		    text_of(proxy, "instance"), text_of(proxy, "reachable"),
		    text_of(proxy, "authenticated"), text_of(proxy, "permitted"),
		    text_of(proxy, "healthy"), text_of(proxy, "code"));
		append_row(out, "proxy", buf_text(&line));
		append_row(out, "denied", text_of(proxy, "denied"));
		buf_free(&line);
	}
}

static void append_all(struct buf *out, struct json_object *document)
{
	struct json_object *wanted = member(document, "wanted"),
			   *bootstrap = member(document, "bootstrap"),
			   *plan = member(document, "plan"), *state = member(document, "state"),
			   *last = member(document, "last_step");
	buf_printf(out, "%s (%s)\n", text_of(document, "name"), text_of(document, "arn"));
	append_row(out, "authentication", text_of(document, "authentication_mode"));
	append_row(out, "mode", text_of(wanted, "mode"));
	append_list(out, "wanted for", member(wanted, "principals"));
	append_row(out, "group", text_of(wanted, "group"));
	append_row(out, "acts as", text_of(document, "acts_as"));
	append_found(out, member(document, "found"));
	append_row(out, "bootstrap", text_of(bootstrap, "principal"));
	append_row(out, "temporary", text_of(bootstrap, "journal"));
	append_proxies(out, state);
	append_row(out, "reached", text_of(state, "reached"));
	append_row(out, "next step", text_of(plan, "step"));
	append_row(out, "because", text_of(plan, "text"));
	append_row(out, "what to do", text_of(plan, "remedy"));
	append_row(out, "last step", text_of(last, "what"));
	append_row(out, "error", text_of(document, "error"));
}

int command_access(const struct cli *cli)
{
	const char *method = cli->is_dry_run ? "GET" : "POST";
	struct json_object *document = command_ask(cli, method, ADMIN_ACCESS, cli->operand);
	if (document == NULL)
		return EXIT_NO;
	const char *reason = text_of(member(document, "plan"), "reason");
	bool is_ready = reason != NULL && strcmp(reason, "ready") == 0;
	struct buf out = {0};
	if (cli->format == RENDER_TABLE)
		append_all(&out, document);
	else
		render_document(&out, document, cli->format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
	json_object_put(document);
	return is_ready ? EXIT_DONE : EXIT_NO;
}
