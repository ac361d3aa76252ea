/* See h2_script.h. */
#include "tests/unit/h2_script.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubeproxyd/http/h2_frame.h"
#include "kubeproxyd/http/hpack.h"
#include "tests/unit/hpack_text.h"

static const char *const type_names[] = {"DATA", "HEADERS", "PRIORITY", "RST", "SETTINGS",
    "PROMISE", "PING", "GOAWAY", "WINDOW", "CONTINUATION"};
#define TYPES (sizeof type_names / sizeof type_names[0])

static const struct {
	const char *name, *fields;
} blocks[] = {
    {"GET", ":method: GET, :scheme: https, :path: /, :authority: h"},
    {"POST", ":method: POST, :scheme: https, :path: /, :authority: h"},
    {"HEAD", ":method: HEAD, :scheme: https, :path: /, :authority: h"},
    {"OK", ":status: 200"},
    {"TRAILERS", "t: v"},
};

static void give_up(const char *what, const char *text, size_t len)
{
	fprintf(stderr, "h2_script: %s: %.*s\n", what, (int)len, text);
	abort();
}

/* --- written ----------------------------------------------------------------------------------
 */

void h2_script_block(struct buf *out, const char *fields, size_t len)
{
	const char *end = fields + len;
	while (fields < end) {
		const char *colon = memchr(fields + 1, ':', (size_t)(end - fields - 1));
		if (colon == NULL)
			give_up("no colon", fields, (size_t)(end - fields));
		const char *value = colon + 2 < end ? colon + 2 : end;
		const char *comma = memmem(value, (size_t)(end - value), ", ", 2);
		const char *last = comma != NULL ? comma : end;
		hpack_append(
		    out, fields, (size_t)(colon - fields), value, (size_t)(last - value), false);
		fields = comma != NULL ? comma + 2 : end;
	}
}

static void write_hex(struct buf *out, const char *at, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		char digits[3] = {at[i], at[i + 1], '\0'};
		buf_append_char(out, (char)(uint8_t)strtoul(digits, NULL, 16));
	}
}

static void write_u32(struct buf *out, uint32_t value)
{
	uint8_t bytes[4];
	h2_write_u32(bytes, value);
	buf_append(out, bytes, sizeof bytes);
}

static void write_run(struct buf *out, char c, size_t count)
{
	memset(buf_reserve(out, count), c, count);
	buf_commit(out, count);
}

static void write_setting(struct buf *out, const char *token)
{
	char *colon;
	unsigned name = (unsigned)strtoul(token, &colon, 0);
	if (*colon != ':')
		give_up("unknown payload", token, strlen(token));
	buf_append_char(out, (char)(uint8_t)(name >> 8));
	buf_append_char(out, (char)(uint8_t)name);
	write_u32(out, (uint32_t)strtoul(colon + 1, NULL, 0));
}

static void write_token(struct buf *out, const char *token)
{
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		if (strcmp(token, blocks[i].name) == 0) {
			h2_script_block(out, blocks[i].fields, strlen(blocks[i].fields));
			return;
		}
	}
	switch (token[0]) {
	case '#':
		write_hex(out, token + 1, strlen(token) - 1);
		break;
	case '=':
		write_u32(out, (uint32_t)strtoul(token + 1, NULL, 0));
		break;
	case 'x':
		write_run(out, 'x', strtoul(token + 1, NULL, 10));
		break;
	case 'z':
		write_run(out, '\0', strtoul(token + 1, NULL, 10));
		break;
	case '[':
		h2_script_block(out, token + 1, strcspn(token, "]") - 1);
		break;
	default:
		write_setting(out, token);
		break;
	}
}

static uint8_t type_of(const char *name)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (strcmp(name, type_names[i]) == 0)
			return (uint8_t)i;
	}
	if (name[0] != 't')
		give_up("unknown type", name, strlen(name));
	return (uint8_t)strtoul(name + 1, NULL, 10);
}

static uint8_t flags_of(const char *letters)
{
	unsigned flags = 0;
	for (; letters != NULL && *letters != '\0'; letters++)
		flags |= *letters == 'e'   ? H2_END_STREAM
			 : *letters == 'h' ? H2_END_HEADERS
			 : *letters == 'p' ? H2_PADDED
					   : H2_HAS_PRIORITY;
	return (uint8_t)flags;
}

