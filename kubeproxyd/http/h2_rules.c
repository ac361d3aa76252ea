/* Which fields a head may have. What was found out about a field that stands in a compression
 * table is noted there: most requests of a connection are made of the same ones. Called by
 * h2_heads.c. */
#include "kubeproxyd/http/h2_rules.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/bytes16.h"

/* What a name is; also the bits of `seen`, for those that come once. */
enum kind {
	UNKNOWN,
	PLAIN,
	METHOD,
	SCHEME,
	PATH,
	AUTHORITY,
	STATUS,
	HOST,
	CONTENT_LENGTH,
	TE,
	OF_CONNECTION,
	ANY_PSEUDO,
};

/* In a mark: the kind, and that name and value have no byte that they must not have. */
#define KIND_MASK 0xffu
#define IS_CLEAN  0x100u

/* Where a letter may stand: in a name (RFC 9110, 5.1) as HTTP/2 writes it, in lower case (RFC 9113,
 * 8.2.1); in a token of any case; in a host with an optional port and user information, which is
 * refused with a sentence elsewhere (RFC 3986, 3.2). */
#define IN_NAME	     0x1u
#define IN_TOKEN     0x2u
#define IN_AUTHORITY 0x4u
#define IN_BOTH	     (IN_NAME | IN_TOKEN)
#define IN_ALL	     (IN_BOTH | IN_AUTHORITY)

static bool is_made_of(unsigned place, const char *text, size_t len)
{
	static const unsigned char places[256] = {['0' ... '9'] = IN_ALL,
	    ['a' ... 'z'] = IN_ALL,
	    ['A' ... 'Z'] = IN_TOKEN | IN_AUTHORITY,
	    ['!'] = IN_ALL,
	    ['#'] = IN_BOTH,
	    ['$' ... '\''] = IN_ALL,
	    ['*' ... '+'] = IN_ALL,
	    ['-' ... '.'] = IN_ALL,
	    ['^'] = IN_BOTH,
	    ['_'] = IN_ALL,
	    ['`'] = IN_BOTH,
	    ['|'] = IN_BOTH,
	    ['~'] = IN_ALL,
	    ['('] = IN_AUTHORITY,
	    [')'] = IN_AUTHORITY,
	    [','] = IN_AUTHORITY,
	    [':' ... ';'] = IN_AUTHORITY,
	    ['='] = IN_AUTHORITY,
	    ['@'] = IN_AUTHORITY,
	    ['['] = IN_AUTHORITY,
	    [']'] = IN_AUTHORITY};
	for (size_t i = 0; i < len; i++) {
		if ((places[(unsigned char)text[i]] & place) == 0)
			return false;
	}
	return len > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bytes16 find_controls(bytes16 bytes)
{
	return ((bytes >= 0) & (bytes < ' ') & (bytes != '\t')) | (bytes == 0x7f);
}

/* Without control characters but tabs inside, and without blanks at either end (8.2.1). */
static bool is_value(const char *value, size_t len)
{
	return len == 0 || (!is_blank(value[0]) && !is_blank(value[len - 1]) &&
			       bytes16_are_free_of(find_controls, value, len));
}

/* Of a value: control characters are refused before. */
static bool has_blank(const char *text, size_t len)
{
	return memchr(text, ' ', len) != NULL || memchr(text, '\t', len) != NULL;
}

static bool is_text(const char *value, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(value, text, len) == 0;
}

/* A name that was spelled out. */
static enum kind kind_of_text(const char *name, size_t len)
{
	static const struct {
		const char *name;
		size_t len;
		enum kind kind;
	} names[] = {{":method", 7, METHOD}, {":scheme", 7, SCHEME}, {":path", 5, PATH},
	    {":authority", 10, AUTHORITY}, {":status", 7, STATUS}, {"host", 4, HOST},
	    {"content-length", 14, CONTENT_LENGTH}, {"te", 2, TE},
	    {"connection", 10, OF_CONNECTION}, {"keep-alive", 10, OF_CONNECTION},
	    {"proxy-connection", 16, OF_CONNECTION}, {"transfer-encoding", 17, OF_CONNECTION},
	    {"upgrade", 7, OF_CONNECTION}};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i].len == len && memcmp(names[i].name, name, len) == 0)
			return names[i].kind;
	}
	return len > 0 && name[0] == ':' ? ANY_PSEUDO : PLAIN;
}

static enum kind kind_of(const struct hpack_field *field)
{
	switch (field->static_name) {
	case 0:
		return kind_of_text(field->name, field->name_len);
	case HPACK_METHOD:
		return METHOD;
	case HPACK_SCHEME:
		return SCHEME;
	case HPACK_PATH:
		return PATH;
	case HPACK_AUTHORITY:
		return AUTHORITY;
	case HPACK_STATUS:
		return STATUS;
	case HPACK_HOST:
		return HOST;
	case HPACK_CONTENT_LENGTH:
		return CONTENT_LENGTH;
	case HPACK_TRANSFER_ENCODING:
		return OF_CONNECTION;
	default:
		return PLAIN;
	}
}

static bool is_pseudo(enum kind kind)
{
	return (kind >= METHOD && kind <= STATUS) || kind == ANY_PSEUDO;
}

