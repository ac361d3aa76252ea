/* Media ranges one by one. What API servers turn objects into ("as=Table") is known or left out: an
 * unknown form could hold objects where no filter looks for them. Called by admission_filter.c. */
#include "kubeproxyd/filter/accept.h"

#include <string.h>
#include <strings.h>

#include "kubeproxyd/filter/filter.h"

#define JSON_TYPE "application/json"

/* One element of a comma-separated list. */
struct element {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next element; commas within quotes part nothing. False at the end. */
static bool next_element(const char **at, char separator, struct element *element)
{
	bool is_quoted = false;
	while (is_blank(**at) || **at == separator)
		(*at)++;
	element->text = *at;
	for (; **at != '\0' && (is_quoted || **at != separator); (*at)++) {
		is_quoted ^= **at == '"';
		if (**at == '\\' && is_quoted && (*at)[1] != '\0')
			(*at)++;
	}
	element->len = (size_t)(*at - element->text);
	while (element->len > 0 && is_blank(element->text[element->len - 1]))
		element->len--;
	return element->len > 0;
}

static bool is(const struct element *element, const char *text)
{
	return element->len == strlen(text) && strncasecmp(element->text, text, element->len) == 0;
}

static bool begins(const struct element *element, const char *text)
{
	return element->len >= strlen(text) && strncasecmp(element->text, text, strlen(text)) == 0;
}

static bool is_known_form(const struct element *parameter)
{
	static const char *const forms[] = {
	    "as=Table", "as=PartialObjectMetadata", "as=PartialObjectMetadataList"};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (is(parameter, forms[i]))
			return true;
	}
	return !begins(parameter, "as");
}

static void add(struct buf *out, const char *text, size_t len)
{
	if (out->len > 0)
		buf_append_text(out, ", ");
	buf_append(out, text, len);
}

static void add_range(struct buf *out, const struct element *range)
{
	struct buf copy = {0};
	struct element part;
	buf_append(&copy, range->text, range->len);
	const char *at = buf_text(&copy);
	bool is_sound = next_element(&at, ';', &part);
	bool is_any = is_sound && (is(&part, "*/*") || is(&part, "application/*"));
	is_sound = is_sound && (is_any || filter_can_read(buf_text(&copy)));
	while (is_sound && next_element(&at, ';', &part))
		is_sound = is_known_form(&part);
	if (is_sound && is_any)
		add(out, JSON_TYPE, strlen(JSON_TYPE));
	else if (is_sound)
		add(out, range->text, range->len);
	buf_free(&copy);
}

bool accept_reduce(const char *accept, struct buf *out)
{
	struct element range;
	if (*accept == '\0')
		buf_append_text(out, JSON_TYPE);
	while (next_element(&accept, ',', &range))
		add_range(out, &range);
	return out->len > 0;
}

/* "gzip", "gzip;q=0.5", not "gzip;q=0". */
bool accept_has_gzip(const char *accept_encoding)
{
	struct element coding;
	bool has_gzip = false;
	while (accept_encoding != NULL && next_element(&accept_encoding, ',', &coding)) {
		if (!begins(&coding, "gzip") ||
		    (coding.len > 4 && coding.text[4] != ';' && !is_blank(coding.text[4])))
			continue;
		struct element weight = coding;
		const char *q = memmem(weight.text, weight.len, "q=", 2);
		size_t len = q != NULL ? (size_t)(coding.text + coding.len - q) : 0;
		bool is_zero = q != NULL && strspn(q + 2, "0.") >= len - 2;
		has_gzip = !is_zero;
	}
	return has_gzip;
}
