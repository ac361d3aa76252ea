/* One lock per path: what a daemon takes before it binds a socket or opens a store, so that a
 * second instance is told who the first is instead of stealing from it. */
#include "common/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/xmem.h"

static char *holder_text(int fd, const char *path)
{
	char pid[16] = "";
	ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
	pid[len > 0 ? len : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	return xasprintf(
	    "%s is held by pid %s: is it running already?", path, *pid != '\0' ? pid : "unknown");
}

int lock_file_take(const char *path, char **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		*error = xasprintf("cannot open the lock file %s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		*error = errno == EWOULDBLOCK
			     ? holder_text(fd, path)
			     : xasprintf("cannot lock %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	char pid[16];
	int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
		*error = xasprintf("cannot write to the lock file %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}
