/* Whoever holds these keys can make tickets, and be anybody: the file is the proxy user's alone, in
 * the directory of the running instances, which ends with the host's uptime. A line a key, the
 * newest first, the one before it after it: "CREATED KEY", seconds and base64url. The first
 * instance makes it; the first that finds the newest key old puts another before it, under a lock,
 * and the others read it when they look, or when a ticket of an unknown key comes. A key is
 * accepted longer than a ticket lives. Made by proxy.c. */
#include "kubeproxyd/ticket_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64url.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/net/tls_seal.h"
#include "kubeproxyd/new_file.h"

#define LOOK_SECONDS   60
#define BUSY_MS	       1000
#define UNKNOWN_MS     1000 /* between two looks for an unknown key */
#define ROTATE_SECONDS ((int64_t)12 * 60 * 60)
#define FILE_MAX       4096u

struct dated_key {
	int64_t created; /* seconds since 1970 */
	struct tls_seal_key key;
};

struct key_set {
	struct dated_key items[TLS_SEAL_KEYS];
	size_t count;
};

struct ticket_keys {
	struct loop *loop;
	struct timer *timer;
	struct tls_seal *seal;
	char *path, *lock_path;
	struct mono looked;
	bool has_failed; /* as logged */
};

/* --- the file ---------------------------------------------------------------------------------
 */

static bool parse_line(const char *line, size_t len, struct dated_key *key)
{
	char *end = NULL;
	if (len == 0 || line[0] < '0' || line[0] > '9')
		return false;
	errno = 0;
	key->created = strtoll(line, &end, 10);
	if (errno != 0 || *end != ' ')
		return false;
	struct buf bytes = {0};
	const char *text = end + 1;
	bool is_whole = base64url_decode(text, (size_t)(line + len - text), &bytes) &&
			bytes.len == TLS_SEAL_NAME + TLS_SEAL_SECRET;
	if (is_whole) {
		memcpy(key->key.name, bytes.data, TLS_SEAL_NAME);
		memcpy(key->key.secret, bytes.data + TLS_SEAL_NAME, TLS_SEAL_SECRET);
	}
	buf_free_secret(&bytes);
	return is_whole;
}

static bool parse(const char *text, struct key_set *set)
{
	*set = (struct key_set){0};
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		if (text[len] != '\n' || set->count == TLS_SEAL_KEYS ||
		    !parse_line(text, len, &set->items[set->count]))
			return false;
		set->count++;
		text += len + 1;
	}
	return set->count > 0;
}

static void write_set(const struct key_set *set, struct buf *out)
{
	for (size_t i = 0; i < set->count; i++) {
		uint8_t bytes[TLS_SEAL_NAME + TLS_SEAL_SECRET];
		memcpy(bytes, set->items[i].key.name, TLS_SEAL_NAME);
		memcpy(bytes + TLS_SEAL_NAME, set->items[i].key.secret, TLS_SEAL_SECRET);
		buf_printf(out, "%" PRId64 " ", set->items[i].created);
		base64url_encode(bytes, sizeof bytes, out);
		buf_append_char(out, '\n');
		explicit_bzero(bytes, sizeof bytes);
	}
}

/* Somebody else's file would be somebody else's word on who everybody is. */
static bool is_private(const char *path, char **error)
{
	struct stat info;
	if (lstat(path, &info) != 0) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISREG(info.st_mode) && info.st_uid == geteuid() && (info.st_mode & 077) == 0)
		return true;
	*error = xasprintf("%s: is not a file that this user alone can read: remove it", path);
	return false;
}

/* False: *error; NULL when there is no such file. */
static bool read_set(const char *path, struct key_set *set, char **error)
{
	*error = NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return false;
	char *text = is_private(path, error) ? new_file_read(path, FILE_MAX, error) : NULL;
	if (text == NULL)
		return false;
	bool is_good = parse(text, set);
	if (!is_good)
		*error = xasprintf("%s: is no list of ticket keys: remove it", path);
	xfree_secret(&text);
	return is_good;
}

/* --- rotation ---------------------------------------------------------------------------------
 */

static int64_t now_seconds(void)
{
	return unix_now().ms / 1000;
}

