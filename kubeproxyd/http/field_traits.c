/* The names of header fields that mean something here, in one table: what ends at this hop, what
 * says who somebody is, what may not be shared, what answers may not say. Sorted by first letters,
 * since nearly no field begins like one of them. Called by fields.c for every field. */
#include "kubeproxyd/http/field_traits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes16.h"

/* Longer than any name of the table, so that what is cut off matters to no rule. */
#define DISGUISE_MAX 64

struct rule {
	const char *name; /* in lower case */
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
    PREFIX("access-control-", FIELD_OF_HOST),
    NAME("accept", FIELD_ACCEPT),
    NAME("accept-encoding", FIELD_ACCEPT),
    NAME("accept-ranges", FIELD_OF_BODY),
    NAME("age", FIELD_OF_HEADS),
    NAME("alt-svc", FIELD_OF_HOST),
    NAME("audit-id", WHO | PRIVATE | FIELD_AUDIT_ID),
    NAME("authorization", WHO | PRIVATE | FIELD_AUTHORIZATION),
    NAME("cache-control", FIELD_OF_HEADS),
    NAME("clear-site-data", FIELD_OF_HOST),
    NAME("connection", HOP | MEMBERS | FIELD_CONNECTION),
    PREFIX("content-", FIELD_OF_HEADS),
    NAME("content-digest", FIELD_OF_BODY),
    NAME("content-length", HOP | MEMBERS | FIELD_FRAMING),
    NAME("content-md5", FIELD_OF_BODY),
    NAME("content-range", FIELD_OF_BODY),
    NAME("cookie", FIELD_COOKIE | PRIVATE),
    NAME("cookie2", FIELD_COOKIE),
    NAME("date", FIELD_OF_HEADS),
    NAME("digest", FIELD_OF_BODY),
    NAME("etag", FIELD_OF_BODY),
    NAME("expect", HOP),
    NAME("expires", FIELD_OF_HEADS),
    NAME("forwarded", WHO),
    PREFIX("front-proxy", WHO),
    NAME("host", HOP | MEMBERS),
    NAME("http2-settings", HOP),
    PREFIX("impersonate", WHO | PRIVATE | FIELD_IMPERSONATION),
    NAME("impersonate-group", FIELD_IMPERSONATE_GROUP),
    NAME("impersonate-uid", FIELD_IMPERSONATE_UID),
    NAME("impersonate-user", FIELD_IMPERSONATE_USER),
    NAME("keep-alive", HOP | FIELD_FRAMING),
    PREFIX("kubectl-", FIELD_OF_HEADS),
    NAME("last-modified", FIELD_OF_BODY),
    NAME("location", FIELD_LOCATION | FIELD_OF_HEADS),
    NAME("nel", FIELD_OF_HOST),
    NAME("origin", FIELD_ORIGIN),
    NAME("proxy-authenticate", HOP),
    NAME("proxy-authentication-info", HOP),
    NAME("proxy-authorization", HOP | WHO),
    NAME("proxy-connection", HOP | FIELD_FRAMING),
    NAME("public-key-pins", FIELD_OF_HOST),
    NAME("refresh", FIELD_OF_HOST),
    NAME("report-to", FIELD_OF_HOST),
    NAME("reporting-endpoints", FIELD_OF_HOST),
    NAME("repr-digest", FIELD_OF_BODY),
    NAME("retry-after", FIELD_OF_HEADS),
    NAME("sec-fetch-site", FIELD_ORIGIN),
    PREFIX("sec-websocket-", FIELD_FRAMING),
    NAME("sec-websocket-protocol", FIELD_PROTOCOLS),
    NAME("service-worker-allowed", FIELD_OF_HOST),
    NAME("set-cookie", FIELD_SET_COOKIE | FIELD_OF_HEADS | PRIVATE),
    NAME("set-cookie2", FIELD_OF_HOST),
    NAME("strict-transport-security", FIELD_OF_HOST),
    NAME("te", HOP),
    NAME("trailer", HOP | FIELD_TRAILER | FIELD_OF_BODY),
    NAME("transfer-encoding", HOP | MEMBERS | FIELD_FRAMING),
    NAME("upgrade", HOP | FIELD_UPGRADE),
    NAME("user-agent", FIELD_OF_HEADS),
    NAME("vary", FIELD_OF_HEADS),
    NAME("www-authenticate", FIELD_OF_HOST),
    PREFIX("x-amz", WHO),
    PREFIX("x-client-", WHO),
    NAME("x-content-type-options", FIELD_SNIFFING | FIELD_OF_HEADS),
    PREFIX("x-forwarded-", WHO),
    NAME("x-forwarded-for", PRIVATE | FIELD_FORWARDED_FOR),
    NAME("x-real-ip", WHO),
    PREFIX("x-remote-", WHO),
    NAME("x-stream-protocol-version", FIELD_OF_HEADS),
};