/* The next word of `*at`, which is cut; a block is one word. NULL: none is left. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " ");
	if (*word == '\0')
		return NULL;
	size_t len = word[0] == '[' ? strcspn(word, "]") + 1 : strcspn(word, " ");
	*at = word + len + (word[len] != '\0');
	word[len] = '\0';
	return word;
}

void h2_script_write(struct buf *out, const char *text, size_t len)
{
	struct buf copy = {0}, payload = {0};
	buf_append(&copy, text, len);
	char *at = copy.data, *letters = next_word(&at), *id = next_word(&at), *token;
	if (letters == NULL || id == NULL)
		give_up("no frame", text, len);
	char *type = strsep(&letters, "/");
	while ((token = next_word(&at)) != NULL)
		write_token(&payload, token);
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_write(header, &(struct h2_frame){.len = (uint32_t)payload.len,
				   .type = type_of(type),
				   .flags = flags_of(letters),
				   .id = (uint32_t)strtoul(id, NULL, 0)});
	buf_append(out, header, sizeof header);
	buf_append(out, payload.data, payload.len);
	buf_free(&payload);
	buf_free(&copy);
}

/* --- read ---------------------------------------------------------------------------------------
 */

static void read_payload(struct buf *text, const struct h2_frame *frame, const uint8_t *payload)
{
	switch (frame->type) {
	case H2_DATA:
		buf_printf(text, " %u", (unsigned)frame->len);
		break;
	case H2_RST_STREAM:
		buf_printf(text, " %s", h2_code_name(h2_read_u32(payload)));
		break;
	case H2_PING:
		for (size_t i = 0; i < frame->len; i++)
			buf_printf(text, "%s%02x", i == 0 ? " " : "", payload[i]);
		break;
	case H2_GOAWAY:
		buf_printf(text, " %u %s", (unsigned)h2_read_u32(payload),
		    h2_code_name(h2_read_u32(payload + 4)));
		break;
	case H2_WINDOW_UPDATE:
		buf_printf(text, " +%u", (unsigned)h2_read_u32(payload));
		break;
	default:
		break;
	}
}

/* Fields and their frames, up to END_HEADERS. Returns how many bytes that was. */
static size_t read_head(
    struct buf *text, nghttp2_hd_inflater *reader, const uint8_t *at, size_t len)
{
	struct h2_frame first = h2_frame_read(at), frame = first;
	struct buf block = {0};
	size_t used = 0;
	for (;;) {
		buf_append(&block, at + used + H2_FRAME_HEADER, frame.len);
		used += H2_FRAME_HEADER + frame.len;
		if ((frame.flags & H2_END_HEADERS) != 0)
			break;
		if (len - used < H2_FRAME_HEADER)
			abort();
		frame = h2_frame_read(at + used);
		bool is_next = frame.type == H2_CONTINUATION && frame.id == first.id &&
			       frame.len <= H2_FRAME_PAYLOAD_MAX &&
			       len - used - H2_FRAME_HEADER >= frame.len;
		if (!is_next)
			abort();
	}
	buf_append_text(text, " [");
	if (!hpack_text_append(text, reader, block.data, block.len, ", "))
		buf_append_text(text, "not HPACK");
	else if (text->data[text->len - 1] == ' ')
		text->len -= 2; /* ", " behind the last one */
	buf_append_char(text, ']');
	buf_free(&block);
	return used;
}

void h2_script_read(struct buf *text, nghttp2_hd_inflater *reader, const void *frames, size_t len)
{
	const uint8_t *at = frames;
	while (len > 0) {
		struct h2_frame frame = {0};
		if (len >= H2_FRAME_HEADER)
			frame = h2_frame_read(at);
		bool is_whole = len >= H2_FRAME_HEADER && frame.len <= H2_FRAME_PAYLOAD_MAX &&
				frame.len <= len - H2_FRAME_HEADER && frame.type < TYPES;
		if (!is_whole)
			give_up("no frame", buf_text(text), text->len);
		bool is_end = (frame.flags & H2_END_STREAM) != 0;
		buf_printf(text, "%s%s%s", text->len > 0 ? "; " : "", type_names[frame.type],
		    is_end ? "/e" : "");
		if (frame.id != 0)
			buf_printf(text, " %u", (unsigned)frame.id);
		size_t used = H2_FRAME_HEADER + frame.len;
		if (frame.type == H2_HEADERS)
			used = read_head(text, reader, at, len);
		else
			read_payload(text, &frame, at + H2_FRAME_HEADER);
		at += used;
		len -= used;
	}
}
