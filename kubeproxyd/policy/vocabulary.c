/* Texts to numbers. Filled while a policy is built, only read afterwards. */
#include "kubeproxyd/policy/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/matcher.h"

/* The slot of a text, or the empty one where it would be. */
static struct vocabulary_entry *slot_of(
    const struct vocabulary *vocabulary, const struct word *word)
{
	size_t at = (size_t)word->hash & (vocabulary->size - 1);
	while (vocabulary->slots[at].text != NULL &&
	       (vocabulary->slots[at].hash != word->hash ||
		   strcmp(vocabulary->slots[at].text, word->text) != 0))
		at = (at + 1) & (vocabulary->size - 1);
	return &vocabulary->slots[at];
}

static void grow(struct vocabulary *vocabulary)
{
	struct vocabulary old = *vocabulary;
	vocabulary->size = old.size == 0 ? 32 : old.size * 2;
	vocabulary->slots = xcalloc(vocabulary->size, sizeof *vocabulary->slots);
	for (size_t i = 0; i < old.size; i++) {
		if (old.slots[i].text == NULL)
			continue;
		struct word word = {old.slots[i].text, old.slots[i].hash};
		*slot_of(vocabulary, &word) = old.slots[i];
	}
	free(old.slots);
}

uint32_t vocabulary_add(struct vocabulary *vocabulary, const char *text)
{
	struct word word = word_of(text);
	if (vocabulary->count * 2 >= vocabulary->size)
		grow(vocabulary);
	struct vocabulary_entry *slot = slot_of(vocabulary, &word);
	if (slot->text == NULL)
		*slot = (struct vocabulary_entry){
		    xstrdup(text), word.hash, (uint32_t)++vocabulary->count};
	return slot->number;
}

uint32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text)
{
	struct word word = word_of(text);
	return vocabulary->size > 0 ? slot_of(vocabulary, &word)->number : VOCABULARY_UNKNOWN;
}

void vocabulary_free(struct vocabulary *vocabulary)
{
	for (size_t i = 0; i < vocabulary->size; i++)
		free(vocabulary->slots[i].text);
	free(vocabulary->slots);
	*vocabulary = (struct vocabulary){0};
}
