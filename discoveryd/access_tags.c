/* Tags of access entries, both directions. UntagResource is no permission of ours, so an entry is
 * released by another value of the same tag. */
#include "discoveryd/access_tags.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define MANAGED	  "eksgate"
#define BOOTSTRAP "bootstrap"
#define IN_USE	  "in-use"
#define RELEASED  "released"

static bool says(const struct labels *tags, const char *key, const char *value)
{
	const char *found = labels_get(tags, key);
	return found != NULL && strcmp(found, value) == 0;
}

static bool is_over(const struct labels *tags, struct unix_time now)
{
	const char *text = labels_get(tags, ACCESS_TAG_EXPIRES);
	struct unix_time expires;
	return text != NULL && unix_time_parse(text, &expires) &&
	       now.ms > expires.ms + ACCESS_ORPHAN_GRACE_MS;
}

struct access_marks access_tags_read(
    const struct labels *tags, const char *owner, struct unix_time now)
{
	struct access_marks marks = {0};
	size_t prefix = strlen(ACCESS_TAG_USER);
	marks.is_managed = says(tags, ACCESS_TAG_MANAGED, MANAGED);
	marks.is_mine = marks.is_managed && says(tags, ACCESS_TAG_CREATOR, owner);
	marks.is_temporary = marks.is_managed && says(tags, ACCESS_TAG_PURPOSE, BOOTSTRAP);
	marks.is_over = marks.is_temporary && is_over(tags, now);
	for (size_t i = 0; i < tags->count; i++) {
		const struct label *tag = &tags->items[i];
		if (strncmp(tag->key, ACCESS_TAG_USER, prefix) != 0)
			continue;
		bool is_own = strcmp(tag->key + prefix, owner) == 0;
		marks.others += !is_own;
		if (strcmp(tag->value, IN_USE) != 0)
			continue;
		marks.is_used |= is_own;
		marks.is_shared |= !is_own;
	}
	return marks;
}

struct labels access_tags_use(const char *owner, bool is_needed)
{
	struct labels tags = {0};
	char *key = xasprintf("%s%s", ACCESS_TAG_USER, owner);
	labels_set(&tags, key, is_needed ? IN_USE : RELEASED);
	free(key);
	return tags;
}

struct labels access_tags_lasting(const char *owner)
{
	struct labels tags = access_tags_use(owner, true);
	labels_set(&tags, ACCESS_TAG_MANAGED, MANAGED);
	labels_set(&tags, ACCESS_TAG_CREATOR, owner);
	return tags;
}

struct labels access_tags_temporary(const char *owner, struct unix_time expires)
{
	struct labels tags = {0};
	char text[UNIX_TIME_TEXT];
	labels_set(&tags, ACCESS_TAG_MANAGED, MANAGED);
	labels_set(&tags, ACCESS_TAG_CREATOR, owner);
	labels_set(&tags, ACCESS_TAG_PURPOSE, BOOTSTRAP);
	labels_set(&tags, ACCESS_TAG_EXPIRES, unix_time_text(expires, text));
	return tags;
}
