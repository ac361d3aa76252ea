/* The sockets that clients come in by: what systemd passed, or else the one that the settings name.
 */
#ifndef EKSGATE_LISTENERS_H
#define EKSGATE_LISTENERS_H

#include "common/attr.h"
#include "kubeproxyd/net/listener.h"

struct listeners;

/* Takes over the sockets of LISTEN_FDS (sd_listen_fds(3)), and with them the environment variables;
 * without any it binds `address` with SO_REUSEPORT. NULL: *error (free()). */
struct listeners *listeners_open(
    struct loop *loop, const char *address, listener_fn *fn, void *arg, char **error) MUST_USE;
/* Stops accepting. What a socket of our own has queued is accepted before, since closing would
 * reset it; a socket of systemd's keeps it for whoever comes next. */
void listeners_free(struct listeners **listeners);
void listeners_pause(struct listeners *listeners);
void listeners_resume(struct listeners *listeners);

#endif