/* The kind of a field, and whether its bytes are allowed: once for each that is in a table. */
static enum kind examine(const struct hpack_field *field, bool *is_clean)
{
	if (field->mark != NULL && (*field->mark & KIND_MASK) != UNKNOWN) {
		*is_clean = (*field->mark & IS_CLEAN) != 0;
		return (enum kind)(*field->mark & KIND_MASK);
	}
	enum kind kind = kind_of(field);
	/* Names of the static table are as they must be. */
	*is_clean = is_value(field->value, field->value_len) &&
		    (is_pseudo(kind) || field->static_name != 0 ||
			is_made_of(IN_NAME, field->name, field->name_len));
	if (field->mark != NULL)
		*field->mark = (uint32_t)kind | (*is_clean ? IS_CLEAN : 0);
	return kind;
}

static bool is_once(struct h2_rules *rules, enum kind kind)
{
	unsigned bit = 1u << kind;
	bool is_first = (rules->seen & bit) == 0;
	rules->seen |= bit;
	return is_first;
}

static const char *take_length(struct h2_rules *rules, const char *value, size_t len)
{
	int64_t length = 0;
	if (len == 0 || len > 18)
		return "content-length is not a number";
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return "content-length is not a number";
		length = length * 10 + (value[i] - '0');
	}
	rules->has_length = true;
	rules->length = length;
	return NULL;
}

static const char *take_host(struct h2_rules *rules, const struct hpack_field *field)
{
	if (rules->kind != H2_REQUEST_HEAD)
		return NULL;
	if (!is_once(rules, HOST))
		return "host comes twice";
	return is_made_of(IN_AUTHORITY, field->value, field->value_len)
		   ? NULL
		   : "host is not an authority";
}

static const char *take_status(struct h2_rules *rules, const char *value, size_t len)
{
	bool is_number = len == 3 && value[0] >= '1' && value[0] <= '9' && value[1] >= '0' &&
			 value[1] <= '9' && value[2] >= '0' && value[2] <= '9';
	if (!is_number)
		return ":status is not a number of three digits";
	rules->status = (unsigned)(value[0] - '0') * 100 + (unsigned)(value[1] - '0') * 10 +
			(unsigned)(value[2] - '0');
	return rules->status == 101 ? "there is no 101 in HTTP/2" : NULL;
}

static const char *take_pseudo(
    struct h2_rules *rules, enum kind kind, const struct hpack_field *field)
{
	const char *value = field->value;
	size_t len = field->value_len;
	bool is_expected =
	    rules->kind == H2_REQUEST_HEAD ? kind != STATUS && kind != ANY_PSEUDO : kind == STATUS;
	if (rules->kind == H2_TRAILERS || !is_expected)
		return "a pseudo field that does not belong there";
	if (rules->is_behind_pseudo)
		return "a pseudo field behind other fields";
	if (!is_once(rules, kind))
		return "a pseudo field comes twice";
	switch (kind) {
	case METHOD:
		rules->is_connect = is_text(value, len, "CONNECT");
		rules->is_options = is_text(value, len, "OPTIONS");
		return is_made_of(IN_TOKEN, value, len) ? NULL : ":method is not a token";
	case SCHEME:
		return is_made_of(IN_TOKEN, value, len) ? NULL : ":scheme is not a scheme";
	case PATH:
		rules->is_asterisk = is_text(value, len, "*");
		if (len == 0 || (value[0] != '/' && !rules->is_asterisk))
			return ":path does not begin with a slash";
		return has_blank(value, len) ? "a blank in :path" : NULL;
	case AUTHORITY:
		return is_made_of(IN_AUTHORITY, value, len) ? NULL
							    : ":authority is not an authority";
	case STATUS:
		return take_status(rules, value, len);
	default:
		return NULL;
	}
}

const char *h2_rules_take(struct h2_rules *rules, const struct hpack_field *field)
{
	bool is_clean;
	enum kind kind = examine(field, &is_clean);
	if (!is_clean)
		return "a field with a byte that is not allowed";
	if (is_pseudo(kind))
		return take_pseudo(rules, kind, field);
	rules->is_behind_pseudo = true;
	switch (kind) {
	case HOST:
		return take_host(rules, field);
	case CONTENT_LENGTH:
		if (rules->kind == H2_TRAILERS)
			return NULL; /* says nothing there (RFC 9110, 6.5.1) */
		return is_once(rules, kind) ? take_length(rules, field->value, field->value_len)
					    : "content-length comes twice";
	case TE:
		/* In any case (RFC 5234, 2.3). */
		return field->value_len == 8 && strncasecmp(field->value, "trailers", 8) == 0
			   ? NULL
			   : "te is not trailers";
	case OF_CONNECTION:
		return "a field that is about a connection of HTTP/1";
	default:
		return NULL;
	}
}

static bool has(const struct h2_rules *rules, enum kind kind)
{
	return (rules->seen & 1u << kind) != 0;
}

const char *h2_rules_end(const struct h2_rules *rules)
{
	if (rules->kind == H2_TRAILERS)
		return NULL;
	if (rules->kind == H2_ANSWER_HEAD)
		return has(rules, STATUS) ? NULL : "an answer without :status";
	if (!has(rules, METHOD))
		return "a request without :method";
	if (rules->is_connect)
		return has(rules, AUTHORITY) && !has(rules, PATH) && !has(rules, SCHEME)
			   ? NULL
			   : "CONNECT has :authority, and neither :scheme nor :path";
	if (!has(rules, PATH) || !has(rules, SCHEME))
		return "a request without :path or :scheme";
	if (rules->is_asterisk && !rules->is_options)
		return ":path * is for OPTIONS alone";
	return has(rules, AUTHORITY) || has(rules, HOST) ? NULL
							 : "a request without :authority and host";
}