/* A key of the future was made while the clock was wrong. */
static bool is_due(const struct key_set *set)
{
	int64_t age = now_seconds() - set->items[0].created;
	return set->count == 0 || age >= ROTATE_SECONDS || age < -ROTATE_SECONDS;
}

static void add_key(struct key_set *set)
{
	set->items[1] = set->items[0];
	set->count = set->count > 0 ? 2 : 1;
	set->items[0].created = now_seconds();
	struct tls_seal_key *key = &set->items[0].key;
	if (RAND_bytes(key->name, sizeof key->name) != 1 ||
	    RAND_priv_bytes(key->secret, sizeof key->secret) != 1)
		abort();
}

/* Another may have done it before we had the lock. */
static bool rotate_locked(const char *path, struct key_set *set, char **error)
{
	if (!read_set(path, set, error) && *error != NULL)
		return false;
	if (!is_due(set))
		return true;
	struct buf text = {0};
	buf_make_room(&text, FILE_MAX);
	add_key(set);
	write_set(set, &text);
	bool is_written = new_file_replace(path, buf_text(&text), 0600, error);
	buf_free_secret(&text);
	return is_written;
}

/* False, without an error: another does it at this moment. */
static bool rotate(const struct ticket_keys *keys, struct key_set *set, char **error)
{
	int fd = open(keys->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (fd < 0 || errno != EWOULDBLOCK)
			*error = xasprintf("%s: %s", keys->lock_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool is_done = rotate_locked(keys->path, set, error);
	close(fd);
	return is_done;
}

/* --- looking ----------------------------------------------------------------------------------
 */

static void tell(struct ticket_keys *keys, const char *error)
{
	bool has_failed = error != NULL;
	if (has_failed == keys->has_failed)
		return;
	keys->has_failed = has_failed;
	if (has_failed)
		log_warn("tls", "ticket-keys-not-shared", LOG_S("error", error),
		    LOG_S("effect", "clients that land on another instance shake hands in full"));
	else
		log_info("tls", "ticket-keys-shared", LOG_S("path", keys->path));
}

static void use(struct ticket_keys *keys, const struct key_set *set)
{
	struct tls_seal_key ring[TLS_SEAL_KEYS];
	for (size_t i = 0; i < set->count; i++)
		ring[i] = set->items[i].key;
	tls_seal_set(keys->seal, ring, set->count);
	explicit_bzero(ring, sizeof ring);
}

/* False: it is worth looking again soon. */
static bool look(struct ticket_keys *keys)
{
	struct key_set set = {0};
	char *error = NULL;
	keys->looked = mono_now();
	bool is_good = read_set(keys->path, &set, &error) || error == NULL;
	bool is_busy = is_good && is_due(&set) && !rotate(keys, &set, &error) && error == NULL;
	if (error == NULL && set.count > 0)
		use(keys, &set);
	explicit_bzero(&set, sizeof set);
	if (!is_busy)
		tell(keys, error);
	free(error);
	return !is_busy;
}

static void on_timer(void *arg)
{
	struct ticket_keys *keys = arg;
	bool is_settled = look(keys);
	timer_set(keys->timer, is_settled ? duration_seconds(LOOK_SECONDS) : duration_ms(BUSY_MS));
}

/* A sibling may have rotated since; or somebody makes keys up. */
static void on_unknown(void *arg)
{
	struct ticket_keys *keys = arg;
	if (mono_since(keys->looked).ms >= UNKNOWN_MS)
		(void)look(keys);
}

struct ticket_keys *ticket_keys_new(struct loop *loop, const char *directory)
{
	struct ticket_keys *keys = xcalloc(1, sizeof *keys);
	keys->loop = loop;
	keys->path = xasprintf("%s/ticket-keys", directory);
	keys->lock_path = xasprintf("%s/ticket-keys.lock", directory);
	keys->seal = tls_seal_new(on_unknown, keys);
	keys->timer = timer_new(loop, on_timer, keys);
	on_timer(keys);
	return keys;
}

void ticket_keys_free(struct ticket_keys **keys)
{
	if (*keys == NULL)
		return;
	timer_free(&(*keys)->timer);
	tls_seal_free(&(*keys)->seal);
	free((*keys)->path);
	free((*keys)->lock_path);
	xfree(keys);
}

struct tls_seal *ticket_keys_seal(struct ticket_keys *keys)
{
	return keys->seal;
}
