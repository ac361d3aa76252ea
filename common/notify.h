/* sd_notify(3) without libsystemd: one datagram to $NOTIFY_SOCKET, and the watchdog fed from the
 * loop. Everything here does nothing when not run by systemd. */
#ifndef EKSGATE_NOTIFY_H
#define EKSGATE_NOTIFY_H

struct loop;
struct notify;

struct notify *notify_new(struct loop *loop);
void notify_free(struct notify **notify);
/* "READY=1" with a status text; later calls only change the text. */
void notify_ready(struct notify *notify, const char *status);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify, const char *status);

#endif
