/* Looks at live exchanges as sessions. Nothing is kept for it: what is asked for now and then is
 * worked out when it is asked for. Called by the admin routes. */
#include "kubeproxyd/exchange/exchange_session.h"

#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/query.h"
#include "kubeproxyd/record/forwarded_ports.h"

/* The subresource, and what people call it. */
static const char *const kinds[][2] = {
    {"exec", "exec"}, {"attach", "attach"}, {"portforward", "port-forward"}};

/* What the query of a request says. */
struct asked {
	struct buf command, container;
	bool has_terminal;
};

/* NULL: it is none. */
static const char *kind_of(const struct exchange *exchange)
{
	const struct request_info *info = &exchange->admission.info;
	bool is_admitted = exchange->state >= STATE_GETTING_TOKEN && exchange->state < STATE_ENDED;
	if (!is_admitted || !info->is_resource || strcmp(info->resource, "pods") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(info->subresource, kinds[i][0]) == 0)
			return kinds[i][1];
	}
	return NULL;
}

static void read_pair(const struct query_pair *pair, struct asked *asked)
{
	if (strcmp(pair->key, "command") == 0) {
		if (asked->command.len > 0)
			buf_append_char(&asked->command, ' ');
		buf_append_text(&asked->command, pair->value);
	} else if (strcmp(pair->key, "container") == 0 && asked->container.len == 0) {
		buf_append_text(&asked->container, pair->value);
	} else if (strcmp(pair->key, "tty") == 0) {
		asked->has_terminal |= query_is_true(pair->value);
	}
}

static void read_query(const char *target, struct asked *asked)
{
	const char *query = strchr(target, '?');
	if (query == NULL)
		return;
	query++;
	char *scratch = xmalloc(strlen(query) + 2);
	struct query_pair pair;
	while (query_next(&query, scratch, &pair)) {
		if (!pair.is_dropped)
			read_pair(&pair, asked);
	}
	free(scratch);
}

static void describe(struct exchange *exchange, const char *kind, const struct asked *asked,
    struct exchange_session *session)
{
	const struct admission *admission = &exchange->admission;
	*session = (struct exchange_session){
	    .id = exchange->audit_id,
	    .kind = kind,
	    .user = exchange->identity->user,
	    .cluster = admission->route.cluster,
	    .arn = admission->cluster->resource->aws.arn,
	    .namespace = admission->info.namespace,
	    .pod = admission->info.name,
	    .container = buf_text(&asked->container),
	    .command = buf_text(&asked->command),
	    .ports = forwarded_ports_text(exchange->audit.ports),
	    .client = exchange->caller->address,
	    .protocol = fields_get(&exchange->request->fields, "Upgrade"),
	    .has_terminal = asked->has_terminal,
	    .is_open = exchange->state == STATE_TUNNEL,
	    .since = unix_add(unix_now(), duration_ms(-mono_since(exchange->started).ms)),
	    .bytes_in = exchange->relay.request_bytes,
	    .bytes_out = exchange->relay.answer_bytes,
	};
}

void exchange_sessions_each(struct exchanges *all, exchange_session_fn *fn, void *arg)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &all->live, entry, next)
	{
		const char *kind = kind_of(link->exchange);
		if (kind == NULL)
			continue;
		struct asked asked = {0};
		struct exchange_session session;
		read_query(link->exchange->request->target, &asked);
		describe(link->exchange, kind, &asked, &session);
		fn(arg, link->exchange, &session);
		buf_free(&asked.command);
		buf_free(&asked.container);
	}
}

static void count(void *arg, struct exchange *exchange, const struct exchange_session *session)
{
	(void)exchange;
	if (session->is_open)
		metric_add(arg, 1, session->kind);
}

void exchange_sessions_collect(void *all)
{
	struct exchanges *exchanges = all;
	struct metric *gauge = exchanges->metrics.sessions;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		metric_set(gauge, 0, kinds[i][1]);
	exchange_sessions_each(exchanges, count, gauge);
}

void exchange_session_terminate(struct exchange *exchange, const char *by, const char *reason)
{
	char *sentence =
	    reason != NULL && *reason != '\0'
		? xasprintf("an administrator of eksgate ended this session: %s", reason)
		: xstrdup("an administrator of eksgate ended this session");
	exchange->audit.terminated_by = arena_strndup(&exchange->arena, by, strlen(by));
	exchange_withdraw(exchange, sentence);
	free(sentence);
}
