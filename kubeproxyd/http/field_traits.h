/* What this proxy has to know about a header field by its name. Found once, when the field is added
 * to a list (fields.h), so that whoever asks later looks at a bit. Pure. */
#ifndef EKSGATE_FIELD_TRAITS_H
#define EKSGATE_FIELD_TRAITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

enum field_trait {
	/* Ends at the next hop (RFC 9110, 7.6.1). Framing, Host and Expect, which the members of a
	 * head say, count too. */
	FIELD_HOP_BY_HOP = 1u << 0,
	/* The head writes it from its members. */
	FIELD_OF_MEMBERS = 1u << 1,
	/* Says who somebody is, vouches for or authenticates somebody: what clients send of it must
	 * not reach an API server. Judged by prefix, so that a field that Kubernetes learns
	 * tomorrow is covered today. */
	FIELD_IDENTITY = 1u << 2,
	/* Any that would make the API server act as somebody else. */
	FIELD_IMPERSONATION = 1u << 3,
	/* Frames or upgrades; as it is, others deal with it. */
	FIELD_FRAMING = 1u << 4,
	/* One of identity or framing with '_' for '-': another hop would take it for the real one.
	 */
	FIELD_DISGUISED = 1u << 5,
	/* Belongs to one user: must never enter a compression table. */
	FIELD_PRIVATE = 1u << 6,
	/* Of an answer: asks clients for credentials, or speaks for the whole host. */
	FIELD_OF_HOST = 1u << 7,
	/* Must not stand in trailers (RFC 9110, 6.5.1). */
	FIELD_OF_HEADS = 1u << 8,
	/* Cookie and its kind. */
	FIELD_COOKIE = 1u << 9,
	/* Accept, Accept-Encoding */
	FIELD_ACCEPT = 1u << 10,
	/* Where a browser's request comes from: Origin, Sec-Fetch-Site. */
	FIELD_ORIGIN = 1u << 11,
	/* Single ones. */
	FIELD_CONNECTION = 1u << 12,
	FIELD_UPGRADE = 1u << 13,
	FIELD_TRAILER = 1u << 14,
	FIELD_AUTHORIZATION = 1u << 15,
	FIELD_IMPERSONATE_USER = 1u << 16,
	FIELD_IMPERSONATE_GROUP = 1u << 17,
	FIELD_IMPERSONATE_UID = 1u << 18,
	FIELD_AUDIT_ID = 1u << 19,
	FIELD_FORWARDED_FOR = 1u << 20,
	FIELD_PROTOCOLS = 1u << 21, /* Sec-WebSocket-Protocol */
	FIELD_LOCATION = 1u << 22,
	FIELD_SET_COOKIE = 1u << 23,
	FIELD_SNIFFING = 1u << 24, /* X-Content-Type-Options */
	/* About the bytes of a body, or a part of them. */
	FIELD_OF_BODY = 1u << 25,
};
#define FIELD_TRAITS_BITS 26

/* Of a name in any case: bits of enum field_trait. */
uint32_t field_traits(const char *name, size_t len) MUST_USE;

#endif
