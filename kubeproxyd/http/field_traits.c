/* The names of header fields that mean something here, in one table: what ends at this hop, what
 * says who somebody is, what may not be shared, what answers may not say. Sorted by first letters,
 * since nearly no field begins like one of them. Called by fields.c for every field. */
#include "kubeproxyd/http/field_traits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Longer than any name of the table, so that what is cut off matters to no rule. */
#define DISGUISE_MAX 64

struct rule {
	const char *name;
	uint8_t len;
	bool is_prefix; /* `name` is how it begins */
	uint32_t traits;
};

#define NAME(text, traits)                                                                         \
	{                                                                                          \
		(text), sizeof(text) - 1, false, (traits)                                          \
	}
#define PREFIX(text, traits)                                                                       \
	{                                                                                          \
		(text), sizeof(text) - 1, true, (traits)                                           \
	}

#define HOP	FIELD_HOP_BY_HOP
#define MEMBERS FIELD_OF_MEMBERS
#define WHO	FIELD_IDENTITY
#define PRIVATE FIELD_PRIVATE

static const struct rule rules[] = {
    PREFIX("Access-Control-", FIELD_OF_HOST),
    NAME("Accept", FIELD_ACCEPT),
    NAME("Accept-Encoding", FIELD_ACCEPT),
    NAME("Accept-Ranges", FIELD_OF_BODY),
    NAME("Age", FIELD_OF_HEADS),
    NAME("Alt-Svc", FIELD_OF_HOST),
    NAME("Audit-Id", WHO | PRIVATE | FIELD_AUDIT_ID),
    NAME("Authorization", WHO | PRIVATE | FIELD_AUTHORIZATION),
    NAME("Cache-Control", FIELD_OF_HEADS),
    NAME("Clear-Site-Data", FIELD_OF_HOST),
    NAME("Connection", HOP | MEMBERS | FIELD_CONNECTION),
    PREFIX("Content-", FIELD_OF_HEADS),
    NAME("Content-Digest", FIELD_OF_BODY),
    NAME("Content-Length", HOP | MEMBERS | FIELD_FRAMING),
    NAME("Content-MD5", FIELD_OF_BODY),
    NAME("Content-Range", FIELD_OF_BODY),
    NAME("Cookie", FIELD_COOKIE | PRIVATE),
    NAME("Cookie2", FIELD_COOKIE),
    NAME("Date", FIELD_OF_HEADS),
    NAME("Digest", FIELD_OF_BODY),
    NAME("ETag", FIELD_OF_BODY),
    NAME("Expect", HOP),
    NAME("Expires", FIELD_OF_HEADS),
    NAME("Forwarded", WHO),
    PREFIX("Front-Proxy", WHO),
    NAME("Host", HOP | MEMBERS),
    NAME("HTTP2-Settings", HOP),
    PREFIX("Impersonate", WHO | PRIVATE | FIELD_IMPERSONATION),
    NAME("Impersonate-Group", FIELD_IMPERSONATE_GROUP),
    NAME("Impersonate-Uid", FIELD_IMPERSONATE_UID),
    NAME("Impersonate-User", FIELD_IMPERSONATE_USER),
    NAME("Keep-Alive", HOP | FIELD_FRAMING),
    NAME("Last-Modified", FIELD_OF_BODY),
    NAME("Location", FIELD_LOCATION | FIELD_OF_HEADS),
    NAME("NEL", FIELD_OF_HOST),
    NAME("Origin", FIELD_ORIGIN),
    NAME("Proxy-Authenticate", HOP),
    NAME("Proxy-Authentication-Info", HOP),
    NAME("Proxy-Authorization", HOP | WHO),
    NAME("Proxy-Connection", HOP | FIELD_FRAMING),
    NAME("Public-Key-Pins", FIELD_OF_HOST),
    NAME("Refresh", FIELD_OF_HOST),
    NAME("Report-To", FIELD_OF_HOST),
    NAME("Reporting-Endpoints", FIELD_OF_HOST),
    NAME("Repr-Digest", FIELD_OF_BODY),
    NAME("Retry-After", FIELD_OF_HEADS),
    NAME("Sec-Fetch-Site", FIELD_ORIGIN),
    PREFIX("Sec-WebSocket-", FIELD_FRAMING),
    NAME("Sec-WebSocket-Protocol", FIELD_PROTOCOLS),
    NAME("Service-Worker-Allowed", FIELD_OF_HOST),
    NAME("Set-Cookie", FIELD_SET_COOKIE | FIELD_OF_HEADS | PRIVATE),
    NAME("Set-Cookie2", FIELD_OF_HOST),
    NAME("Strict-Transport-Security", FIELD_OF_HOST),
    NAME("TE", HOP),
    NAME("Trailer", HOP | FIELD_TRAILER | FIELD_OF_BODY),
    NAME("Transfer-Encoding", HOP | MEMBERS | FIELD_FRAMING),
    NAME("Upgrade", HOP | FIELD_UPGRADE),
    NAME("Vary", FIELD_OF_HEADS),
    NAME("WWW-Authenticate", FIELD_OF_HOST),
    PREFIX("X-Amz", WHO),
    PREFIX("X-Client-", WHO),
    NAME("X-Content-Type-Options", FIELD_SNIFFING | FIELD_OF_HEADS),
    PREFIX("X-Forwarded-", WHO),
    NAME("X-Forwarded-For", PRIVATE | FIELD_FORWARDED_FOR),
    NAME("X-Real-Ip", WHO),
    PREFIX("X-Remote-", WHO),
};

