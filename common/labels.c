/* Labels as a sorted list, and selectors: per key the patterns of which one must match. Pure. Used
 * by discoveryd for its matchers, by kubeproxyd for resources and roles, and inside every
 * kube_cluster. */
#include "common/labels.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/near_miss.h"
#include "common/xmem.h"

#define LABEL_KEY_MAX 255

/* What the label `key` may be; never without patterns. */
struct requirement {
	char *key;
	struct pattern **patterns;
	size_t count;
};

/* In the order in which keys were added, which is how people wrote them. */
struct selector {
	struct requirement *items;
	size_t count;
};

/* --- labels ----------------------------------------------------------------------------------- */

static uint64_t next_version(void)
{
	static uint64_t last;
	return ++last;
}

/* Where `key` stands, or where it would. */
static size_t find_place(const struct labels *labels, const char *key, bool *is_there)
{
	size_t low = 0, high = labels->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(labels->items[middle].key, key);
		if (order == 0) {
			*is_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*is_there = false;
	return low;
}

void labels_set(struct labels *labels, const char *key, const char *value)
{
	bool is_there;
	size_t place = find_place(labels, key, &is_there);
	char *copy = xstrdup(value);
	labels->version = next_version();
	if (is_there) {
		free(labels->items[place].value);
		labels->items[place].value = copy;
		return;
	}
	labels->items = xreallocarray(labels->items, labels->count + 1, sizeof(*labels->items));
	memmove(&labels->items[place + 1], &labels->items[place],
	    (labels->count - place) * sizeof(*labels->items));
	labels->items[place] = (struct label){.key = xstrdup(key), .value = copy};
	labels->count++;
}

const char *labels_get(const struct labels *labels, const char *key)
{
	bool is_there;
	size_t place = find_place(labels, key, &is_there);
	return is_there ? labels->items[place].value : NULL;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->version == b->version && a->version != 0)
		return true;
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
		    strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return true;
}

void labels_copy(struct labels *to, const struct labels *from)
{
	struct labels copy = {.count = from->count, .version = from->version};
	copy.items = xcalloc(from->count + 1, sizeof(*copy.items));
	for (size_t i = 0; i < from->count; i++) {
		copy.items[i].key = xstrdup(from->items[i].key);
		copy.items[i].value = xstrdup(from->items[i].value);
	}
	labels_free(to);
	*to = copy;
}

void labels_free(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
	*labels = (struct labels){0};
}

static bool is_key_character(char c)
{
	char letter = (char)(c | 0x20);
	return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("/._:*-", c) != NULL);
}

bool label_key_is_valid(const char *key)
{
	size_t len = 0;
	for (; key[len] != '\0'; len++)
		if (len == LABEL_KEY_MAX || !is_key_character(key[len]))
			return false;
	return len > 0;
}

/* --- selectors -------------------------------------------------------------------------------- */

struct selector *selector_new(void)
{
	return xcalloc(1, sizeof(struct selector));
}

static struct requirement *find_requirement(struct selector *selector, const char *key)
{
	for (size_t i = 0; i < selector->count; i++)
		if (strcmp(selector->items[i].key, key) == 0)
			return &selector->items[i];
	selector->items =
	    xreallocarray(selector->items, selector->count + 1, sizeof(*selector->items));
	struct requirement *item = &selector->items[selector->count++];
	*item = (struct requirement){.key = xstrdup(key)};
	return item;
}

static void add_pattern(struct selector *selector, const char *key, struct pattern *pattern)
{
	struct requirement *item = find_requirement(selector, key);
	item->patterns = xreallocarray(item->patterns, item->count + 1, sizeof(struct pattern *));
	item->patterns[item->count++] = pattern;
}

bool selector_add(struct selector *selector, const char *key, const char *value, char **error)
{
	struct pattern *pattern = pattern_new(value, error);
	if (pattern == NULL)
		return false;
	add_pattern(selector, key, pattern);
	return true;
}

void selector_add_text(struct selector *selector, const char *key, const char *value)
{
	add_pattern(selector, key, pattern_new_text(value));
}

void selector_require(struct selector *selector, const char *key)
{
	(void)find_requirement(selector, key);
}

bool selector_is_empty(const struct selector *selector)
{
	return selector->count == 0;
}

static bool is_anything(const struct requirement *item)
{
	return item->key[0] == '*' && item->key[1] == '\0' && item->count == 1 &&
	       pattern_is_any(item->patterns[0]);
}

static bool matches_everything(const struct selector *selector)
{
	for (size_t i = 0; i < selector->count; i++)
		if (is_anything(&selector->items[i]))
			return true;
	return false;
}

