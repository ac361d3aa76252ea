/* Targets and pages of a deletecollection that is done object by object. Parameters keep the bytes
 * in which they came, and go where the API server reads them: selectors to the list, options to
 * each delete. Called by delete_each.c. */
#include "kubeproxyd/exchange/delete_targets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/protobuf.h"
#include "kubeproxyd/policy/query.h"

/* metav1: a list, its ListMeta; an object, its ObjectMeta. */
enum { LIST_METADATA = 1, LIST_ITEMS };
enum { LIST_META_CONTINUE = 3 };
enum { OBJECT_METADATA = 1 };
enum { METADATA_NAME = 1, METADATA_NAMESPACE = 3, METADATA_UID = 5 };

static const char *const selectors[] = {"fieldSelector", "labelSelector", NULL};
/* Names the last object that was deleted, which its reader knows. */
#define TOKEN "after:"

/* A later page has those of the first in its token. */
static const char *const versions[] = {"resourceVersion", "resourceVersionMatch", NULL};
static const char *const options[] = {"dryRun", "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents", "propagationPolicy",
    NULL};

/* --- targets --------------------------------------------------------------------------------- */

static const char *query_of(const char *target)
{
	const char *mark = strchr(target, '?');
	return mark != NULL ? mark + 1 : "";
}

static void add_path(struct buf *out, const char *target)
{
	size_t len = strcspn(target, "?");
	while (len > 0 && target[len - 1] == '/')
		len--;
	buf_append(out, target, len);
}

static bool is_among(const char *key, const char *const *keys)
{
	for (; *keys != NULL; keys++) {
		if (strcmp(key, *keys) == 0)
			return true;
	}
	return false;
}

static void add_mark(struct buf *out)
{
	buf_append_char(out, strchr(buf_text(out), '?') == NULL ? '?' : '&');
}

/* The pairs of the query whose key is among `keys`, as they came. */
static void add_pairs(struct buf *out, const char *query, const char *const *keys)
{
	char *scratch = xmalloc(strlen(query) + 2);
	struct query_pair pair;
	for (const char *cursor = query, *begin;
	     cursor += strspn(cursor, "&"), begin = cursor, query_next(&cursor, scratch, &pair);) {
		if (pair.is_dropped || !is_among(pair.key, keys))
			continue;
		add_mark(out);
		buf_append(out, begin, (size_t)(cursor - begin));
	}
	free(scratch);
}

static void add_encoded(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (isalnum(byte) || strchr("-._~:", byte) != NULL)
			buf_append_char(out, *text);
		else
			buf_printf(out, "%%%02X", byte);
	}
}

/* As the API server does; what is no number is refused there, too. */
static bool read_limit(const char *text, size_t *limit)
{
	char *end = NULL;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	*limit = number > 0 ? (size_t)number : 0;
	return errno == 0 && end != text && *end == '\0';
}

bool delete_part_read(
    const char *target, struct delete_part *part, unsigned *status, const char **error)
{
	const char *query = query_of(target);
	char *scratch = xmalloc(strlen(query) + 2);
	const char *limit = query_get(query, "limit", scratch);
	*error = NULL;
	*status = 400;
	if (limit != NULL && *limit != '\0' && !read_limit(limit, &part->limit))
		*error = "limit must be a number";
	const char *token = query_get(query, "continue", scratch);
	bool is_first = token == NULL || *token == '\0';
	bool is_ours = !is_first && strncmp(token, TOKEN, strlen(TOKEN)) == 0;
	part->after = xstrdup(is_ours ? token + strlen(TOKEN) : "");
	if (!is_first && !is_ours) {
		*error = "the token in continue is not from here: begin without it";
		*status = 410;
	}
	free(scratch);
	return *error == NULL;
}

void delete_part_free(struct delete_part *part)
{
	xfree(&part->after);
}

void delete_part_token(struct buf *out, const char *name)
{
	buf_append_text(out, TOKEN);
	buf_append_text(out, name);
}

void delete_list_target(struct buf *out, const char *target, unsigned page, const char *next)
{
	const char *query = query_of(target);
	add_path(out, target);
	add_pairs(out, query, selectors);
	if (next == NULL)
		add_pairs(out, query, versions);
	add_mark(out);
	buf_printf(out, "limit=%u", page);
	if (next == NULL)
		return;
	buf_append_text(out, "&continue=");
	add_encoded(out, next);
}

void delete_object_target(struct buf *out, const char *target, const char *name)
{
	add_path(out, target);
	buf_append_char(out, '/');
	add_encoded(out, name);
	add_pairs(out, query_of(target), options);
}

/* --- pages ----------------------------------------------------------------------------------- */

/* A copy, "" when there is none; NULL: unreadable. */
static char *get_text(struct protobuf message, uint32_t number)
{
	struct protobuf bytes;
	bool is_sound;
	if (!protobuf_get(message, number, &bytes, &is_sound))
		return is_sound ? xstrdup("") : NULL;
	if (memchr(bytes.at, '\0', bytes.len) != NULL)
		return NULL;
	return xstrndup((const char *)bytes.at, bytes.len);
}

static bool read_item(
    struct protobuf item, void (*fn)(void *arg, const struct delete_object *object), void *arg)
{
	struct protobuf metadata;
	bool is_sound;
	if (!protobuf_get(item, OBJECT_METADATA, &metadata, &is_sound))
		return false;
	char *name = get_text(metadata, METADATA_NAME);
	char *namespace = get_text(metadata, METADATA_NAMESPACE);
	char *uid = get_text(metadata, METADATA_UID);
	is_sound =
	    name != NULL && name[0] != '\0' && namespace != NULL && uid != NULL && uid[0] != '\0';
	if (is_sound)
		fn(arg, &(struct delete_object){namespace, name, uid});
	free(name);
	free(namespace);
	free(uid);
	return is_sound;
}

static bool read_next(struct protobuf meta, struct buf *next)
{
	char *token = get_text(meta, LIST_META_CONTINUE);
	if (token != NULL)
		buf_append_text(next, token);
	free(token);
	return token != NULL;
}

bool delete_page_read(const void *data, size_t len,
    void (*fn)(void *arg, const struct delete_object *object), void *arg, struct buf *next)
{
	struct protobuf kind, list;
	struct protobuf_field field;
	bool is_sound = protobuf_open(data, len, &kind, &list) && kind.len > 4 &&
			memcmp(kind.at + kind.len - 4, "List", 4) == 0;
	bool has_metadata = false; /* every list has it */
	buf_clear(next);
	while (is_sound && protobuf_next(&list, &field)) {
		if (field.number == LIST_METADATA) {
			is_sound = field.is_bytes && !has_metadata && read_next(field.bytes, next);
			has_metadata = true;
		} else if (field.number == LIST_ITEMS) {
			is_sound = field.is_bytes && read_item(field.bytes, fn, arg);
		}
	}
	return is_sound && has_metadata && !list.is_bad;
}
