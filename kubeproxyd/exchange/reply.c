/* Writes answers of the proxy itself to a client. Never a WWW-Authenticate: kubectl would ask for a
 * password. */
#include "kubeproxyd/exchange/reply.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/status.h"

/* client-go takes the body of an error to /api and /apis for text and drops it: kubectl would say
 * "unknown". Warnings it prints, whatever the request. */
static bool is_discovery(const char *target)
{
	size_t len = strcspn(target, "?");
	return (len >= 4 && memcmp(target + len - 4, "/api", 4) == 0) ||
	       (len >= 5 && memcmp(target + len - 5, "/apis", 5) == 0);
}

/* Code 299 without an agent, the text as a quoted string (RFC 7234, 5.5). */
static void add_warning(struct http_fields *fields, const char *message)
{
	struct buf warning = {0};
	buf_append_text(&warning, "299 - \"");
	for (; *message != '\0'; message++) {
		unsigned char c = (unsigned char)*message;
		if (c == '"' || c == '\\')
			buf_append_char(&warning, '\\');
		buf_append_char(&warning, (char)(c < ' ' || c == 0x7f ? ' ' : c));
	}
	buf_append_char(&warning, '"');
	fields_add_text(fields, "Warning", buf_text(&warning));
	buf_free(&warning);
}

static void fill_head(struct http_head *head, const struct reply *reply, size_t body_len)
{
	head->status = reply->status;
	head->body = HTTP_BODY_LENGTH;
	head->content_length = body_len;
	head->keep_alive = true;
	fields_add_text(&head->fields, "Content-Type",
	    reply->document != NULL ? reply->document_type : "application/json");
	fields_add_text(&head->fields, "Cache-Control", "no-cache, private");
	fields_add_text(&head->fields, "X-Content-Type-Options", "nosniff");
	if (reply->audit_id != NULL)
		fields_add_text(&head->fields, "Audit-Id", reply->audit_id);
	if (reply->target != NULL && is_discovery(reply->target))
		add_warning(&head->fields, reply->message);
	if (reply->status == 405)
		fields_add_text(&head->fields, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
	if (reply->retry_after > 0) {
		char seconds[16];
		snprintf(seconds, sizeof seconds, "%u", reply->retry_after);
		fields_add_text(&head->fields, "Retry-After", seconds);
	}
}

/* Small, and complete after this: whether there is room for more does not matter. */
static void send_whole(struct peer client, struct http_head *head, const char *body, size_t len)
{
	bool has_room = client.verbs->send_head(client.object, head);
	has_room &= client.verbs->send_body(client.object, (const uint8_t *)body, len);
	(void)has_room;
	client.verbs->send_end(client.object);
	http_head_free(head);
}

size_t reply_send(struct peer client, const struct reply *reply)
{
	struct buf body = {0};
	if (reply->document != NULL)
		buf_append(&body, reply->document->data, reply->document->len);
	else
		status_write(&body, reply->status, reply->message);
	struct http_head head = {0};
	fill_head(&head, reply, body.len);
	send_whole(client, &head, body.data, body.len);
	size_t sent = body.len;
	buf_free(&body);
	return sent;
}

size_t reply_send_document(
    struct peer client, const char *type, const char *body, size_t len, const char *audit_id)
{
	struct http_head head = {
	    .status = 200, .body = HTTP_BODY_LENGTH, .content_length = len, .keep_alive = true};
	fields_add_text(&head.fields, "Content-Type", type);
	fields_add_text(&head.fields, "Cache-Control", "no-store");
	fields_add_text(&head.fields, "X-Content-Type-Options", "nosniff");
	fields_add_text(&head.fields, "Audit-Id", audit_id);
	send_whole(client, &head, body, len);
	return len;
}
