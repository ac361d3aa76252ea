/* The access line: who did what to which cluster, what became of it, and which rule decided. Joined
 * with the API server's own audit by the Audit-ID. Called by exchange.c at the end of each request.
 */
#include "kubeproxyd/record/access_log.h"

#include "common/buf.h"
#include "common/log.h"

static const char *or_none(const char *text)
{
	return text != NULL && *text != '\0' ? text : NULL;
}

/* "deployments.apps/scale". Borrowed until the next call. */
static const char *resource_of(const struct access_entry *entry)
{
	static struct buf out;
	const char *group = or_none(entry->api_group), *subresource = or_none(entry->subresource);
	if (entry->resource == NULL || (group == NULL && subresource == NULL))
		return or_none(entry->resource);
	buf_clear(&out);
	buf_append_text(&out, entry->resource);
	if (group != NULL) {
		buf_append_char(&out, '.');
		buf_append_text(&out, group);
	}
	if (subresource != NULL) {
		buf_append_char(&out, '/');
		buf_append_text(&out, subresource);
	}
	return buf_text(&out);
}

/* What only filtered answers have stands behind it. */
static struct log_field last_of_all_lines(const struct access_entry *entry)
{
	struct log_field end = {.kind = LOG_KIND_END};
	return entry->is_filtered ? LOG_I("passed", entry->objects_passed) : end;
}

void access_log_write(const struct access_entry *entry)
{
	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	const struct log_field fields[] = {
	    LOG_S("room=access event=request audit_id", entry->audit_id),
	    LOG_S("client", entry->client), LOG_S("user", entry->user),
	    LOG_S("cluster", or_none(entry->cluster)), LOG_S("method", entry->method),
	    LOG_S("verb", or_none(entry->verb)), LOG_S("resource", resource_of(entry)),
	    LOG_S("namespace", or_none(entry->namespace)), LOG_S("name", or_none(entry->name)),
	    LOG_S("path", or_none(entry->path)), LOG_I("status", entry->status),
	    LOG_I("bytes_in", entry->bytes_in), LOG_I("bytes_out", entry->bytes_out),
	    LOG_I("ms", entry->took.ms), LOG_S("rule", entry->rule), LOG_S("reason", entry->reason),
	    last_of_all_lines(entry), LOG_I("left_out", entry->objects_left_out),
	    {.kind = LOG_KIND_END}};
	log_write_at(LOG_LEVEL_INFO, entry->now, fields);
}
