/* Where the listening sockets come from. With socket activation systemd binds them, ports below
 * 1024 too, keeps them over restarts and hands them in as descriptors from 3 on; an instance
 * without such binds its own beside its siblings'. Made by the proxy. */
#include "kubeproxyd/net/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xmem.h"

#define FIRST_FD      3
#define LISTENERS_MAX 16u

struct listeners {
	struct listener *items[LISTENERS_MAX];
	size_t count;
	bool are_inherited;
};

static bool read_number(const char *name, unsigned long *value)
{
	const char *text = getenv(name);
	char *end = NULL;
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* How many were passed to this process; children of ours must not take them for theirs. */
static unsigned long take_count(void)
{
	unsigned long pid, count = 0;
	bool is_ours = read_number("LISTEN_PID", &pid) && pid == (unsigned long)getpid() &&
		       read_number("LISTEN_FDS", &count);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return is_ours ? count : 0;
}

static bool adopt_all(struct listeners *listeners, struct loop *loop, unsigned long count,
    listener_fn *fn, void *arg, char **error)
{
	if (count > LISTENERS_MAX) {
		*error = xasprintf("LISTEN_FDS: %lu sockets, at most %u are taken; pass fewer "
				   "ListenStream= to kubeproxyd@.socket",
		    count, LISTENERS_MAX);
		return false;
	}
	listeners->are_inherited = true;
	for (unsigned i = 0; i < count; i++) {
		struct listener *listener = listener_adopt(loop, FIRST_FD + (int)i, fn, arg, error);
		if (listener == NULL)
			return false;
		listeners->items[listeners->count++] = listener;
	}
	return true;
}

static bool bind_one(struct listeners *listeners, struct loop *loop, const char *address,
    listener_fn *fn, void *arg, char **error)
{
	struct listener *listener = listener_new(loop, address, fn, arg, error);
	if (listener == NULL)
		return false;
	listeners->items[listeners->count++] = listener;
	return true;
}

struct listeners *listeners_open(
    struct loop *loop, const char *address, listener_fn *fn, void *arg, char **error)
{
	struct listeners *listeners = xcalloc(1, sizeof *listeners);
	unsigned long inherited = take_count();
	bool is_open = inherited > 0 ? adopt_all(listeners, loop, inherited, fn, arg, error)
				     : bind_one(listeners, loop, address, fn, arg, error);
	if (!is_open) {
		listeners_free(&listeners);
		return NULL;
	}
	for (size_t i = 0; i < listeners->count; i++)
		log_info("listener", "listening",
		    LOG_S("address", listener_address(listeners->items[i])),
		    LOG_B("inherited", listeners->are_inherited));
	return listeners;
}

void listeners_free(struct listeners **listeners)
{
	if (*listeners == NULL)
		return;
	for (size_t i = 0; i < (*listeners)->count; i++) {
		if (!(*listeners)->are_inherited)
			listener_accept_rest((*listeners)->items[i]);
		listener_free(&(*listeners)->items[i]);
	}
	xfree(listeners);
}

void listeners_pause(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		listener_pause(listeners->items[i]);
}

void listeners_resume(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		listener_resume(listeners->items[i]);
}
