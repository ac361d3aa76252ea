/* The bus shown again as plain ZeroMQ PUB, so that any SUB client can look and none can touch
 * discoveryd. Two frames a message: a topic and JSON. "bus/TYPE" is every message as bustap prints
 * it; "kube_cluster/NAME" is what became of one cluster. Who subscribes gets the present state. */
#ifndef EKSGATE_BUSTAP_SERVE_H
#define EKSGATE_BUSTAP_SERVE_H

#include "common/attr.h"
#include "proto/message.h"

struct loop;
struct tap_server;

/* Locks PATH.lock, then binds. NULL with *error (free()). */
struct tap_server *tap_server_new(struct loop *loop, const char *path, char **error) MUST_USE;
void tap_server_free(struct tap_server **server);
/* A message of the bus; `line` is what is shown of it. `body` is NULL when its type is not known.
 */
void tap_server_take(struct tap_server *server, const struct message_header *header,
    const union message_body *body, const char *line);

#endif
