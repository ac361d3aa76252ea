/* Socket addresses as text and back. */
#ifndef EKSGATE_ADDRESS_H
#define EKSGATE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"

#define ADDRESS_TEXT_MAX 64

/* "203.0.113.7:443", "[2001:db8::1]:443", "local" for other families. */
void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_MAX]);
/* An IPv4 or IPv6 literal, the latter with or without brackets. False: it is none. */
bool address_parse(
    const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *len) MUST_USE;
/* For use within networks alone: RFC 1918, RFC 6598 (VPCs have it as a secondary range), RFC 4193.
 */
bool address_is_private(const struct sockaddr *address) MUST_USE;

#endif
