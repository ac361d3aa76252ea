/* Traits of an identity. Filled by those who read credentials, read by templates and label
 * expressions of roles. */
#include "kubeproxyd/policy/traits.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

static struct trait *find(const struct traits *traits, const char *name)
{
	for (size_t i = 0; i < traits->count; i++) {
		if (strcmp(traits->items[i].name, name) == 0)
			return &traits->items[i];
	}
	return NULL;
}

static struct trait *add_name(struct traits *traits, const char *name)
{
	traits->items = xreallocarray(traits->items, traits->count + 1, sizeof *traits->items);
	struct trait *trait = &traits->items[traits->count++];
	*trait = (struct trait){.name = xstrdup(name)};
	return trait;
}

static bool has_value(const struct trait *trait, const char *value)
{
	for (size_t i = 0; i < trait->count; i++) {
		if (strcmp(trait->values[i], value) == 0)
			return true;
	}
	return false;
}

bool traits_add(struct traits *traits, const char *name, const char *value)
{
	struct trait *trait = find(traits, name);
	if (strlen(value) > TRAIT_VALUE_MAX_BYTES || (trait == NULL && traits->count == TRAITS_MAX))
		return false;
	if (trait == NULL)
		trait = add_name(traits, name);
	if (has_value(trait, value))
		return true;
	if (trait->count == TRAIT_VALUES_MAX)
		return false;
	trait->values = xreallocarray(trait->values, trait->count + 1, sizeof *trait->values);
	trait->values[trait->count++] = xstrdup(value);
	return true;
}

const struct trait *traits_get(const struct traits *traits, const char *name)
{
	return find(traits, name);
}

void traits_copy(struct traits *to, const struct traits *from)
{
	struct traits copy = {0};
	for (size_t i = 0; i < from->count; i++) {
		struct trait *trait = add_name(&copy, from->items[i].name);
		trait->count = from->items[i].count;
		trait->values = xcalloc(trait->count + 1, sizeof *trait->values);
		for (size_t j = 0; j < trait->count; j++)
			trait->values[j] = xstrdup(from->items[i].values[j]);
	}
	traits_free(to);
	*to = copy;
}

void traits_free(struct traits *traits)
{
	for (size_t i = 0; i < traits->count; i++) {
		for (size_t j = 0; j < traits->items[i].count; j++)
			free(traits->items[i].values[j]);
		free(traits->items[i].values);
		free(traits->items[i].name);
	}
	free(traits->items);
	*traits = (struct traits){0};
}
