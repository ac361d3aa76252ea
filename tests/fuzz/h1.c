/* The demands on the HTTP/1 reader, checked by abort(). */
#include "tests/fuzz/h1.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"

static const struct h1_limits limits = {
    .head_bytes = 4096, .field_count = 50, .chunk_extension_bytes = 256};
/* Writing anew adds fields of its own. */
static const struct h1_limits wide = {
    .head_bytes = 65536, .field_count = 60, .chunk_extension_bytes = 256};

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* As the proxy does it: what belongs to one hop is not taken along. */
static struct http_head copy_head(const struct http_head *head)
{
	struct http_head copy = *head;
	copy.target_text = copy.authority_text = (struct buf){0};
	if (head->target != NULL)
		http_head_set_target(&copy, head->target, strlen(head->target));
	if (head->authority != NULL)
		http_head_set_authority(&copy, head->authority, strlen(head->authority));
	copy.fields = (struct http_fields){0};
	for (size_t i = 0; i < head->fields.count; i++)
		if (strcasecmp(fields_name(&head->fields, i), "connection") != 0)
			fields_add_text(&copy.fields, fields_name(&head->fields, i),
			    fields_value(&head->fields, i));
	return copy;
}

static void compare(const struct http_head *sent, const struct http_head *read)
{
	demand(strcmp(sent->method, read->method) == 0 && sent->status == read->status);
	if (sent->status == 0)
		demand(is_same_text(sent->target, read->target) &&
		       is_same_text(sent->authority, read->authority));
	demand(sent->body == read->body && sent->is_upgrade == read->is_upgrade);
	if (sent->body == HTTP_BODY_LENGTH)
		demand(sent->content_length == read->content_length);
	size_t at = 0;
	for (size_t i = 0; i < read->fields.count; i++) {
		if (strcasecmp(fields_name(&read->fields, i), "connection") == 0)
			continue;
		demand(at < sent->fields.count);
		demand(strcmp(fields_name(&sent->fields, at), fields_name(&read->fields, i)) == 0);
		demand(
		    strcmp(fields_value(&sent->fields, at), fields_value(&read->fields, i)) == 0);
		at++;
	}
	demand(at == sent->fields.count);
}

static void write_and_read(enum h1_kind kind, const struct http_head *head, bool is_head_answer)
{
	struct http_head copy = copy_head(head);
	struct buf out = {0};
	if (kind == H1_REQUESTS)
		http_head_write_request(&copy, &out);
	else
		http_head_write_response(&copy, &out);
	struct h1_reader *reader = h1_reader_new(kind, &wide);
	if (is_head_answer)
		h1_reader_expect_no_body(reader);
	size_t used = 0;
	demand(h1_reader_next(reader, (const uint8_t *)out.data, out.len, &used) == H1_HEAD);
	demand(used == out.len);
	compare(&copy, h1_reader_head(reader));
	h1_reader_free(&reader);
	buf_free(&out);
	http_head_free(&copy);
}

/* Appends what happened to `story`; true while more may follow. */
static bool tell(struct h1_reader *reader, enum h1_event event, struct buf *story)
{
	const uint8_t *data;
	size_t len;
	switch (event) {
	case H1_BODY:
		h1_reader_body(reader, &data, &len);
		demand(len > 0);
		buf_append(story, data, len);
		return true;
	case H1_HEAD:
		buf_printf(story, "\nHEAD %s %u %zu\n", h1_reader_head(reader)->method,
		    h1_reader_head(reader)->status, h1_reader_head(reader)->fields.count);
		return true;
	case H1_END:
		buf_append_text(story, "\nEND\n");
		return true;
	case H1_ERROR:
		demand(h1_reader_error(reader).message != NULL &&
		       h1_reader_error(reader).status >= 400);
		buf_append_text(story, "\nERROR\n");
		return false;
	case H1_UPGRADED:
		buf_append_text(story, "\nUPGRADED\n");
		return false;
	case H1_MORE:
		return true;
	}
	abort();
}

struct script {
	enum h1_kind kind;
	bool is_head_answer;
	const uint8_t *data;
	size_t len;
};

/* Feeds one piece; false when nothing more can come. */
static bool feed(const struct script *script, struct h1_reader *reader, const uint8_t *data,
    size_t len, struct buf *story)
{
	size_t at = 0;
	enum h1_event event = H1_END;
	while (event != H1_MORE) {
		size_t used = 0;
		event = h1_reader_next(reader, data + at, len - at, &used);
		demand(used <= len - at);
		demand(used > 0 || event != H1_BODY);
		at += used;
		if (!tell(reader, event, story))
			return false;
		if (event == H1_HEAD)
			write_and_read(script->kind, h1_reader_head(reader),
			    script->is_head_answer &&
				h1_reader_head(reader)->body == HTTP_BODY_NONE);
	}
	demand(at == len);
	return true;
}

static void play(const struct script *script, size_t step, struct buf *story)
{
	struct h1_reader *reader = h1_reader_new(script->kind, &limits);
	if (script->is_head_answer)
		h1_reader_expect_no_body(reader);
	bool goes_on = true;
	for (size_t at = 0; goes_on && at < script->len; at += step) {
		size_t len = step < script->len - at ? step : script->len - at;
		goes_on = feed(script, reader, script->data + at, len, story);
	}
	if (goes_on)
		tell(reader, h1_reader_finish(reader), story);
	h1_reader_free(&reader);
}

void fuzz_h1(enum h1_kind kind, const uint8_t *data, size_t len)
{
	if (len < 2)
		return;
	uint8_t *bytes = xmemdup(data + 1, len - 1);
	struct script script = {.kind = kind,
	    .is_head_answer = kind == H1_RESPONSES && (data[0] & 0x80) != 0,
	    .data = bytes,
	    .len = len - 1};
	struct buf whole = {0}, cut = {0};
	play(&script, script.len, &whole);
	play(&script, (size_t)(data[0] & 0x7f) + 1, &cut);
	demand(whole.len == cut.len && memcmp(buf_text(&whole), buf_text(&cut), whole.len) == 0);
	buf_free(&whole);
	buf_free(&cut);
	free(bytes);
}
