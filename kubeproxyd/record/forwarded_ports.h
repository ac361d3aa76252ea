/* Which ports a port-forward opens, read from the tunnel as it passes by: kubectl names them in the
 * streams of SPDY/3.1, alone or within a WebSocket. */
#ifndef EKSGATE_FORWARDED_PORTS_H
#define EKSGATE_FORWARDED_PORTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct forwarded_ports;

/* `upgrade` is what the client asked for: "websocket", "SPDY/3.1". NULL: neither. */
struct forwarded_ports *forwarded_ports_new(const char *upgrade) MUST_USE;
void forwarded_ports_free(struct forwarded_ports **ports);
/* What the client sends. */
void forwarded_ports_feed(struct forwarded_ports *ports, const uint8_t *data, size_t len);
/* As a JSON array of texts, ["8080","443"], each once, in their order, "?" for those that cannot be
 * read; NULL: none. Borrowed. NULL `ports` is allowed. */
const char *forwarded_ports_text(const struct forwarded_ports *ports);

#endif