static bool is_satisfied(const struct requirement *item, const struct labels *labels)
{
	const char *value = labels_get(labels, item->key);
	if (value == NULL)
		return false;
	for (size_t i = 0; i < item->count; i++)
		if (pattern_match(item->patterns[i], value))
			return true;
	return false;
}

/* The first requirement that the labels do not meet; NULL when there is none. */
static const struct requirement *find_unmet(
    const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->count; i++)
		if (!is_satisfied(&selector->items[i], labels))
			return &selector->items[i];
	return NULL;
}

bool selector_match(const struct selector *selector, const struct labels *labels)
{
	if (selector->count == 0)
		return false;
	return matches_everything(selector) || find_unmet(selector, labels) == NULL;
}

/* The label that somebody may have meant by `key`. */
static const struct label *find_similar(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->count; i++)
		if (near_miss(key, labels->items[i].key) != NULL)
			return &labels->items[i];
	return NULL;
}

static void explain_absent(struct buf *text, const char *key, const struct labels *labels)
{
	const struct label *similar = find_similar(labels, key);
	buf_printf(text, "label %s is absent", key);
	if (similar != NULL)
		buf_printf(text, "; there is %s=\"%s\", whose name %s", similar->key,
		    similar->value, near_miss(key, similar->key));
}

static void explain_value(struct buf *text, const struct requirement *item, const char *value)
{
	const char *miss = NULL;
	buf_printf(text, "label %s is \"%s\", wanted", item->key, value);
	for (size_t i = 0; i < item->count; i++)
		buf_printf(text, "%s \"%s\"", i > 0 ? " or" : "", pattern_text(item->patterns[i]));
	for (size_t i = 0; i < item->count && miss == NULL; i++) {
		miss = near_miss_pattern(item->patterns[i], value);
		if (miss != NULL)
			buf_printf(text, ": it %s%s%s%s", miss, item->count > 1 ? " from \"" : "",
			    item->count > 1 ? pattern_text(item->patterns[i]) : "",
			    item->count > 1 ? "\"" : "");
	}
}

bool selector_explain(const struct selector *selector, const struct labels *labels, char **reason)
{
	if (selector_match(selector, labels))
		return true;
	struct buf text = {0};
	if (selector->count == 0)
		buf_append_text(&text, "the selector is empty, which matches nothing");
	for (size_t i = 0; i < selector->count; i++) {
		const struct requirement *item = &selector->items[i];
		if (is_satisfied(item, labels))
			continue;
		if (text.len > 0)
			buf_append_text(&text, "; ");
		const char *value = labels_get(labels, item->key);
		if (value == NULL)
			explain_absent(&text, item->key, labels);
		else
			explain_value(&text, item, value);
	}
	*reason = buf_take(&text);
	return false;
}

char *selector_text(const struct selector *selector)
{
	struct buf text = {0};
	for (size_t i = 0; i < selector->count; i++) {
		const struct requirement *item = &selector->items[i];
		buf_printf(&text, "%s%s=", i > 0 ? ", " : "", item->key);
		for (size_t k = 0; k < item->count; k++)
			buf_printf(
			    &text, "%s%s", k > 0 ? "|" : "", pattern_text(item->patterns[k]));
	}
	return buf_take(&text);
}

static bool has_pattern(const struct requirement *item, const char *text)
{
	for (size_t i = 0; i < item->count; i++)
		if (strcmp(pattern_text(item->patterns[i]), text) == 0)
			return true;
	return false;
}

/* Every requirement of `a` stands in `b` with as many patterns, its own among them. */
static bool is_within(const struct selector *a, const struct selector *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct requirement *wanted = &a->items[i], *found = NULL;
		for (size_t k = 0; k < b->count; k++)
			if (strcmp(b->items[k].key, wanted->key) == 0)
				found = &b->items[k];
		if (found == NULL || found->count != wanted->count)
			return false;
		for (size_t k = 0; k < wanted->count; k++)
			if (!has_pattern(found, pattern_text(wanted->patterns[k])))
				return false;
	}
	return true;
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return is_within(a, b) && is_within(b, a);
}

void selector_free(struct selector **selector)
{
	if (*selector == NULL)
		return;
	for (size_t i = 0; i < (*selector)->count; i++) {
		struct requirement *item = &(*selector)->items[i];
		for (size_t k = 0; k < item->count; k++)
			pattern_free(&item->patterns[k]);
		free(item->patterns);
		free(item->key);
	}
	free((*selector)->items);
	free(*selector);
	*selector = NULL;
}
