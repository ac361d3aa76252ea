/* Accepts connections within a limit; pauses on EMFILE and resumes. */
#ifndef EKSGATE_LISTENER_H
#define EKSGATE_LISTENER_H

#include <stddef.h>
#include <sys/socket.h>

#include "common/attr.h"

struct loop;
struct listener;

/* `fd` is connected, non-blocking and close-on-exec; it becomes the callee's. */
typedef void listener_fn(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len);

/* Binds "HOST:PORT" (port 0: any) with SO_REUSEPORT and listens. NULL: *error (free()). */
struct listener *listener_new(
    struct loop *loop, const char *address, listener_fn *fn, void *arg, char **error) MUST_USE;
/* Takes over a descriptor that listens already; it is closed with the listener, and when this
 * fails. */
struct listener *listener_adopt(
    struct loop *loop, int fd, listener_fn *fn, void *arg, char **error) MUST_USE;
/* Accepts what is queued now, in this call; for the owner that is about to free it. */
void listener_accept_rest(struct listener *listener);
/* Stops accepting and closes the socket. */
void listener_free(struct listener **listener);
/* The owner is at its limit: no accept until resumed. Also done by the listener itself on EMFILE,
 * for 100 ms. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);
/* "127.0.0.1:3026" as bound. */
const char *listener_address(const struct listener *listener);

#endif
