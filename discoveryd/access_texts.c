/* A list of texts by cluster; enrollment.c owns it. */
#include "discoveryd/access_texts.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/registry.h"

struct access_text {
	char *arn, *text;
};

void access_texts_add(struct access_texts *texts, const char *arn, const char *text)
{
	texts->items = xreallocarray(texts->items, texts->count + 1, sizeof *texts->items);
	texts->items[texts->count++] =
	    (struct access_text){.arn = xstrdup(arn), .text = xstrdup(text)};
}

void access_texts_free(struct access_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		free(texts->items[i].arn);
		free(texts->items[i].text);
	}
	free(texts->items);
	*texts = (struct access_texts){0};
}

void access_texts_move(
    struct access_texts *texts, const struct cluster_set *set, struct registry_changes *changes)
{
	for (size_t i = 0; i < texts->count; i++) {
		const struct cluster_item *old = cluster_set_find_arn(set, texts->items[i].arn);
		if (old == NULL)
			continue;
		struct cluster_item *item = cluster_item_copy(old);
		free(item->cluster->status.access);
		item->cluster->status.access = xstrdup(texts->items[i].text);
		registry_changes_put(changes, item);
	}
	access_texts_free(texts);
}
