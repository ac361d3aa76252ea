/* The native protocol of journald (systemd.journal-fields(7)): a datagram an entry, and a sealed
 * memory file where an entry is larger than a datagram can be. Called by audit_sink.c. */
#include "kubeproxyd/record/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a busy journal may hold the process up. */
#define PATIENCE_US 200000

static const char fields[] = "SYSLOG_IDENTIFIER=kubeproxyd-audit\nPRIORITY=5\nMESSAGE=";

static void close_quietly(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
}

int journal_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_usec = PATIENCE_US};
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close_quietly(fd);
		fd = -1;
	}
	return fd;
}

static bool send_message(int fd, const struct msghdr *message)
{
	ssize_t sent;
	do
		sent = sendmsg(fd, message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, data, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		data += written;
		len -= (size_t)written;
	}
	return true;
}

/* A memory file with the entry that nobody can change any more: journald takes no other. */
static int make_file(const char *line, size_t len)
{
	int file = memfd_create("journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file >= 0 && write_all(file, fields, sizeof fields - 1) && write_all(file, line, len) &&
	    fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return file;
	if (file >= 0)
		close_quietly(file);
	return -1;
}

static bool send_file(int fd, int file)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &file, sizeof file);
	return send_message(fd, &message);
}

bool journal_send(int fd, const char *line, size_t len)
{
	struct iovec parts[] = {
	    {.iov_base = (char *)(uintptr_t)fields, .iov_len = sizeof fields - 1},
	    {.iov_base = (char *)(uintptr_t)line, .iov_len = len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	if (send_message(fd, &message))
		return true;
	if (errno != EMSGSIZE)
		return false;
	int file = make_file(line, len);
	if (file < 0)
		return false;
	bool is_sent = send_file(fd, file);
	close_quietly(file);
	return is_sent;
}

bool journal_is_gone(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN || error == EPIPE;
}
