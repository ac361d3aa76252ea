/* Templates in roles. What a claim says is compared as it stands: an identity provider that lets
 * people write "*" into their own profile must not open everything. Called by role_compile.c. */
#include "kubeproxyd/policy/template.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/expression.h"

#define OPEN  "{{"
#define CLOSE "}}"

struct template
{
	char *before, *behind; /* as written, perhaps with '*' */
	struct expression *expression;
	bool is_pattern;
};

bool template_is_one(const char *text)
{
	return strstr(text, OPEN) != NULL || strstr(text, CLOSE) != NULL;
}

static bool check_surroundings(const struct template *template, char **error)
{
	if (template_is_one(template->before) || template_is_one(template->behind))
		*error = xstrdup("one {{…}} stands in a text");
	else if (template->before[0] == '^')
		*error = xstrdup("a regular expression has no {{…}}");
	return *error == NULL;
}

struct template *template_parse(const char *text, char **error)
{
	const char *open = strstr(text, OPEN);
	const char *close = open != NULL ? strstr(open, CLOSE) : NULL;
	*error = NULL;
	if (close == NULL) {
		*error = xstrdup("{{ and }} stand in pairs");
		return NULL;
	}
	struct template *template = xcalloc(1, sizeof *template);
	char *inner = xstrndup(open + strlen(OPEN), (size_t)(close - open) - strlen(OPEN));
	template->before = xstrndup(text, (size_t)(open - text));
	template->behind = xstrdup(close + strlen(CLOSE));
	template->is_pattern =
	    strchr(template->before, '*') != NULL || strchr(template->behind, '*') != NULL;
	if (check_surroundings(template, error))
		template->expression = expression_parse(inner, EXPRESSION_OF_TEMPLATE, error);
	free(inner);
	if (template->expression == NULL)
		template_free(&template);
	return template;
}

/* Every character that means something in a regular expression gets a backslash; '*' of the
 * author's becomes ".*". */
static void quote(struct buf *out, const char *text, bool has_stars)
{
	for (; *text != '\0'; text++) {
		if (has_stars && *text == '*') {
			buf_append_text(out, ".*");
			continue;
		}
		if (strchr("\\.+*?()|[]{}^$", *text) != NULL)
			buf_append_char(out, '\\');
		buf_append_char(out, *text);
	}
}

static char *fill(const struct template *template, const char *value)
{
	struct buf out = {0};
	if (!template->is_pattern)
		return xasprintf("%s%s%s", template->before, value, template->behind);
	buf_append_char(&out, '^');
	quote(&out, template->before, true);
	quote(&out, value, false);
	quote(&out, template->behind, true);
	buf_append_char(&out, '$');
	return buf_take(&out);
}

void template_expand(
    const struct template *template, const struct subject *subject, template_fn *fn, void *arg)
{
	struct texts values = {0};
	expression_values(template->expression, subject, &values);
	for (size_t i = 0; i < values.count; i++) {
		char *text = values.items[i][0] != '\0' ? fill(template, values.items[i]) : NULL;
		if (text != NULL)
			fn(arg, text, template->is_pattern);
		free(text);
	}
	texts_free(&values);
}

void template_free(struct template **template)
{
	struct template *old = *template;
	*template = NULL;
	if (old == NULL)
		return;
	free(old->before);
	free(old->behind);
	expression_free(&old->expression);
	free(old);
}
