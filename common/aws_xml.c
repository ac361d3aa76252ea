/* See the header. Pure; called for answers of STS and EC2 only, whose documents are flat enough
 * that the name of an element says what it is. */
#include "common/aws_xml.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/buf.h"

struct entity {
	const char *name;
	char c;
};

static const struct entity entities[] = {
    {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

/* Appends what stands at `text` and returns how many bytes of it that were. */
static size_t append_char(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
		size_t size = strlen(entities[i].name);
		if (len >= size && memcmp(text, entities[i].name, size) == 0) {
			buf_append_char(out, entities[i].c);
			return size;
		}
	}
	buf_append_char(out, *text);
	return 1;
}

static char *decode(const char *text, size_t len)
{
	struct buf out = {0};
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	size_t at = 0;
	while (at < len && isspace((unsigned char)text[at]))
		at++;
	while (at < len)
		at += append_char(&out, text + at, len - at);
	return buf_take(&out);
}

/* Whether "<ELEMENT" at `tag` is the whole name. */
static bool is_element(const char *tag, size_t len, const char *element)
{
	size_t size = strlen(element);
	if (len < size + 2 || memcmp(tag + 1, element, size) != 0)
		return false;
	char next = tag[size + 1];
	return next == '>' || next == '/' || isspace((unsigned char)next);
}

char *aws_xml_next_text(const char **xml, size_t *len, const char *element)
{
	const char *end = *xml + *len;
	*len = 0;
	for (const char *p = *xml; (p = memchr(p, '<', (size_t)(end - p))) != NULL; p++) {
		if (!is_element(p, (size_t)(end - p), element))
			continue;
		const char *text = memchr(p, '>', (size_t)(end - p));
		if (text == NULL || text[-1] == '/')
			return NULL;
		text++;
		const char *next = memchr(text, '<', (size_t)(end - text));
		if (next == NULL || end - next < 2 || next[1] != '/' ||
		    memchr(text, '\0', (size_t)(next - text)) != NULL)
			return NULL;
		*xml = next;
		*len = (size_t)(end - next);
		return decode(text, (size_t)(next - text));
	}
	return NULL;
}

char *aws_xml_text(const char *xml, size_t len, const char *element)
{
	return aws_xml_next_text(&xml, &len, element);
}
