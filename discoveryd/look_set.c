/* A tree of looks, keyed by what they hold. A plain container. */
#include "discoveryd/look_set.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

RB_HEAD(look_tree, look);

struct look_set {
	struct look_tree tree;
	size_t count;
};

static int compare(const char *scope, const char *name, const struct look *look)
{
	int order = strcmp(scope, look->scope);
	return order != 0 ? order : strcmp(name, look->name);
}

static int compare_looks(const struct look *a, const struct look *b)
{
	return compare(a->scope, a->name, b);
}

RB_PROTOTYPE(look_tree, look, entry, compare_looks);
RB_GENERATE(look_tree, look, entry, compare_looks);

/* --- looks ------------------------------------------------------------------------------------ */

void look_digest(const struct labels *tags, const char *treatment, char digest[LOOK_DIGEST])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		abort();
	/* The NUL behind each text keeps "ab","c" and "a","bc" apart. */
	for (size_t i = 0; i < tags->count; i++) {
		const struct label *tag = &tags->items[i];
		if (EVP_DigestUpdate(context, tag->key, strlen(tag->key) + 1) != 1 ||
		    EVP_DigestUpdate(context, tag->value, strlen(tag->value) + 1) != 1)
			abort();
	}
	if (treatment != NULL && EVP_DigestUpdate(context, treatment, strlen(treatment)) != 1)
		abort();
	if (EVP_DigestFinal_ex(context, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(context);
	for (size_t i = 0; i < (LOOK_DIGEST - 1) / 2; i++)
		snprintf(digest + 2 * i, 3, "%02x", hash[i]);
}

struct look *look_new(const char *scope, const char *name)
{
	struct look *look = xcalloc(1, sizeof *look);
	look->scope = xstrdup(scope);
	look->name = xstrdup(name);
	return look;
}

void look_free(struct look **look)
{
	if (*look == NULL)
		return;
	free((*look)->scope);
	free((*look)->name);
	free((*look)->arn);
	free((*look)->status);
	xfree(look);
}

/* --- the set ---------------------------------------------------------------------------------- */

struct look_set *look_set_new(void)
{
	struct look_set *set = xcalloc(1, sizeof *set);
	RB_INIT(&set->tree);
	return set;
}

void look_set_free(struct look_set **set)
{
	if (*set == NULL)
		return;
	struct look *look;
	while ((look = RB_ROOT(&(*set)->tree)) != NULL) {
		RB_REMOVE(look_tree, &(*set)->tree, look);
		look_free(&look);
	}
	xfree(set);
}

/* Walks by hand: the tree macros want a look as key, and know no const. */
static struct look *find(const struct look_set *set, const char *scope, const char *name)
{
	struct look *look = RB_ROOT(&set->tree);
	while (look != NULL) {
		int order = compare(scope, name, look);
		if (order == 0)
			return look;
		look = order < 0 ? RB_LEFT(look, entry) : RB_RIGHT(look, entry);
	}
	return NULL;
}

const struct look *look_set_find(const struct look_set *set, const char *scope, const char *name)
{
	return find(set, scope, name);
}

/* The first that is greater than the key. */
static const struct look *find_after(
    const struct look_set *set, const char *scope, const char *name)
{
	const struct look *next = NULL, *at = RB_ROOT(&set->tree);
	while (at != NULL) {
		bool is_greater = compare(scope, name, at) < 0;
		if (is_greater)
			next = at;
		at = is_greater ? RB_LEFT(at, entry) : RB_RIGHT(at, entry);
	}
	return next;
}

const struct look *look_set_next(const struct look_set *set, const struct look *look)
{
	return look != NULL ? find_after(set, look->scope, look->name) : find_after(set, "", "");
}

const struct look *look_set_first_of(const struct look_set *set, const char *scope)
{
	const struct look *look = find_after(set, scope, "");
	return look != NULL && strcmp(look->scope, scope) == 0 ? look : NULL;
}

void look_set_put(struct look_set *set, struct look *look)
{
	look_set_remove(set, look->scope, look->name);
	RB_INSERT(look_tree, &set->tree, look);
	set->count++;
}

size_t look_set_count(const struct look_set *set)
{
	return set->count;
}

void look_set_remove(struct look_set *set, const char *scope, const char *name)
{
	struct look *look = find(set, scope, name);
	if (look == NULL)
		return;
	RB_REMOVE(look_tree, &set->tree, look);
	set->count--;
	look_free(&look);
}
