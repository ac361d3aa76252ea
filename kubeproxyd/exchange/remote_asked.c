/* Reads requests for execs and attaches as the API server does. Called by exchange_remote.c. */
#include "kubeproxyd/exchange/remote_asked.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/policy/query.h"
#include "kubeproxyd/record/remote_command.h"

static bool is_remote_command(const struct exchange *exchange)
{
	const struct request_info *info = &exchange->admission.info;
	return exchange->request->is_upgrade && info->is_resource &&
	       (text_is(info->subresource, "exec") || text_is(info->subresource, "attach")) &&
	       fields_get(&exchange->request->fields, "Upgrade") != NULL;
}

/* The terminal of an attach is the container's, whatever the request says of one (CRI: Attach). */
static bool is_on_terminal(const struct exchange *exchange, bool has_terminal)
{
	return has_terminal || text_is(exchange->admission.info.subresource, "attach");
}

/* A kubelet runs commands, too: behind nodes/proxy, in tunnels (/exec, /attach) and without one
 * (POST /run). */
static bool is_hidden_command(const struct exchange *exchange)
{
	static const char *const reads[] = {"GET", "HEAD", "OPTIONS"};
	const struct request_info *info = &exchange->admission.info;
	if (!request_info_is_kubelet(info))
		return false;
	for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
		if (text_is(exchange->request->method, reads[i]))
			return exchange->request->is_upgrade;
	}
	return true;
}

static enum remote_kind kind_of(const struct exchange *exchange)
{
	if (is_hidden_command(exchange))
		return REMOTE_HIDDEN;
	return is_remote_command(exchange) ? REMOTE_COMMAND : REMOTE_NONE;
}

/* The first value, as the API server takes it (free()); NULL: there is none. */
static char *parameter(const struct exchange *exchange, const char *name)
{
	const char *query = strchr(exchange->admission.route.target, '?');
	if (query == NULL)
		return NULL;
	char *scratch = xmalloc(strlen(query) + 2);
	char *value = xstrdup_or_null(query_get(query + 1, name, scratch));
	free(scratch);
	return value;
}

static bool is_asked_for(const struct exchange *exchange, const char *name)
{
	char *value = parameter(exchange, name);
	bool is_true = query_is_true(value);
	free(value);
	return is_true;
}

static enum record_mode mode_for(const struct exchange *exchange, bool has_terminal)
{
	const struct role_options *options = &exchange->options;
	bool is_wanted = options->record >= RECORD_BEST_EFFORT &&
			 (has_terminal || options->records_non_interactive);
	return is_wanted ? options->record : RECORD_OFF;
}

static bool can_read_one_of(const char *upgrade, const char *offered)
{
	char *list = xstrdup(offered), *rest = list, *word;
	bool can = false;
	while ((word = strtok_r(rest, ", \t", &rest)) != NULL)
		can |= remote_command_can_read(upgrade, word);
	free(list);
	return can;
}

static bool can_be_read(const struct exchange *exchange)
{
	const struct http_fields *fields = &exchange->request->fields;
	const char *upgrade = fields_get(fields, "Upgrade");
	bool is_websocket = strcasecmp(upgrade, "websocket") == 0;
	const char *name = is_websocket ? "Sec-WebSocket-Protocol" : "X-Stream-Protocol-Version";
	bool has_any = false;
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields_is_named(fields, i, name))
			continue;
		has_any = true;
		if (can_read_one_of(upgrade, fields_value(fields, i)))
			return true;
	}
	return !has_any && remote_command_can_read(upgrade, NULL);
}

void remote_asked_read(const struct exchange *exchange, struct remote_asked *asked)
{
	*asked = (struct remote_asked){.kind = kind_of(exchange)};
	if (asked->kind == REMOTE_HIDDEN)
		asked->mode = mode_for(exchange, exchange->request->is_upgrade);
	if (asked->kind != REMOTE_COMMAND)
		return;
	asked->has_terminal = is_asked_for(exchange, "tty");
	asked->has_stderr = is_asked_for(exchange, "stderr");
	asked->container = parameter(exchange, "container");
	asked->mode = mode_for(exchange, is_on_terminal(exchange, asked->has_terminal));
	asked->can_be_read = asked->mode != RECORD_OFF && can_be_read(exchange);
}

void remote_asked_clear(struct remote_asked *asked)
{
	xfree(&asked->container);
}
