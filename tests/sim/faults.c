/* Makes the calls with which a program writes files fail, or wait, as a scenario orders: a library
 * that tests/scenarios/faults.mjs preloads into a daemon. The orders stand in the file that
 * EKSGATE_FAULTS names, one a line, and are read anew at each call:
 *
 *	fail pwrite EIO .part		such a call fails with that error
 *	stall pwrite .part		it waits until the order is gone from the file
 *
 * An order is for the files whose path ends in its last word; of a descriptor the path is what
 * /proc/self/fd says. Each call that meets an order is a line of EKSGATE_FAULTS.log, "fail pwrite
 * PATH". Calls that libc makes itself (stdio, opendir) do not pass here. Our own files are read and
 * written by system calls, so that they do not either. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define ORDERS_MAX 4096
#define WORD_MAX   16
#define LOOK_MS	   10

struct order {
	int error; /* 0: a stall */
	char call[WORD_MAX];
	char suffix[PATH_MAX];
};

/* --- orders ---------------------------------------------------------------------------------- */

/* An order that says nothing would let a test pass that tests nothing. */
_Noreturn static void refuse(const char *line)
{
	fprintf(stderr, "faults: not an order: %s\n", line);
	abort();
}

static int error_of(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {
	    {"EIO", EIO},
	    {"ENOSPC", ENOSPC},
	    {"EDQUOT", EDQUOT},
	    {"EROFS", EROFS},
	    {"EACCES", EACCES},
	    {"EMFILE", EMFILE},
	};
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].error;
	return 0;
}

static bool is_call(const char *name)
{
	static const char *const calls[] = {
	    "write", "pwrite", "pread", "fsync", "fdatasync", "ftruncate", "rename", "open"};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(calls[i], name) == 0)
			return true;
	return false;
}

static struct order read_order(const char *line)
{
	struct order order = {0};
	char error[WORD_MAX] = "";
	bool is_fail = sscanf(line, "fail %15s %15s %4095s", order.call, error, order.suffix) == 3;
	if (is_fail)
		order.error = error_of(error);
	else if (sscanf(line, "stall %15s %4095s", order.call, order.suffix) != 2)
		refuse(line);
	if (!is_call(order.call) || (is_fail && order.error == 0))
		refuse(line);
	return order;
}

static bool ends_in(const char *path, const char *suffix)
{
	size_t path_len = strlen(path), len = strlen(suffix);
	return path_len >= len && strcmp(path + path_len - len, suffix) == 0;
}

static size_t read_orders(char text[ORDERS_MAX])
{
	const char *file = getenv("EKSGATE_FAULTS");
	int fd = file != NULL ? (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
	long len = fd >= 0 ? syscall(SYS_read, fd, text, ORDERS_MAX - 1) : 0;
	if (fd >= 0)
		syscall(SYS_close, fd);
	return len > 0 ? (size_t)len : 0;
}

/* The first that is for this call. */
static bool find_order(const char *call, const char *path, struct order *found)
{
	char text[ORDERS_MAX], *rest = NULL;
	text[read_orders(text)] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		*found = read_order(line);
		if (strcmp(found->call, call) == 0 && ends_in(path, found->suffix))
			return true;
	}
	return false;
}

/* --- obedience ------------------------------------------------------------------------------- */

static void tell(const char *deed, const char *call, const char *path)
{
	char file[PATH_MAX], line[PATH_MAX + 2 * WORD_MAX];
	snprintf(file, sizeof file, "%s.log", getenv("EKSGATE_FAULTS"));
	int len = snprintf(line, sizeof line, "%s %s %s\n", deed, call, path);
	int fd = (int)syscall(
	    SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	syscall(SYS_write, fd, line, (size_t)len);
	syscall(SYS_close, fd);
}

/* True: the call fails, with errno. */
static bool is_struck(const char *call, const char *path)
{
	int before = errno;
	struct order order;
	bool is_told = false;
	while (find_order(call, path, &order)) {
		if (order.error != 0) {
			tell("fail", call, path);
			errno = order.error;
			return true;
		}
		if (!is_told)
			tell("stall", call, path);
		is_told = true;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
	}
	errno = before;
	return false;
}

static void path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, PATH_MAX - 1);
	path[len > 0 ? len : 0] = '\0';
}

static bool is_file_struck(const char *call, int fd)
{
	int before = errno;
	char path[PATH_MAX];
	path_of(fd, path);
	errno = before;
	return is_struck(call, path);
}

static bool is_name_struck(const char *call, int directory, const char *name)
{
	char path[2 * PATH_MAX] = "";
	if (name[0] != '/' && directory != AT_FDCWD) {
		path_of(directory, path);
		strcat(path, "/");
	}
	strncat(path, name, PATH_MAX - 1);
	path[PATH_MAX - 1] = '\0';
	return is_struck(call, path);
}

/* --- the calls ------------------------------------------------------------------------------- */

/* The next one of that name: that of libasan, where there is one. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t len)
{
	return is_file_struck("write", fd) ? -1 : NEXT(write)(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return is_file_struck("pwrite", fd) ? -1 : NEXT(pwrite)(fd, data, len, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	return is_file_struck("pwrite", fd) ? -1 : NEXT(pwrite64)(fd, data, len, offset);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
	return is_file_struck("pread", fd) ? -1 : NEXT(pread)(fd, data, len, offset);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
	return is_file_struck("pread", fd) ? -1 : NEXT(pread64)(fd, data, len, offset);
}

int fsync(int fd)
{
	return is_file_struck("fsync", fd) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	return is_file_struck("fdatasync", fd) ? -1 : NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t len)
{
	return is_file_struck("ftruncate", fd) ? -1 : NEXT(ftruncate)(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	return is_file_struck("ftruncate", fd) ? -1 : NEXT(ftruncate64)(fd, len);
}

int rename(const char *from, const char *to)
{
	return is_name_struck("rename", AT_FDCWD, from) ? -1 : NEXT(rename)(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return is_name_struck("rename", from_directory, from)
		   ? -1
		   : NEXT(renameat)(from_directory, from, to_directory, to);
}

/* The mode stands behind the flags only of what may make a file. */
static mode_t mode_of(int flags, va_list more)
{
	bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	return makes ? va_arg(more, mode_t) : 0;
}

int open(const char *name, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return is_name_struck("open", AT_FDCWD, name) ? -1 : NEXT(open)(name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return is_name_struck("open", AT_FDCWD, name) ? -1 : NEXT(open64)(name, flags, mode);
}

int openat(int directory, const char *name, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return is_name_struck("open", directory, name) ? -1
						       : NEXT(openat)(directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return is_name_struck("open", directory, name)
		   ? -1
		   : NEXT(openat64)(directory, name, flags, mode);
}
