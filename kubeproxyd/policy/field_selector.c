/* Field selectors: "spec.nodeName=n1,metadata.name==web". A backslash escapes ',', '=' and itself.
 * Of several terms for one field the API server takes the first in the order of their bytes, since
 * it sorts them; so does this. Called by request_info.c. */
#include "kubeproxyd/policy/field_selector.h"

#include <string.h>

/* The bytes of the term that begins at `text`: up to a comma that no backslash escapes. */
static size_t term_length(const char *text)
{
	size_t i = 0;
	while (text[i] != '\0' && text[i] != ',')
		i += text[i] == '\\' && text[i + 1] != '\0' ? 2 : 1;
	return i;
}

/* Copies a value without its escapes. False when an escape is unknown or a ',' or '=' is bare. */
static bool unescape(const char *text, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ',' || text[i] == '=')
			return false;
		if (text[i] == '\\' && (++i == len || strchr("\\,=", text[i]) == NULL))
			return false;
		*out++ = text[i];
	}
	*out = '\0';
	return true;
}

struct term {
	const char *field;
	size_t field_len;
	const char *value;
	size_t value_len;
	bool is_equality;
};

/* The operator is the leftmost of "!=", "==" and "=". */
static bool split_term(const char *text, size_t len, struct term *term)
{
	size_t at = 0;
	while (at < len && text[at] != '=' &&
	       !(text[at] == '!' && at + 1 < len && text[at + 1] == '='))
		at++;
	if (at == len)
		return false;
	size_t operator_len = text[at] == '!' || (at + 1 < len && text[at + 1] == '=') ? 2 : 1;
	*term = (struct term){
	    .field = text,
	    .field_len = at,
	    .value = text + at + operator_len,
	    .value_len = len - at - operator_len,
	    .is_equality = text[at] == '=',
	};
	return true;
}

static bool demands(const struct term *term, const char *field)
{
	return term->is_equality && term->field_len == strlen(field) &&
	       memcmp(term->field, field, term->field_len) == 0;
}

/* Whether `a` sorts before `b`; both end their terms. */
static bool sorts_before(const struct term *a, const struct term *b)
{
	size_t a_len = (size_t)(a->value + a->value_len - a->field);
	size_t b_len = (size_t)(b->value + b->value_len - b->field);
	int order = memcmp(a->field, b->field, a_len < b_len ? a_len : b_len);
	return order != 0 ? order < 0 : a_len < b_len;
}

bool field_selector_value(const char *selector, const char *field, char *out, const char **value)
{
	struct term found = {0};
	*value = NULL;
	for (const char *at = selector; *at != '\0';) {
		size_t len = term_length(at);
		struct term term;
		if (len > 0 &&
		    (!split_term(at, len, &term) || !unescape(term.value, term.value_len, out)))
			return false;
		if (len > 0 && demands(&term, field) &&
		    (found.field == NULL || sorts_before(&term, &found)))
			found = term;
		at += len;
		at += *at == ',';
	}
	if (found.field == NULL)
		return true;
	*value = out;
	return unescape(found.value, found.value_len, out);
}
