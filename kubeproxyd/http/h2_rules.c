/* Which fields a head may have. What was found out about a field that stands in a compression
 * table is noted there: most requests of a connection are made of the same ones. Called by
 * h2_heads.c. */
#include "kubeproxyd/http/h2_rules.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

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

/* Letters of a field's name (RFC 9110, 5.1), in lower case (RFC 9113, 8.2.1). */
static bool is_name_byte(unsigned char c)
{
	static const unsigned char allowed[256] = {['!'] = 1,
	    ['#'] = 1,
	    ['$'] = 1,
	    ['%'] = 1,
	    ['&'] = 1,
	    ['\''] = 1,
	    ['*'] = 1,
	    ['+'] = 1,
	    ['-'] = 1,
	    ['.'] = 1,
	    ['^'] = 1,
	    ['_'] = 1,
	    ['`'] = 1,
	    ['|'] = 1,
	    ['~'] = 1,
	    ['0' ... '9'] = 1,
	    ['a' ... 'z'] = 1};
	return allowed[c] != 0;
}

static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_name_byte((unsigned char)name[i]))
			return false;
	}
	return len > 0;
}

/* Without control characters but tabs inside, and without blanks at either end (8.2.1). Eight
 * bytes at a time: one is set in `low` for each below ' ', in `delete` for each DEL. */
static bool is_value(const char *value, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	if (len == 0)
		return true;
	bool has_blank_end =
	    value[0] == ' ' || value[0] == '\t' || value[len - 1] == ' ' || value[len - 1] == '\t';
	if (has_blank_end)
		return false;
	size_t i = 0;
	for (; len - i >= sizeof ones; i += sizeof ones) {
		uint64_t word;
		memcpy(&word, value + i, sizeof word);
		uint64_t low = ~((word & ~highs) + ones * (0x80 - ' ')) & ~word & highs;
		uint64_t delete = ((word & ~highs) + ones) & ~word & highs;
		if ((low | delete) == 0)
			continue;
		for (size_t k = i; k < i + sizeof ones; k++) {
			unsigned char c = (unsigned char)value[k];
			if ((c < ' ' && c != '\t') || c == 0x7f)
				return false;
		}
	}
	for (; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* As a name, in any case (RFC 9110, 9.1). */
static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!is_name_byte(c) && (c < 'A' || c > 'Z'))
			return false;
	}
	return len > 0;
}

/* Letters of a host with an optional port, and of user information, which is refused with a
 * sentence (RFC 3986, 3.2). */
static bool is_authority(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		if (!is_letter &&
		    (c == '\0' || strchr("0123456789-._~!$&'()*+,;=:@%[]", c) == NULL))
			return false;
	}
	return len > 0;
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

static enum kind kind_of(const struct hpack_field *field)
{
	static const struct {
		const char *name;
		enum kind kind;
	} names[] = {{":method", METHOD}, {":scheme", SCHEME}, {":path", PATH},
	    {":authority", AUTHORITY}, {":status", STATUS}, {"host", HOST},
	    {"content-length", CONTENT_LENGTH}, {"te", TE}, {"connection", OF_CONNECTION},
	    {"keep-alive", OF_CONNECTION}, {"proxy-connection", OF_CONNECTION},
	    {"transfer-encoding", OF_CONNECTION}, {"upgrade", OF_CONNECTION}};
	if (field->name_len == 0)
		return PLAIN; /* and refused as a name */
	/* Most names are none of these: their first letters tell. */
	if (strchr(":hctkpu", field->name[0]) == NULL)
		return PLAIN;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (is_text(field->name, field->name_len, names[i].name))
			return names[i].kind;
	}
	return field->name[0] == ':' ? ANY_PSEUDO : PLAIN;
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
	*is_clean = is_value(field->value, field->value_len) &&
		    (is_pseudo(kind) || is_name(field->name, field->name_len));
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
	return is_authority(field->value, field->value_len) ? NULL : "host is not an authority";
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
		return is_token(value, len) ? NULL : ":method is not a token";
	case SCHEME:
		return is_token(value, len) ? NULL : ":scheme is not a scheme";
	case PATH:
		rules->is_asterisk = is_text(value, len, "*");
		if (len == 0 || (value[0] != '/' && !rules->is_asterisk))
			return ":path does not begin with a slash";
		return has_blank(value, len) ? "a blank in :path" : NULL;
	case AUTHORITY:
		return is_authority(value, len) ? NULL : ":authority is not an authority";
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
