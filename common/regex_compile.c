/* A regular expression becomes a program of a few instructions (Thompson's construction) that is
 * run over the text for all possible states at once, so that no expression and no value can make a
 * decision slow. POSIX's regcomp() would read \d as "d", take brackets differently and offers no
 * bound on time; the syntax here is RE2's, less what only makes sense outside of yes or no. Pure.
 * Used by regex.c alone. */
#include "common/regex_program.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define RANGES_MAX 4096
#define GROUPS_MAX 100

struct compiler {
	struct regex *regex;
	const char *start, *at;
	const char *what; /* the first failure */
	const char *failed_at;
	int groups;
	int captures; /* so far, at most what fits REGEX_SAVES */
	bool is_capturing;
};

static const struct regex_range digits[] = {{'0', '9'}};
static const struct regex_range spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
static const struct regex_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct named_class {
	const char *name;
	struct regex_range ranges[4];
	int count;
} named_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", {{0, 0x7f}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}, 2},
    {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1},
    {"lower", {{'a', 'z'}}, 1},
    {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static bool fail(struct compiler *c, const char *what)
{
	if (c->what == NULL) {
		c->what = what;
		c->failed_at = c->at;
	}
	return false;
}

/* --- the program ------------------------------------------------------------------------------ */

static bool has_room(struct compiler *c, int more)
{
	if (c->regex->length + more < REGEX_PROGRAM_MAX)
		return true;
	return fail(c, "the expression is too large: use fewer repetitions");
}

static bool emit(struct compiler *c, enum regex_op op, int argument, int count)
{
	if (!has_room(c, 1))
		return false;
	c->regex->program[c->regex->length++] =
	    (struct regex_instruction){.op = op, .argument = argument, .count = count};
	return true;
}

/* Moves what starts at `first` up by one; jumps inside it are relative and stay right. */
static bool insert_split(struct compiler *c, int first, int argument)
{
	struct regex *regex = c->regex;
	if (!has_room(c, 1))
		return false;
	memmove(&regex->program[first + 1], &regex->program[first],
	    (size_t)(regex->length - first) * sizeof(*regex->program));
	regex->program[first] = (struct regex_instruction){.op = REGEX_SPLIT, .argument = argument};
	regex->length++;
	return true;
}

static bool append_copy(struct compiler *c, int first, int len)
{
	struct regex *regex = c->regex;
	if (!has_room(c, len))
		return false;
	memcpy(&regex->program[regex->length], &regex->program[first],
	    (size_t)len * sizeof(*regex->program));
	regex->length += len;
	return true;
}

static bool add_range(struct compiler *c, unsigned low, unsigned high)
{
	struct regex *regex = c->regex;
	if (regex->range_count == RANGES_MAX)
		return fail(c, "the expression is too large: too many ranges");
	regex->ranges[regex->range_count++] = (struct regex_range){low, high};
	return true;
}

static bool add_ranges(struct compiler *c, const struct regex_range *ranges, int count)
{
	for (int i = 0; i < count; i++)
		if (!add_range(c, ranges[i].low, ranges[i].high))
			return false;
	return true;
}

/* `ranges` are sorted. */
static bool add_complement(struct compiler *c, const struct regex_range *ranges, int count)
{
	unsigned low = 0;
	for (int i = 0; i < count; i++) {
		if (ranges[i].low > low && !add_range(c, low, ranges[i].low - 1))
			return false;
		low = ranges[i].high + 1;
	}
	return add_range(c, low, REGEX_RUNE_MAX);
}

/* --- escapes and classes ---------------------------------------------------------------------- */

/* \d \w \s and their complements: true when `letter` is one of them. */
static bool find_perl_class(char letter, const struct regex_range **ranges, int *count)
{
	switch (letter | 0x20) {
	case 'd':
		*ranges = digits;
		*count = COUNT(digits);
		return true;
	case 's':
		*ranges = spaces;
		*count = COUNT(spaces);
		return true;
	case 'w':
		*ranges = words;
		*count = COUNT(words);
		return true;
	default:
		return false;
	}
}

static bool add_perl_class(struct compiler *c, char letter, bool *is_one)
{
	const struct regex_range *ranges;
	int count;
	*is_one = find_perl_class(letter, &ranges, &count);
	if (!*is_one)
		return true;
	return (letter & 0x20) != 0 ? add_ranges(c, ranges, count)
				    : add_complement(c, ranges, count);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Behind "\x": two digits, or any number of them in braces. */
static bool read_hex(struct compiler *c, unsigned *rune)
{
	bool braces = *c->at == '{';
	const char *first = braces ? c->at + 1 : c->at;
	int digits_read = 0;
	while (digits_read < (braces ? 6 : 2) && is_hex(first[digits_read]))
		digits_read++;
	if ((!braces && digits_read != 2) ||
	    (braces && (digits_read == 0 || first[digits_read] != '}')))
		return fail(c, "\\x needs two hexadecimal digits, or digits in braces");
	char text[8] = "";
	memcpy(text, first, (size_t)digits_read);
	*rune = (unsigned)strtoul(text, NULL, 16);
	c->at = first + digits_read + (braces ? 1 : 0);
	return *rune <= REGEX_RUNE_MAX || fail(c, "\\x names no character");
}

/* Behind the backslash: an escape that stands for one character. */
static bool read_escaped_rune(struct compiler *c, unsigned *rune)
{
	static const char names[] = "afnrtv", means[] = "\a\f\n\r\t\v";
	char letter = *c->at;
	if (letter == '\0')
		return fail(c, "a backslash stands at the end");
	const char *name = strchr(names, letter);
	if (name != NULL) {
		c->at++;
		*rune = (unsigned char)means[name - names];
		return true;
	}
	if (letter == 'x') {
		c->at++;
		return read_hex(c, rune);
	}
	if (letter >= '1' && letter <= '9')
		return fail(c, "back references are not supported");
	if (letter == 'p' || letter == 'P')
		return fail(c, "\\p classes are not supported: list the characters in brackets");
	if ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z')
		return fail(c, "an unknown escape");
	*rune = regex_next_rune(&c->at);
	return true;
}

/* "[:alpha:]" inside brackets, also "[:^alpha:]"; *is_one is false when no such thing stands here.
 */
static bool read_named_class(struct compiler *c, bool *is_one)
{
	const char *end = c->at[0] == '[' && c->at[1] == ':' ? strstr(c->at + 2, ":]") : NULL;
	*is_one = end != NULL;
	if (!*is_one)
		return true;
	bool negated = c->at[2] == '^';
	const char *name = c->at + (negated ? 3 : 2);
	for (int i = 0; i < COUNT(named_classes); i++) {
		const struct named_class *class = &named_classes[i];
		if (end - name != (long)strlen(class->name) ||
		    strncmp(name, class->name, strlen(class->name)) != 0)
			continue;
		c->at = end + 2;
		return negated ? add_complement(c, class->ranges, class->count)
			       : add_ranges(c, class->ranges, class->count);
	}
	return fail(c, "an unknown class in brackets");
}

static bool read_class_rune(struct compiler *c, unsigned *rune)
{
	if (*c->at == '\0')
		return fail(c, "a bracket is not closed");
	if (*c->at != '\\') {
		*rune = regex_next_rune(&c->at);
		return true;
	}
	c->at++;
	return read_escaped_rune(c, rune);
}

/* A class, a character or a range of characters inside brackets. */
static bool read_class_item(struct compiler *c)
{
	bool is_class;
	unsigned low = 0, high = 0;
	if (!read_named_class(c, &is_class))
		return false;
	if (is_class)
		return true;
	if (c->at[0] == '\\') {
		if (!add_perl_class(c, c->at[1], &is_class))
			return false;
		if (is_class) {
			c->at += 2;
			return true;
		}
	}
	if (!read_class_rune(c, &low))
		return false;
	if (c->at[0] != '-' || c->at[1] == ']' || c->at[1] == '\0')
		return add_range(c, low, low);
	c->at++;
	if (!read_class_rune(c, &high))
		return false;
	if (high < low)
		return fail(c, "a range runs backwards");
	return add_range(c, low, high);
}

static bool parse_brackets(struct compiler *c)
{
	int first = c->regex->range_count;
	c->at++;
	bool negated = *c->at == '^';
	if (negated)
		c->at++;
	do {
		if (!read_class_item(c))
			return false;
	} while (*c->at != ']');
	c->at++;
	return emit(
	    c, negated ? REGEX_NOT_CLASS : REGEX_CLASS, first, c->regex->range_count - first);
}

/* A backslash outside of brackets. */
static bool parse_escape(struct compiler *c)
{
	static const struct {
		char letter;
		enum regex_op op;
	} assertions[] = {{'A', REGEX_BEGIN}, {'z', REGEX_END}, {'b', REGEX_WORD_EDGE},
	    {'B', REGEX_NO_WORD_EDGE}};
	int first = c->regex->range_count;
	bool is_class;
	unsigned rune = 0;
	c->at++;
	for (int i = 0; i < COUNT(assertions); i++) {
		if (*c->at == assertions[i].letter) {
			c->at++;
			return emit(c, assertions[i].op, 0, 0);
		}
	}
	if (!add_perl_class(c, *c->at, &is_class))
		return false;
	if (is_class) {
		c->at++;
		return emit(c, REGEX_CLASS, first, c->regex->range_count - first);
	}
	return read_escaped_rune(c, &rune) && emit(c, REGEX_RUNE, (int)rune, 0);
}

/* --- structure -------------------------------------------------------------------------------- */

static bool parse_alternatives(struct compiler *c);

/* Groups behind the ninth are not looked at. */
static bool save(struct compiler *c, int slot)
{
	return slot >= REGEX_SAVES || emit(c, REGEX_SAVE, slot, 0);
}

static bool parse_group(struct compiler *c)
{
	if (++c->groups > GROUPS_MAX)
		return fail(c, "too many groups");
	c->at++;
	bool is_counted = *c->at != '?';
	if (strncmp(c->at, "?:", 2) == 0)
		c->at += 2;
	else if (!is_counted)
		return fail(c, "of the groups with '?' only (?:...) is supported, no flags and no "
			       "look-around");
	int slot = is_counted && c->is_capturing ? 2 * ++c->captures : REGEX_SAVES;
	if (!save(c, slot) || !parse_alternatives(c))
		return false;
	if (*c->at != ')')
		return fail(c, "a group is not closed");
	c->at++;
	return save(c, slot + 1);
}

static bool parse_any(struct compiler *c)
{
	int first = c->regex->range_count;
	c->at++;
	return add_range(c, '\n', '\n') && emit(c, REGEX_NOT_CLASS, first, 1);
}

static bool parse_atom(struct compiler *c)
{
	switch (*c->at) {
	case '(':
		return parse_group(c);
	case '[':
		return parse_brackets(c);
	case '\\':
		return parse_escape(c);
	case '.':
		return parse_any(c);
	case '^':
		c->at++;
		return emit(c, REGEX_BEGIN, 0, 0);
	case '$':
		c->at++;
		return emit(c, REGEX_END, 0, 0);
	case '*':
	case '+':
	case '?':
		return fail(c, "nothing stands before the repetition");
	default:
		return emit(c, REGEX_RUNE, (int)regex_next_rune(&c->at), 0);
	}
}

static int read_number(const char **at)
{
	int number = 0;
	const char *first = *at;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		number = number > REGEX_REPEAT_MAX ? number : number * 10 + (**at - '0');
	return *at == first ? -1 : number;
}

/* What stands here as a repetition: *most is -1 for "without end". False when there is none; a
 * brace that is no repetition is an ordinary character. */
static bool read_repetition(struct compiler *c, int *least, int *most)
{
	const char *at = c->at;
	char sign = *at++;
	if (sign == '*' || sign == '+' || sign == '?') {
		*least = sign == '+' ? 1 : 0;
		*most = sign == '?' ? 1 : -1;
		c->at = at;
		return true;
	}
	if (sign != '{' || (*least = read_number(&at)) < 0)
		return false;
	*most = *least;
	if (*at == ',') {
		at++;
		*most = read_number(&at);
	}
	if (*at != '}')
		return false;
	c->at = at + 1;
	return true;
}

/* The atom that starts at `first` is there once already. */
static bool repeat(struct compiler *c, int first, int least, int most)
{
	struct regex *regex = c->regex;
	int len = regex->length - first;
	if (least == 0 && most == -1)
		return insert_split(c, first, len + 2) && emit(c, REGEX_JUMP, -(len + 1), 0);
	if (most == 0) {
		regex->length = first;
		return true;
	}
	for (int i = 1; i < least; i++)
		if (!append_copy(c, first, len))
			return false;
	if (most == -1)
		return emit(c, REGEX_SPLIT, -len, 0);
	if (least == 0 && !insert_split(c, first, len + 1))
		return false;
	for (int i = least == 0 ? 1 : least; i < most; i++) {
		int from = least == 0 ? first + 1 : first;
		if (!emit(c, REGEX_SPLIT, len + 1, 0) || !append_copy(c, from, len))
			return false;
	}
	return true;
}

static bool parse_repetition(struct compiler *c, int first)
{
	int least, most;
	if (!read_repetition(c, &least, &most))
		return true;
	if (least > REGEX_REPEAT_MAX || most > REGEX_REPEAT_MAX)
		return fail(c, "at most 1000 repetitions are supported");
	if (most != -1 && most < least)
		return fail(c, "a repetition runs backwards");
	/* Lazy or greedy makes no difference to yes or no. */
	if (*c->at == '?' && c->is_capturing)
		return fail(c, "lazy repetitions are not supported in replacements");
	if (*c->at == '?')
		c->at++;
	if (!repeat(c, first, least, most))
		return false;
	if (read_repetition(c, &least, &most))
		return fail(c, "a repetition of a repetition: put the first into (?:...)");
	return true;
}

static bool parse_sequence(struct compiler *c)
{
	while (*c->at != '\0' && *c->at != '|' && *c->at != ')') {
		int first = c->regex->length;
		if (!parse_atom(c) || !parse_repetition(c, first))
			return false;
	}
	return true;
}

/* The jumps to the end of each alternative are chained through their arguments until the end is
 * known. */
static bool parse_alternatives(struct compiler *c)
{
	struct regex *regex = c->regex;
	int first = regex->length, last_jump = -1;
	if (!parse_sequence(c))
		return false;
	while (*c->at == '|') {
		if (!insert_split(c, first, regex->length - first + 2) ||
		    !emit(c, REGEX_JUMP, last_jump, 0))
			return false;
		last_jump = regex->length - 1;
		first = regex->length;
		c->at++;
		if (!parse_sequence(c))
			return false;
	}
	while (last_jump != -1) {
		int previous = regex->program[last_jump].argument;
		regex->program[last_jump].argument = regex->length - last_jump;
		last_jump = previous;
	}
	return true;
}

static bool compile(struct compiler *c)
{
	if (strlen(c->start) > REGEX_PATTERN_MAX)
		return fail(c, "the expression is longer than 1024 bytes");
	if (!parse_alternatives(c))
		return false;
	if (*c->at == ')')
		return fail(c, "a group is closed that was not opened");
	return emit(c, REGEX_MATCH, 0, 0);
}

bool regex_compile(struct regex *regex, const char *text, bool is_capturing, char **error)
{
	struct compiler c = {
	    .regex = regex, .start = text, .at = text, .is_capturing = is_capturing};
	regex->program = xcalloc(REGEX_PROGRAM_MAX, sizeof(*regex->program));
	regex->ranges = xcalloc(RANGES_MAX, sizeof(*regex->ranges));
	if (!compile(&c)) {
		*error = xasprintf("%s (at character %d of the expression)", c.what,
		    (int)(c.failed_at - text) + 1);
		return false;
	}
	regex->program =
	    xreallocarray(regex->program, (size_t)regex->length, sizeof(*regex->program));
	regex->ranges =
	    xreallocarray(regex->ranges, (size_t)regex->range_count + 1, sizeof(*regex->ranges));
	return true;
}
