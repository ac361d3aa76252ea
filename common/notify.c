/* Tells systemd how we are (sd_notify(3)). The watchdog is fed by a timer of the loop, at half of
 * the interval that systemd asks for: a loop that hangs is noticed. */
#include "common/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"

struct notify {
	int fd; /* -1 when not run by systemd */
	struct sockaddr_un address;
	socklen_t address_len;
	struct timer *watchdog;
	struct duration interval;
};

static void send_text(const struct notify *notify, const char *text)
{
	if (notify->fd < 0)
		return;
	ssize_t sent = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
	    (const struct sockaddr *)&notify->address, notify->address_len);
	if (sent < 0)
		log_warn("notify", "send-failed", LOG_S("error", strerror(errno)));
}

static void feed_watchdog(void *arg)
{
	struct notify *notify = arg;
	send_text(notify, "WATCHDOG=1");
	timer_set(notify->watchdog, notify->interval);
}

static bool set_address(struct notify *notify, const char *path)
{
	size_t len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof notify->address.sun_path)
		return false;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, len);
	if (path[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static void start_watchdog(struct notify *notify, struct loop *loop)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (microseconds == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return;
	int64_t interval = strtoll(microseconds, NULL, 10) / 1000 / 2;
	if (interval <= 0)
		return;
	notify->interval = duration_ms(interval);
	notify->watchdog = timer_new(loop, feed_watchdog, notify);
	feed_watchdog(notify);
}

struct notify *notify_new(struct loop *loop)
{
	struct notify *notify = xcalloc(1, sizeof *notify);
	notify->fd = -1;
	const char *path = getenv("NOTIFY_SOCKET");
	if (path == NULL || !set_address(notify, path))
		return notify;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd >= 0)
		start_watchdog(notify, loop);
	return notify;
}

void notify_free(struct notify **notify)
{
	if (*notify == NULL)
		return;
	timer_free(&(*notify)->watchdog);
	if ((*notify)->fd >= 0)
		close((*notify)->fd);
	xfree(notify);
}

static void send_state(const struct notify *notify, const char *state, const char *status)
{
	char *text = status != NULL ? xasprintf("%s\nSTATUS=%s", state, status) : xstrdup(state);
	send_text(notify, text);
	free(text);
}

void notify_ready(struct notify *notify, const char *status)
{
	send_state(notify, "READY=1", status);
}

void notify_reloading(struct notify *notify)
{
	char *state =
	    xasprintf("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(mono_now().ns / 1000));
	send_text(notify, state);
	free(state);
}

void notify_stopping(struct notify *notify, const char *status)
{
	send_state(notify, "STOPPING=1", status);
}
