/* The admin interface of a daemon: HTTP with JSON on a unix socket in a 0700 directory (peer by
 * SO_PEERCRED), and the public part of it (metrics, health) on a loopback TCP address when
 * configured. With the client half that the command line uses. */
#ifndef EKSGATE_ADMIN_H
#define EKSGATE_ADMIN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/attr.h"
#include "common/buf.h"

struct loop;
struct metrics;
struct admin;
struct admin_request;

enum admin_access {
	ADMIN_PUBLIC, /* also on the TCP address */
	ADMIN_READ, /* whoever may open the socket */
	ADMIN_CHANGE, /* root and the daemon's own user */
};

typedef void admin_fn(void *arg, struct admin_request *request);
/* Whether the daemon is alive / ready; *why gets a borrowed text when it is not. */
typedef bool admin_health_fn(void *arg, const char **why);

/* Serves /metrics, /healthz and /readyz from the start. */
struct admin *admin_new(
    struct loop *loop, struct metrics *metrics, admin_health_fn *ready, void *arg) MUST_USE;
void admin_free(struct admin **admin);
/* Creates the directory (0700) when it is missing, locks, removes a dead socket and binds. False:
 * *error (free()). */
bool admin_listen_unix(struct admin *admin, const char *path, char **error) MUST_USE;
/* "127.0.0.1:9100" or "[::1]:9100"; anything but loopback is refused. */
bool admin_listen_tcp(struct admin *admin, const char *address, char **error) MUST_USE;
/* `path` is exact, or a prefix when it ends with '/'. */
void admin_route(struct admin *admin, const char *method, const char *path,
    enum admin_access access, admin_fn *fn, void *arg);

/* What stands behind the prefix, decoded; "" when nothing. Borrowed. */
const char *admin_tail(const struct admin_request *request);
/* A query parameter, decoded; NULL when absent. Borrowed. */
const char *admin_query(const struct admin_request *request, const char *name);
uid_t admin_peer_uid(const struct admin_request *request);
/* Exactly one reply per request, at once or later. `document` becomes the callee's. */
void admin_reply(struct admin_request *request, int status, struct json_object *document);
/* {"error": text} */
void admin_reply_error(struct admin_request *request, int status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Client, blocking, at most 30 s: false when the daemon did not answer, with *error for people
 * ("discoveryd is not running (no /run/…/admin.sock)", free()). `document` is the caller's
 * (json_object_put). */
bool admin_call(const char *socket_path, const char *method, const char *target, int *status,
    struct json_object **document, char **error) MUST_USE;

#endif
