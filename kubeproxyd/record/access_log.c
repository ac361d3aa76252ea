/* The access line: who did what to which cluster, what became of it, and which rule decided. Joined
 * with the API server's own audit by the Audit-ID. Called by exchange.c at the end of each request.
 */
#include "kubeproxyd/record/access_log.h"

#include "common/buf.h"
#include "common/log.h"

/* "deployments.apps/scale"; "" stays empty. Borrowed until the next call. */
static const char *write_resource(const struct access_entry *entry)
{
	static struct buf out;
	buf_clear(&out);
	if (entry->resource == NULL)
		return "";
	buf_append_text(&out, entry->resource);
	if (entry->api_group != NULL && *entry->api_group != '\0') {
		buf_append_char(&out, '.');
		buf_append_text(&out, entry->api_group);
	}
	if (entry->subresource != NULL && *entry->subresource != '\0') {
		buf_append_char(&out, '/');
		buf_append_text(&out, entry->subresource);
	}
	return buf_text(&out);
}

static const char *or_none(const char *text)
{
	return text != NULL && *text != '\0' ? text : NULL;
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
	log_info("access", "request", LOG_S("audit_id", entry->audit_id),
	    LOG_S("client", entry->client), LOG_S("user", entry->user),
	    LOG_S("cluster", or_none(entry->cluster)), LOG_S("method", entry->method),
	    LOG_S("verb", or_none(entry->verb)), LOG_S("resource", or_none(write_resource(entry))),
	    LOG_S("namespace", or_none(entry->namespace)), LOG_S("name", or_none(entry->name)),
	    LOG_S("path", or_none(entry->path)), LOG_I("status", entry->status),
	    LOG_I("bytes_in", entry->bytes_in), LOG_I("bytes_out", entry->bytes_out),
	    LOG_I("ms", entry->took.ms), LOG_S("rule", entry->rule), LOG_S("reason", entry->reason),
	    last_of_all_lines(entry), LOG_I("left_out", entry->objects_left_out));
}
