/* Names of clusters. A cluster asks for names in order: its override tag, the default name with its
 * suffix, the default name with a hash of its ARN behind it. The holder of a name always keeps it,
 * so a newcomer takes the first free one. */
#include "discoveryd/naming.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"

/* Hashed names that are tried before giving up: more than one is only needed when somebody tags a
 * cluster with the hashed name of another. */
#define HASHED_NAMES 8
#define HASH_BYTES   4

static char *lower(const char *text)
{
	char *copy = xstrdup(text);
	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* Spaces become '-', runs of '-' one, none at the ends. */
static char *tidy_part(const char *part)
{
	struct buf out = {0};
	for (; *part != '\0'; part++) {
		char c = (char)(*part == ' ' ? '-' : *part);
		if (c != '-' || (out.len > 0 && out.data[out.len - 1] != '-'))
			buf_append_char(&out, c);
	}
	while (out.len > 0 && out.data[out.len - 1] == '-')
		out.data[--out.len] = '\0';
	return buf_take(&out);
}

/* Whether `part` goes into the suffix of a cluster whose name in lower case is `name`. */
static bool is_wanted_part(const char *name, const char *part)
{
	if (part[0] == '\0' || strstr(name, part) != NULL)
		return false;
	char *probe = xasprintf("a%s", part);
	bool is_valid = kube_cluster_name_is_valid(probe);
	free(probe);
	return is_valid;
}

char *naming_default(const struct eks_arn *parts)
{
	const char *const wanted[] = {"eks", parts->region, parts->account_id};
	char *name = lower(parts->name);
	struct buf full = {0};
	buf_append_text(&full, parts->name);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		char *part = tidy_part(wanted[i]);
		if (is_wanted_part(name, part))
			buf_printf(&full, "-%s", part);
		free(part);
	}
	free(name);
	if (kube_cluster_name_is_valid(buf_text(&full)))
		return buf_take(&full);
	buf_free(&full);
	return xstrdup(parts->name);
}

static char *hashed_name(const char *name, const char *arn, unsigned attempt)
{
	char *input = xasprintf("%s#%u", arn, attempt);
	unsigned char hash[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)input, strlen(input), hash);
	free(input);
	char hex[2 * HASH_BYTES + 1];
	for (size_t i = 0; i < HASH_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	int kept = KUBE_CLUSTER_NAME_MAX - 1 - 2 * HASH_BYTES;
	return xasprintf("%.*s-%s", kept, name, hex);
}

static const char *override_of(const struct labels *tags, const char **tag)
{
	static const char *const names[] = {NAMING_TAG_OWN, NAMING_TAG, NAMING_TAG_OLD};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = labels_get(tags, names[i]);
		if (value != NULL && value[0] != '\0') {
			*tag = names[i];
			return value;
		}
	}
	return NULL;
}

struct chooser {
	const char *arn;
	const char *current;
	naming_holder_fn *holder;
	void *arg;
};

/* Who else holds `name`; NULL when nobody does. */
static const char *other_holder(const struct chooser *chooser, const char *name)
{
	const char *holder = chooser->holder(chooser->arg, name);
	return holder != NULL && strcmp(holder, chooser->arn) != 0 ? holder : NULL;
}

/* True when the tag's name was taken. */
static bool take_override(
    const struct chooser *chooser, const struct labels *tags, struct naming *naming)
{
	const char *tag = NULL;
	const char *wanted = override_of(tags, &tag);
	if (wanted == NULL)
		return false;
	if (!kube_cluster_name_is_valid(wanted)) {
		naming->conflict = xasprintf(
		    "tag %s holds \"%s\", which is no name: use letters, digits, '.', '_' "
		    "and '-', the first a letter or digit, at most %d",
		    tag, wanted, KUBE_CLUSTER_NAME_MAX);
		return false;
	}
	const char *holder = other_holder(chooser, wanted);
	if (holder != NULL) {
		naming->conflict =
		    xasprintf("name \"%s\" (tag %s) is held by %s", wanted, tag, holder);
		return false;
	}
	naming->name = xstrdup(wanted);
	return true;
}

static bool take_hashed(const struct chooser *chooser, const char *name, struct naming *naming)
{
	for (unsigned attempt = 0; attempt < HASHED_NAMES; attempt++) {
		char *hashed = hashed_name(name, chooser->arn, attempt);
		if (other_holder(chooser, hashed) == NULL) {
			naming->name = hashed;
			return true;
		}
		free(hashed);
	}
	return false;
}

static bool is_hashed_current(const struct chooser *chooser, const char *name)
{
	for (unsigned attempt = 0; chooser->current != NULL && attempt < HASHED_NAMES; attempt++) {
		char *hashed = hashed_name(name, chooser->arn, attempt);
		bool is_same = strcmp(hashed, chooser->current) == 0;
		free(hashed);
		if (is_same)
			return true;
	}
	return false;
}

static void take_default(
    const struct chooser *chooser, const struct eks_arn *parts, struct naming *naming)
{
	char *name = naming_default(parts);
	const char *holder = other_holder(chooser, name);
	if (holder != NULL && naming->conflict == NULL)
		naming->conflict = xasprintf("name \"%s\" is held by %s", name, holder);
	naming->is_suffixed = true;
	if (is_hashed_current(chooser, name)) {
		naming->name = xstrdup(chooser->current);
	} else if (holder == NULL) {
		naming->name = name;
		naming->is_suffixed = strcmp(name, parts->name) != 0;
		return;
	} else if (!take_hashed(chooser, name, naming)) {
		free(naming->conflict);
		naming->conflict =
		    xasprintf("every name that it could have is held, \"%s\" by %s", name, holder);
	}
	free(name);
}

struct naming naming_choose(const char *arn, const struct eks_arn *parts, const struct labels *tags,
    const char *current, naming_holder_fn *holder, void *arg)
{
	struct chooser chooser = {.arn = arn, .current = current, .holder = holder, .arg = arg};
	struct naming naming = {0};
	if (!take_override(&chooser, tags, &naming))
		take_default(&chooser, parts, &naming);
	return naming;
}

void naming_free(struct naming *naming)
{
	xfree(&naming->name);
	xfree(&naming->conflict);
}
