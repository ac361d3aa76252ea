/* The set of locks and its file, one JSON document. What is not understood in it is an error and
 * not passed over: half a lock is none. Used by lock_watch.c, by admission and by the command line.
 */
#include "kubeproxyd/gate/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/principal.h"

#define FILE_VERSION	  1
#define MESSAGE_MAX_BYTES 512
#define NAME_MAX_BYTES	  PRINCIPAL_MAX_BYTES

struct locks {
	struct lock *items;
	size_t count;
};

static const char *const kind_names[LOCK_KIND_COUNT] = {"user", "group", "role", "certificate"};

/* --- words ----------------------------------------------------------------------------------- */

bool lock_kind_parse(const char *text, enum lock_kind *kind)
{
	for (int i = 0; i < LOCK_KIND_COUNT; i++) {
		if (strcmp(kind_names[i], text) == 0) {
			*kind = (enum lock_kind)i;
			return true;
		}
	}
	return false;
}

const char *lock_kind_text(enum lock_kind kind)
{
	return kind_names[kind];
}

char *lock_serial(const char *text)
{
	struct buf out = {0};
	if (strncasecmp(text, "0x", 2) == 0)
		text += 2;
	for (; *text != '\0'; text++) {
		char c = *text;
		if (c >= 'a' && c <= 'f')
			c = (char)(c - 'a' + 'A');
		if (c == ':' || (c == '0' && out.len == 0))
			continue;
		if (strchr("0123456789ABCDEF", c) == NULL || out.len >= NAME_MAX_BYTES) {
			buf_free(&out);
			return NULL;
		}
		buf_append_char(&out, c);
	}
	if (out.len == 0) {
		buf_free(&out);
		return NULL;
	}
	return buf_take(&out);
}

/* --- the set --------------------------------------------------------------------------------- */

struct locks *locks_new(void)
{
	return xcalloc(1, sizeof(struct locks));
}

static void clear(struct lock *lock)
{
	free(lock->name);
	free(lock->message);
}

void locks_free(struct locks **locks)
{
	struct locks *old = *locks;
	*locks = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++)
		clear(&old->items[i]);
	free(old->items);
	free(old);
}

static struct lock *find(const struct locks *locks, enum lock_kind kind, const char *name)
{
	for (size_t i = 0; i < locks->count; i++) {
		if (locks->items[i].kind == kind && strcmp(locks->items[i].name, name) == 0)
			return &locks->items[i];
	}
	return NULL;
}

void locks_add(struct locks *locks, const struct lock *lock)
{
	struct lock *place = find(locks, lock->kind, lock->name);
	if (place != NULL) {
		clear(place);
	} else {
		locks->items = xreallocarray(locks->items, locks->count + 1, sizeof *locks->items);
		place = &locks->items[locks->count++];
	}
	*place = *lock;
	place->name = xstrdup(lock->name);
	place->message = xstrdup_or_null(lock->message);
}

bool locks_remove(struct locks *locks, enum lock_kind kind, const char *name)
{
	struct lock *lock = find(locks, kind, name);
	if (lock == NULL)
		return false;
	clear(lock);
	*lock = locks->items[--locks->count];
	return true;
}

size_t locks_count(const struct locks *locks)
{
	return locks->count;
}

const struct lock *locks_at(const struct locks *locks, size_t index)
{
	return &locks->items[index];
}

/* --- the file -------------------------------------------------------------------------------- */

static bool read_time(
    struct json_object *object, const char *key, struct unix_time *at, char **error)
{
	const char *text;
	char problem[JSON_ERROR_TEXT];
	*at = (struct unix_time){0};
	if (!json_get_optional_string(object, "", key, &text, problem) ||
	    (text != NULL && !unix_time_parse(text, at)))
		*error = xasprintf("%s of a lock is no time such as 2026-01-02T03:04:05Z", key);
	return *error == NULL;
}

static bool read_lock(struct json_object *object, struct lock *lock, char **error)
{
	const char *kind, *name, *message;
	char problem[JSON_ERROR_TEXT];
	if (!json_get_string(object, "", "kind", &kind, problem) ||
	    !json_get_string(object, "", "name", &name, problem) ||
	    !json_get_optional_string(object, "", "message", &message, problem)) {
		*error = xasprintf("a lock: %s", problem);
		return false;
	}
	if (!lock_kind_parse(kind, &lock->kind)) {
		*error = xasprintf("\"%.32s\" is not what can be locked: user, group, role or "
				   "certificate is",
		    kind);
		return false;
	}
	lock->name = lock->kind == LOCK_CERTIFICATE ? lock_serial(name) : xstrdup(name);
	if (lock->name == NULL || *lock->name == '\0') {
		*error = xstrdup("the name of a lock is empty, or no serial number");
		return false;
	}
	lock->message = xstrdup_or_null(message);
	return read_time(object, "created", &lock->created, error) &&
	       read_time(object, "expires", &lock->expires, error);
}

static bool read_items(struct locks *locks, struct json_object *list, char **error)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *object = json_object_array_get_idx(list, i);
		struct lock lock = {0};
		bool is_read = false;
		if (!json_object_is_type(object, json_type_object))
			*error = xstrdup("a lock is no object");
		else
			is_read = read_lock(object, &lock, error);
		if (is_read)
			locks_add(locks, &lock);
		clear(&lock);
		if (!is_read)
			return false;
	}
	return true;
}

