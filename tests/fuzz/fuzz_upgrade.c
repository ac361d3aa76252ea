/* Answers to an upgrade, and what becomes of them: one byte that says what was asked, then the
 * answer's bytes. A tunnel is only ever what was asked for and verified; any other answer is one
 * that the client reads as such, with nothing in it that belongs to the hop or asks for
 * credentials. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "kubeproxyd/exchange/upgrade.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/http/h1_reader.h"

#define PATH "/api/v1/namespaces/a/pods/p/proxy"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct h1_limits limits = {
    .head_bytes = 4096, .field_count = 50, .chunk_extension_bytes = 256};
static const struct h1_limits wide = {
    .head_bytes = 65536, .field_count = 60, .chunk_extension_bytes = 256};

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

/* As a client reads it. */
static void read_as_client(const struct http_head *head)
{
	static const char *const never[] = {"WWW-Authenticate", "Keep-Alive", "Proxy-Authenticate",
	    "Strict-Transport-Security", "Alt-Svc", "HTTP2-Settings"};
	struct buf out = {0};
	size_t used = 0;
	http_head_write_response(head, &out);
	struct h1_reader *reader = h1_reader_new(H1_RESPONSES, &wide);
	demand(h1_reader_next(reader, (const uint8_t *)out.data, out.len, &used) == H1_HEAD);
	demand(used == out.len);
	const struct http_head *read = h1_reader_head(reader);
	demand(read->status == head->status && read->is_upgrade == (head->status == 101));
	demand(fields_count_of(&read->fields, "Upgrade") == (head->status == 101));
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		demand(fields_get(&read->fields, never[i]) == NULL);
	h1_reader_free(&reader);
	buf_free(&out);
}

static void judge_head(
    const struct http_head *request, bool was_sent, const struct http_head *answer, bool is_proxied)
{
	bool is_refused = upgrade_refuse(request, was_sent, answer) != NULL;
	if (answer->status == 101 && !was_sent)
		demand(is_refused);
	if (answer->status == 101 && !is_refused) {
		const char *got = fields_get(&answer->fields, "Upgrade");
		demand(fields_count_of(&answer->fields, "Upgrade") == 1);
		demand(strcasecmp(got, fields_get(&request->fields, "Upgrade")) == 0);
	}
	struct headers_answer given = {.upstream = answer,
	    .authority = "api.example",
	    .prefix = "/clusters/c",
	    .target = PATH "/x",
	    .opaque_from = is_proxied ? strlen(PATH) : 0};
	struct http_head client = {0};
	char *message = NULL;
	if (!is_refused && headers_build_response(&given, &client, &message))
		read_as_client(&client);
	free(message);
	http_head_free(&client);
}

static void judge_trailers(const struct http_fields *trailers)
{
	struct http_fields passed = {0};
	struct buf out = {0};
	headers_build_trailers(trailers, &passed);
	http_trailers_write(&passed, &out);
	demand(passed.count <= limits.field_count);
	fields_free(&passed);
	buf_free(&out);
}

static void read_answers(
    const struct http_head *request, uint8_t how, const uint8_t *data, size_t len)
{
	struct h1_reader *reader = h1_reader_new(H1_RESPONSES, &limits);
	size_t at = 0;
	for (;;) {
		size_t used = 0;
		enum h1_event event = h1_reader_next(reader, data + at, len - at, &used);
		at += used;
		demand(at <= len);
		if (event == H1_HEAD && (h1_reader_head(reader)->status >= 200 ||
					    h1_reader_head(reader)->status == 101))
			judge_head(request, (how & 4) != 0, h1_reader_head(reader), (how & 8) != 0);
		if (event == H1_END)
			judge_trailers(h1_reader_trailers(reader));
		if (event == H1_MORE || event == H1_ERROR || event == H1_UPGRADED)
			break;
	}
	h1_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const protocols[] = {"websocket", "SPDY/3.1", "foo", "WebSocket"};
	if (len == 0)
		return 0;
	struct http_head request = {.is_upgrade = true};
	http_head_set_method(&request, "GET");
	fields_add_text(&request.fields, "Upgrade", protocols[data[0] & 3]);
	read_answers(&request, data[0], data + 1, len - 1);
	http_head_free(&request);
	return 0;
}