#define RULE_COUNT (sizeof rules / sizeof rules[0])
#define LETTERS	   26u
/* More than the longest name of the table has: all longer ones follow the same rules. */
#define LENGTHS 32u
/* Bits for the rules of one letter. */
#define RULES_MAX 16u

struct index {
	uint8_t first[LETTERS + 1]; /* rule of each letter; in the end how many rules there are */
	uint16_t candidates[LETTERS][LENGTHS]; /* the rules that a name of that length may follow */
};

/* 0 is 'a', in either case; LETTERS or more: no letter. */
static unsigned letter_of(char c)
{
	return ((unsigned char)c | 0x20u) - 'a';
}

static void index_rule(uint16_t candidates[LENGTHS], const struct rule *rule, size_t number)
{
	size_t last = rule->is_prefix ? LENGTHS - 1 : rule->len;
	if (number >= RULES_MAX || rule->len >= LENGTHS - 1)
		abort();
	if (rule->traits >> FIELD_TRAITS_BITS != 0)
		abort(); /* whoever keeps traits beside something else would lose this one */
	for (size_t len = rule->len; len <= last; len++)
		candidates[len] |= (uint16_t)(1u << number);
}

/* Worked out once. */
static const struct index *find_index(void)
{
	static struct index index;
	if (index.first[LETTERS] > 0)
		return &index;
	size_t at = 0;
	for (unsigned letter = 0; letter < LETTERS; letter++) {
		size_t first = at;
		index.first[letter] = (uint8_t)first;
		for (; at < RULE_COUNT && letter_of(rules[at].name[0]) == letter; at++)
			index_rule(index.candidates[letter], &rules[at], at - first);
	}
	if (at != RULE_COUNT)
		abort(); /* one stands in the wrong place, and would never be found */
	index.first[LETTERS] = (uint8_t)at;
	return &index;
}

static inline uint64_t load(const char *text)
{
	uint64_t eight;
	memcpy(&eight, text, sizeof eight);
	return eight;
}

/* Eight bytes of a name and of a rule, in any case: a letter has 0x40 set and may differ in 0x20,
 * which is half of that; what else stands in a rule, a digit or '-', has not. */
static inline bool is_same(uint64_t name, uint64_t rule)
{
	return ((name ^ rule) & ~(rule >> 1 & UINT64_C(0x2020202020202020))) == 0;
}

/* The name is as long as the rule at least. Some bytes may be looked at twice. */
static inline bool begins_as(const char *name, const struct rule *rule)
{
	if (rule->len < sizeof(uint64_t))
		return is_same(bytes8_cover(name, rule->len), bytes8_cover(rule->name, rule->len));
	size_t last = rule->len - sizeof(uint64_t);
	for (size_t at = 0; at < last; at += sizeof(uint64_t))
		if (!is_same(load(name + at), load(rule->name + at)))
			return false;
	return is_same(load(name + last), load(rule->name + last));
}

static uint32_t look_up(const char *name, size_t len)
{
	unsigned letter = len > 0 ? letter_of(name[0]) : LETTERS;
	if (letter >= LETTERS)
		return 0;
	const struct index *index = find_index();
	const struct rule *first = &rules[index->first[letter]];
	unsigned left = index->candidates[letter][len < LENGTHS ? len : LENGTHS - 1];
	uint32_t traits = 0;
	for (; left != 0; left &= left - 1) {
		const struct rule *rule = &first[__builtin_ctz(left)];
		if (begins_as(name, rule))
			traits |= rule->traits;
	}
	return traits;
}

/* Hardly any name is asked: it stands apart. */
static __attribute__((noinline)) bool is_disguised(const char *name, size_t len)
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

static inline bytes16 find_underscores(bytes16 bytes)
{
	return bytes == '_';
}

uint32_t field_traits(const char *name, size_t len)
{
	uint32_t traits = look_up(name, len);
	if (!bytes16_are_free_of(find_underscores, name, len) && is_disguised(name, len))
		traits |= FIELD_DISGUISED;
	return traits;
}
