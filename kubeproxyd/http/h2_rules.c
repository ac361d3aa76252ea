/* Which fields a head may have. What was found out about a field that stands in a compression
 * table is noted there: most requests of a connection are made of the same ones. Called by
 * h2_heads.c. */
#include "kubeproxyd/http/h2_rules.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/bytes16.h"
#include "kubeproxyd/http/field_traits.h"

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

/* What is found out about a field, which is what a mark keeps: the traits of its name; that name or
 * value have a byte that they must not have; that the value is not one for this kind of name; and
 * the kind, so that none is 0. */
#define TRAITS	   ((1u << FIELD_TRAITS_BITS) - 1)
#define IS_DIRTY   (1u << FIELD_TRAITS_BITS)
#define IS_UNFIT   (IS_DIRTY << 1)
#define KIND_SHIFT 28
_Static_assert(IS_UNFIT < 1u << KIND_SHIFT, "they leave room for the kind");
_Static_assert(ANY_PSEUDO < 1u << (32 - KIND_SHIFT), "which fits");

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

static inline bytes16 find_blanks(bytes16 bytes)
{
	return (bytes == ' ') | (bytes == '\t');
}

static bool is_text(const char *value, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(value, text, len) == 0;
}

struct named {
	const char *name;
	size_t len;
	enum kind kind;
};

static enum kind find_kind(
    const struct named *names, size_t count, const struct hpack_field *field, enum kind otherwise)
{
	for (size_t i = 0; i < count; i++) {
		if (names[i].len == field->name_len &&
		    memcmp(names[i].name, field->name, field->name_len) == 0)
			return names[i].kind;
	}
	return otherwise;
}

static enum kind kind_of_pseudo(const struct hpack_field *field)
{
	static const struct named names[] = {{":method", 7, METHOD}, {":scheme", 7, SCHEME},
	    {":path", 5, PATH}, {":authority", 10, AUTHORITY}, {":status", 7, STATUS}};
	return find_kind(names, sizeof names / sizeof names[0], field, ANY_PSEUDO);
}

/* Every name that means something here ends at the next hop. */
static enum kind kind_of_hop(const struct hpack_field *field)
{
	static const struct named names[] = {{"host", 4, HOST},
	    {"content-length", 14, CONTENT_LENGTH}, {"te", 2, TE},
	    {"connection", 10, OF_CONNECTION}, {"keep-alive", 10, OF_CONNECTION},
	    {"proxy-connection", 16, OF_CONNECTION}, {"transfer-encoding", 17, OF_CONNECTION},
	    {"upgrade", 7, OF_CONNECTION}};
	return find_kind(names, sizeof names / sizeof names[0], field, PLAIN);
}

static uint32_t verdict_of(enum kind kind)
{
	return (uint32_t)kind << KIND_SHIFT;
}

static enum kind kind_in(uint32_t verdict)
{
	return (enum kind)(verdict >> KIND_SHIFT);
}

static uint32_t judge_text(const struct hpack_field *field)
{
	if (field->name_len > 0 && field->name[0] == ':')
		return verdict_of(kind_of_pseudo(field));
	if (!is_made_of(IN_NAME, field->name, field->name_len))
		return verdict_of(PLAIN) | IS_DIRTY;
	uint32_t traits = field_traits(field->name, field->name_len);
	enum kind kind = (traits & FIELD_HOP_BY_HOP) != 0 ? kind_of_hop(field) : PLAIN;
	return verdict_of(kind) | traits;
}

/* Those of the static table are judged once; those of an entry were, with it: what is said about
 * its value is left out, and names of what is dirty are judged anew. */
static uint32_t judge_name(const struct hpack_field *field)
{
	static uint32_t known[HPACK_STATIC_COUNT + 1];
	if (field->static_name == 0) {
		bool is_judged = field->name_mark != 0 && (field->name_mark & IS_DIRTY) == 0;
		return is_judged ? field->name_mark & ~IS_UNFIT : judge_text(field);
	}
	uint32_t *verdict = &known[field->static_name];
	if (*verdict == 0)
		*verdict = judge_text(field);
	return *verdict;
}

static bool is_fit(enum kind kind, const char *value, size_t len)
{
	switch (kind) {
	case METHOD:
	case SCHEME:
		return is_made_of(IN_TOKEN, value, len);
	case PATH:
		return bytes16_are_free_of(find_blanks, value, len);
	case AUTHORITY:
	case HOST:
		return is_made_of(IN_AUTHORITY, value, len);
	case TE:
		/* In any case (RFC 5234, 2.3). */
		return len == 8 && strncasecmp(value, "trailers", 8) == 0;
	default:
		return true;
	}
}

static uint32_t judge(const struct hpack_field *field)
{
	uint32_t verdict = judge_name(field);
	if (!is_value(field->value, field->value_len))
		verdict |= IS_DIRTY;
	else if (!is_fit(kind_in(verdict), field->value, field->value_len))
		verdict |= IS_UNFIT;
	return verdict;
}

/* Once for each field that is in a table. */
static inline uint32_t verdict_on(const struct hpack_field *field)
{
	if (field->mark == NULL)
		return judge(field);
	if (*field->mark == 0)
		*field->mark = judge(field);
	return *field->mark;
}

static bool is_pseudo(enum kind kind)
{
	return (kind >= METHOD && kind <= STATUS) || kind == ANY_PSEUDO;
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

static const char *take_host(struct h2_rules *rules, bool fits)
{
	if (rules->kind != H2_REQUEST_HEAD)
		return NULL;
	if (!is_once(rules, HOST))
		return "host comes twice";
	return fits ? NULL : "host is not an authority";
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
    struct h2_rules *rules, enum kind kind, const struct hpack_field *field, bool fits)
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
		return fits ? NULL : ":method is not a token";
	case SCHEME:
		return fits ? NULL : ":scheme is not a scheme";
	case PATH:
		rules->is_asterisk = is_text(value, len, "*");
		if (len == 0 || (value[0] != '/' && !rules->is_asterisk))
			return ":path does not begin with a slash";
		return fits ? NULL : "a blank in :path";
	case AUTHORITY:
		return fits ? NULL : ":authority is not an authority";
	case STATUS:
		return take_status(rules, value, len);
	default:
		return NULL;
	}
}

const char *h2_rules_take(struct h2_rules *rules, const struct hpack_field *field)
{
	uint32_t verdict = verdict_on(field);
	enum kind kind = kind_in(verdict);
	bool fits = (verdict & IS_UNFIT) == 0;
	if ((verdict & IS_DIRTY) != 0)
		return "a field with a byte that is not allowed";
	rules->traits = verdict & TRAITS;
	if (is_pseudo(kind))
		return take_pseudo(rules, kind, field, fits);
	rules->is_behind_pseudo = true;
	switch (kind) {
	case HOST:
		return take_host(rules, fits);
	case CONTENT_LENGTH:
		if (rules->kind == H2_TRAILERS)
			return NULL; /* says nothing there (RFC 9110, 6.5.1) */
		return is_once(rules, kind) ? take_length(rules, field->value, field->value_len)
					    : "content-length comes twice";
	case TE:
		return fits ? NULL : "te is not trailers";
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
