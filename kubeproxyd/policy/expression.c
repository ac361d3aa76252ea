/* Evaluates the trees of expression_parse.c. Types were checked there: nothing can fail here, and
 * every list is bounded by what the credential says. Called by roles. */
#include "kubeproxyd/policy/expression.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/expression_tree.h"
#include "kubeproxyd/policy/subject.h"

struct surroundings {
	const struct subject *subject;
	const struct labels *labels;
};

typedef void each_fn(void *arg, const char *value);

static void each_value(
    const struct expression *node, const struct surroundings *of, each_fn *fn, void *arg);

static void add_value(void *arg, const char *value)
{
	struct texts *texts = arg;
	if (!texts_has(texts, value))
		texts_add(texts, value);
}

static struct texts values_of(const struct expression *node, const struct surroundings *of)
{
	struct texts texts = {0};
	each_value(node, of, add_value, &texts);
	return texts;
}

/* --- lists ----------------------------------------------------------------------------------- */

/* A credential without a trait "groups" has its groups there. */
static void each_trait(
    const struct expression *node, const struct subject *subject, each_fn *fn, void *arg)
{
	const struct trait *trait = traits_get(&subject->traits, node->text);
	for (size_t i = 0; trait != NULL && i < trait->count; i++)
		fn(arg, trait->values[i]);
	for (size_t i = 0;
	     trait == NULL && strcmp(node->text, "groups") == 0 && i < subject->groups.count; i++)
		fn(arg, subject->groups.items[i]);
}

static void each_matching_label(
    const struct expression *node, const struct labels *labels, each_fn *fn, void *arg)
{
	for (size_t i = 0; i < labels->count; i++) {
		if (pattern_match(node->pattern, labels->items[i].key))
			fn(arg, labels->items[i].value);
	}
}

static const char *label_of(const struct expression *node, const struct labels *labels)
{
	const char *value = labels_get(labels, node->text);
	return value != NULL ? value : "";
}

/* One value changed, or NULL when it falls out. */
static char *changed(const struct expression *node, const char *value)
{
	const char *at = strrchr(value, '@');
	char *copy = NULL;
	switch (node->op) {
	case OP_REPLACE:
		return regex_replace(node->regex, value, node->text);
	case OP_EMAIL_LOCAL:
		return at != NULL && at != value ? xstrndup(value, (size_t)(at - value)) : NULL;
	default:
		copy = xstrdup(value);
		for (char *c = copy; *c != '\0'; c++)
			*c = (char)(node->op == OP_UPPER ? toupper((unsigned char)*c)
							 : tolower((unsigned char)*c));
		return copy;
	}
}

static void each_changed(
    const struct expression *node, const struct surroundings *of, each_fn *fn, void *arg)
{
	struct texts texts = values_of(node->arguments[0], of);
	for (size_t i = 0; i < texts.count; i++) {
		char *value = changed(node, texts.items[i]);
		if (value != NULL)
			fn(arg, value);
		free(value);
	}
	texts_free(&texts);
}

static void each_value(
    const struct expression *node, const struct surroundings *of, each_fn *fn, void *arg)
{
	switch (node->op) {
	case OP_LITERAL:
		fn(arg, node->text);
		break;
	case OP_USER:
		fn(arg, of->subject->user);
		break;
	case OP_TRAIT:
		each_trait(node, of->subject, fn, arg);
		break;
	case OP_LABEL:
		fn(arg, label_of(node, of->labels));
		break;
	case OP_SET:
		for (size_t i = 0; i < node->count; i++)
			each_value(node->arguments[i], of, fn, arg);
		break;
	case OP_LABELS_MATCHING:
		each_matching_label(node, of->labels, fn, arg);
		break;
	default:
		each_changed(node, of, fn, arg);
		break;
	}
}

/* --- truth ----------------------------------------------------------------------------------- */

static bool is_equal(const struct expression *node, const struct surroundings *of)
{
	struct texts left = values_of(node->arguments[0], of);
	struct texts right = values_of(node->arguments[1], of);
	bool is_same = strcmp(left.items[0], right.items[0]) == 0;
	texts_free(&left);
	texts_free(&right);
	return is_same;
}

/* How many of the second argument's values stand among the first's; *wanted is how many there are.
 */
static size_t count_common(
    const struct expression *node, const struct surroundings *of, size_t *wanted)
{
	struct texts list = values_of(node->arguments[0], of);
	struct texts items = values_of(node->arguments[1], of);
	size_t common = 0;
	for (size_t i = 0; i < items.count; i++)
		common += texts_has(&list, items.items[i]);
	*wanted = items.count;
	texts_free(&list);
	texts_free(&items);
	return common;
}

static bool has_match(const struct expression *node, const struct surroundings *of)
{
	struct texts list = values_of(node->arguments[0], of);
	bool is_match = false;
	for (size_t i = 0; !is_match && i < list.count; i++)
		is_match = regex_match(node->regex, list.items[i]);
	texts_free(&list);
	return is_match;
}

static bool is_true(const struct expression *node, const struct surroundings *of)
{
	size_t wanted = 0, common = 0;
	switch (node->op) {
	case OP_OR:
		return is_true(node->arguments[0], of) || is_true(node->arguments[1], of);
	case OP_AND:
		return is_true(node->arguments[0], of) && is_true(node->arguments[1], of);
	case OP_NOT:
		return !is_true(node->arguments[0], of);
	case OP_EQUAL:
		return is_equal(node, of);
	case OP_NOT_EQUAL:
		return !is_equal(node, of);
	case OP_MATCH:
		return has_match(node, of);
	case OP_CONTAINS_ALL:
		common = count_common(node, of, &wanted);
		return wanted > 0 && common == wanted;
	default:
		return count_common(node, of, &wanted) > 0;
	}
}

/* --- public ---------------------------------------------------------------------------------- */

bool expression_holds(
    const struct expression *expression, const struct subject *subject, const struct labels *labels)
{
	struct surroundings of = {subject, labels};
	return is_true(expression, &of);
}

void expression_values(
    const struct expression *expression, const struct subject *subject, struct texts *out)
{
	struct labels none = {0};
	struct surroundings of = {subject, &none};
	each_value(expression, &of, add_value, out);
}

void expression_free(struct expression **expression)
{
	struct expression *old = *expression;
	*expression = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++)
		expression_free(&old->arguments[i]);
	free(old->arguments);
	free(old->text);
	pattern_free(&old->pattern);
	regex_free(&old->regex);
	free(old);
}