#define RULE_COUNT (sizeof rules / sizeof rules[0])
#define LETTERS	   26u

/* 0 is 'a', in either case; LETTERS or more: no letter. */
static unsigned letter_of(char c)
{
	return ((unsigned char)c | 0x20u) - 'a';
}

/* Where the rules of each letter begin; worked out once. */
static const uint8_t *find_starts(void)
{
	static uint8_t starts[LETTERS + 1];
	if (starts[LETTERS] > 0)
		return starts;
	size_t at = 0;
	for (unsigned letter = 0; letter < LETTERS; letter++) {
		starts[letter] = (uint8_t)at;
		while (at < RULE_COUNT && letter_of(rules[at].name[0]) == letter)
			at++;
	}
	if (at != RULE_COUNT)
		abort(); /* one stands in the wrong place, and would never be found */
	starts[LETTERS] = (uint8_t)at;
	return starts;
}

static bool follows(const struct rule *rule, const char *name, size_t len)
{
	bool may_be = rule->is_prefix ? len >= rule->len : len == rule->len;
	return may_be && strncasecmp(rule->name, name, rule->len) == 0;
}

static uint32_t look_up(const char *name, size_t len)
{
	unsigned letter = len > 0 ? letter_of(name[0]) : LETTERS;
	if (letter >= LETTERS)
		return 0;
	const uint8_t *starts = find_starts();
	uint32_t traits = 0;
	for (size_t i = starts[letter]; i < starts[letter + 1]; i++) {
		if (follows(&rules[i], name, len))
			traits |= rules[i].traits;
	}
	return traits;
}

static bool is_disguised(const char *name, size_t len)
{
	char undisguised[DISGUISE_MAX];
	size_t kept = len < sizeof undisguised ? len : sizeof undisguised;
	for (size_t i = 0; i < kept; i++) {
		undisguised[i] = name[i];
		if (name[i] == '_')
			undisguised[i] = '-';
	}
	return (look_up(undisguised, kept) & (FIELD_IDENTITY | FIELD_FRAMING)) != 0;
}

uint32_t field_traits(const char *name, size_t len)
{
	uint32_t traits = look_up(name, len);
	if (memchr(name, '_', len) != NULL && is_disguised(name, len))
		traits |= FIELD_DISGUISED;
	return traits;
}
