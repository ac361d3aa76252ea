/* A string of a record: written fast it is what it is written slowly, a byte at a time by the words
 * of the RFCs, and it can be read. The first byte is how much plain text stands before the rest, so
 * that what is special lies anywhere in what is looked at together. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "kubeproxyd/record/json_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

/* UTF-8 as RFC 3629, 3, has it: the number that stands there, in no more bytes than it needs, and
 * no surrogate. 0: there is none. */
static size_t character_at(const uint8_t *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *at < 0x80	      ? 1
		     : *at >> 5 == 6  ? 2
		     : *at >> 4 == 14 ? 3
		     : *at >> 3 == 30 ? 4
				      : 0;
	if (len < 2 || len > left)
		return len < 2 ? len : 0;
	uint32_t number = *at & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		number = number << 6 | (at[i] & 0x3fu);
	}
	bool is_surrogate = number >= 0xd800 && number <= 0xdfff;
	return number < least[len] || number > 0x10ffff || is_surrogate ? 0 : len;
}

/* A control (RFC 8259, 7): the five that have letters, and all others. */
static void write_control(struct buf *out, unsigned char c)
{
	static const char controls[] = "\b\t\n\f\r", letters[] = "btnfr";
	const char *found = c != '\0' ? strchr(controls, c) : NULL;
	if (found != NULL)
		buf_printf(out, "\\%c", letters[found - controls]);
	else
		buf_printf(out, "\\u%04x", c);
}

static void write_slowly(struct buf *out, const uint8_t *text, size_t len)
{
	buf_append_char(out, '"');
	for (size_t at = 0, step; at < len; at += step) {
		step = character_at(text + at, len - at);
		if (step == 0)
			buf_append_text(out, "\\ufffd");
		else if (text[at] == '"' || text[at] == '\\')
			buf_printf(out, "\\%c", text[at]);
		else if (text[at] < ' ' || text[at] == 0x7f)
			write_control(out, text[at]);
		else
			buf_append(out, text + at, step);
		step += step == 0;
	}
	buf_append_char(out, '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	char error[JSON_ERROR_TEXT];
	struct buf text = {0}, fast = {0}, slow = {0};
	for (size_t i = 0; i < data[0]; i++)
		buf_append_char(&text, 'x');
	buf_append(&text, data + 1, size - 1);
	json_line_string(&fast, text.data, text.len);
	write_slowly(&slow, (const uint8_t *)text.data, text.len);
	demand(fast.len == slow.len && memcmp(fast.data, slow.data, fast.len) == 0);
	buf_append_char(&fast, ']');
	buf_clear(&slow);
	buf_append_char(&slow, '[');
	buf_append(&slow, fast.data, fast.len);
	struct json_object *read = json_parse(slow.data, slow.len, error);
	demand(read != NULL);
	json_object_put(read);
	buf_free(&text);
	buf_free(&fast);
	buf_free(&slow);
	return 0;
}