struct locks *locks_parse(const char *text, size_t len, char **error)
{
	char problem[JSON_ERROR_TEXT];
	struct json_object *list = NULL;
	int64_t version;
	struct locks *locks = locks_new();
	*error = NULL;
	struct json_object *document = json_parse(text, len, problem);
	if (document == NULL || !json_get_int(document, "", "version", &version, problem) ||
	    !json_get_array(document, "", "locks", &list, problem))
		*error = xstrdup(problem);
	else if (version != FILE_VERSION)
		*error = xstrdup("the version of the file is not 1");
	if (*error != NULL || !read_items(locks, list, error))
		locks_free(&locks);
	json_object_put(document);
	return locks;
}

/* The whole of an open file, or NULL with *error without the name. */
static char *read_all(int fd, size_t *len, char **error)
{
	struct buf text = {0};
	ssize_t count = 1;
	while (count > 0 && text.len <= LOCKS_FILE_MAX_BYTES) {
		char *to = buf_reserve(&text, 65536);
		count = read(fd, to, 65536);
		if (count > 0)
			buf_commit(&text, (size_t)count);
	}
	if (count == 0) {
		*len = text.len;
		return buf_take(&text);
	}
	*error = xstrdup(count < 0 ? strerror(errno) : "it is larger than 4 MiB");
	buf_free(&text);
	return NULL;
}

struct locks *locks_load(const char *path, char **error)
{
	char *why = NULL;
	size_t len = 0;
	struct locks *locks = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return locks_new();
	char *text = fd >= 0 ? read_all(fd, &len, &why) : NULL;
	if (fd < 0)
		why = xstrdup(strerror(errno));
	else
		close(fd);
	if (text != NULL)
		locks = locks_parse(text, len, &why);
	free(text);
	if (locks == NULL)
		*error = xasprintf("%s: %s", path, why);
	free(why);
	return locks;
}

static bool has_expired(const struct lock *lock, struct unix_time now)
{
	return lock->expires.ms != 0 && lock->expires.ms <= now.ms;
}

static void add_time(struct json_object *object, const char *key, struct unix_time at)
{
	char text[UNIX_TIME_TEXT];
	if (at.ms != 0)
		json_add_string(object, key, unix_time_text(at, text));
}

char *locks_text(const struct locks *locks, struct unix_time now)
{
	struct json_object *document = json_object_new_object();
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; i < locks->count; i++) {
		const struct lock *lock = &locks->items[i];
		if (has_expired(lock, now))
			continue;
		struct json_object *object = json_object_new_object();
		json_add_string(object, "kind", lock_kind_text(lock->kind));
		json_add_string(object, "name", lock->name);
		json_add_string(object, "message", lock->message);
		add_time(object, "created", lock->created);
		add_time(object, "expires", lock->expires);
		json_object_array_add(list, object);
	}
	json_object_object_add(document, "version", json_object_new_int(FILE_VERSION));
	json_object_object_add(document, "locks", list);
	char *text =
	    xasprintf("%s\n", json_object_to_json_string_ext(document,
				  JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(document);
	return text;
}

/* --- whom it keeps out ----------------------------------------------------------------------- */

const struct lock *locks_find(
    const struct locks *locks, enum lock_kind kind, const char *name, struct unix_time now)
{
	const struct lock *lock = find(locks, kind, name);
	return lock != NULL && !has_expired(lock, now) ? lock : NULL;
}

static const struct lock *on_certificate(
    const struct locks *locks, const struct identity *identity, struct unix_time now)
{
	if (identity->certificate_serial == NULL)
		return NULL;
	char *serial = lock_serial(identity->certificate_serial);
	const struct lock *lock =
	    serial != NULL ? locks_find(locks, LOCK_CERTIFICATE, serial, now) : NULL;
	free(serial);
	return lock;
}

const struct lock *locks_on(const struct locks *locks, const struct identity *identity,
    const char *const *roles, struct unix_time now)
{
	if (locks->count == 0)
		return NULL;
	const struct lock *lock = locks_find(locks, LOCK_USER, identity->user, now);
	for (size_t i = 0; lock == NULL && i < identity->group_count; i++)
		lock = locks_find(locks, LOCK_GROUP, identity->groups[i], now);
	for (; lock == NULL && roles != NULL && *roles != NULL; roles++)
		lock = locks_find(locks, LOCK_ROLE, *roles, now);
	return lock != NULL ? lock : on_certificate(locks, identity, now);
}

char *lock_sentence(const struct lock *lock)
{
	char until[UNIX_TIME_TEXT];
	char *end = lock->expires.ms != 0
			? xasprintf(" until %s", unix_time_text(lock->expires, until))
			: xstrdup("");
	char *sentence = xasprintf("access is locked for the %s \"%s\"%s%s%s; ask an administrator "
				   "of eksgate (`kubeproxyd locks`)",
	    lock_kind_text(lock->kind), lock->name, end, lock->message != NULL ? ": " : "",
	    lock->message != NULL ? lock->message : "");
	free(end);
	return sentence;
}
