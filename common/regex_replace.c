/* Replaces what an expression matches. Finding out where groups matched needs an order among the
 * ways to match, which Pike's machine of regex.c does not keep: this walks depth first, greedy and
 * leftmost first, and never takes the same instruction at the same place twice, so that it stays
 * bounded. Pure. Called for templates of roles. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/regex_program.h"
#include "common/xmem.h"

#define NOWHERE SIZE_MAX

/* Go on at `at` and `place`; or, with slot >= 0, put `place` back into the slot. */
struct job {
	int at, slot;
	size_t place;
};

struct walk {
	const struct regex *regex;
	const char *value;
	size_t len;
	uint8_t *seen; /* a bit for each instruction and place */
	size_t seen_bytes;
	struct job *jobs;
	size_t count, cap;
	size_t saves[REGEX_SAVES];
};

static void push(struct walk *walk, struct job job)
{
	if (walk->count == walk->cap) {
		walk->cap = walk->cap * 2 + 64;
		walk->jobs = xreallocarray(walk->jobs, walk->cap, sizeof *walk->jobs);
	}
	walk->jobs[walk->count++] = job;
}

/* False: it was here before. */
static bool visit(struct walk *walk, int at, size_t place)
{
	size_t bit = (size_t)at * (walk->len + 1) + place;
	uint8_t mask = (uint8_t)(1u << (bit & 7));
	if ((walk->seen[bit >> 3] & mask) != 0)
		return false;
	walk->seen[bit >> 3] |= mask;
	return true;
}

static bool is_word_at(const struct walk *walk, size_t place)
{
	return place < walk->len && regex_is_word((unsigned char)walk->value[place]);
}

static bool is_open(const struct walk *walk, enum regex_op op, size_t place)
{
	bool is_edge = (place > 0 && is_word_at(walk, place - 1)) != is_word_at(walk, place);
	switch (op) {
	case REGEX_BEGIN:
		return place == 0;
	case REGEX_END:
		return place == walk->len;
	case REGEX_WORD_EDGE:
		return is_edge;
	default:
		return !is_edge;
	}
}

/* One instruction. False: this way ends here. */
static bool step(struct walk *walk, struct job *job)
{
	const struct regex_instruction *instruction = &walk->regex->program[job->at];
	const char *next = walk->value + job->place;
	int other = job->at + instruction->argument;
	switch (instruction->op) {
	case REGEX_RUNE:
	case REGEX_CLASS:
	case REGEX_NOT_CLASS:
		if (job->place == walk->len ||
		    !regex_takes(walk->regex, instruction, regex_next_rune(&next)))
			return false;
		job->place = (size_t)(next - walk->value);
		break;
	case REGEX_JUMP:
		job->at = other;
		return true;
	case REGEX_SPLIT:
		/* Backwards is once more: greedy. */
		push(walk, (struct job){other > job->at ? other : job->at + 1, -1, job->place});
		job->at = other > job->at ? job->at + 1 : other;
		return true;
	case REGEX_SAVE:
		push(walk,
		    (struct job){0, instruction->argument, walk->saves[instruction->argument]});
		walk->saves[instruction->argument] = job->place;
		break;
	default:
		if (!is_open(walk, instruction->op, job->place))
			return false;
		break;
	}
	job->at++;
	return true;
}

/* A match that begins at `place`. */
static bool match_at(struct walk *walk, size_t place)
{
	walk->count = 0;
	push(walk, (struct job){0, -1, place});
	while (walk->count > 0) {
		struct job job = walk->jobs[--walk->count];
		if (job.slot >= 0) {
			walk->saves[job.slot] = job.place;
			continue;
		}
		while (visit(walk, job.at, job.place)) {
			if (walk->regex->program[job.at].op == REGEX_MATCH) {
				walk->saves[0] = place;
				walk->saves[1] = job.place;
				return true;
			}
			if (!step(walk, &job))
				break;
		}
	}
	return false;
}

static size_t rune_length(const char *text)
{
	const char *next = text;
	(void)regex_next_rune(&next);
	return (size_t)(next - text);
}

/* The leftmost match at or behind `from`. */
static bool find(struct walk *walk, size_t from)
{
	memset(walk->seen, 0, walk->seen_bytes);
	for (size_t i = 0; i < REGEX_SAVES; i++)
		walk->saves[i] = NOWHERE;
	for (size_t place = from;; place += rune_length(walk->value + place)) {
		if (match_at(walk, place))
			return true;
		if (place >= walk->len)
			return false;
	}
}

static void add_group(const struct walk *walk, int group, struct buf *out)
{
	size_t begin = walk->saves[2 * group], end = walk->saves[2 * group + 1];
	if (begin != NOWHERE && end != NOWHERE && end >= begin)
		buf_append(out, walk->value + begin, end - begin);
}

/* The digit of "$1" or "${1}" with how many bytes it takes; 0 when none stands there. */
static int group_at(const char *text, size_t *len)
{
	bool has_brace = text[1] == '{';
	char digit = text[has_brace ? 2 : 1];
	*len = has_brace ? 4 : 2;
	if (digit < '1' || digit > '9' || (has_brace && text[3] != '}'))
		return 0;
	/* "$12" would be the twelfth, and "$1x" one of that name. */
	if (!has_brace && regex_is_word((unsigned char)text[2]))
		return 0;
	return digit - '0';
}

bool regex_replacement_is_valid(const char *replacement)
{
	size_t len;
	for (const char *at = strchr(replacement, '$'); at != NULL; at = strchr(at + len, '$')) {
		len = 2;
		if (at[1] != '$' && group_at(at, &len) == 0)
			return false;
	}
	return true;
}

static void add_replacement(const struct walk *walk, const char *replacement, struct buf *out)
{
	size_t len;
	for (const char *at = replacement; *at != '\0'; at += len) {
		len = 1;
		if (*at != '$') {
			buf_append_char(out, *at);
			continue;
		}
		len = 2;
		if (at[1] == '$')
			buf_append_char(out, '$');
		else
			add_group(walk, group_at(at, &len), out);
	}
}

char *regex_replace(const struct regex *regex, const char *value, const char *replacement)
{
	struct walk walk = {.regex = regex, .value = value, .len = strlen(value)};
	struct buf out = {0};
	size_t copied = 0, from = 0, last_end = NOWHERE, count = 0;
	walk.seen_bytes = ((size_t)regex->length * (walk.len + 1) + 7) / 8;
	walk.seen = xmalloc(walk.seen_bytes);
	while (from <= walk.len && find(&walk, from)) {
		size_t begin = walk.saves[0], end = walk.saves[1];
		bool is_beside = begin == end && begin == last_end;
		if (!is_beside) {
			buf_append(&out, value + copied, begin - copied);
			add_replacement(&walk, replacement, &out);
			copied = last_end = end;
			count++;
		}
		from = end > begin ? end : end + (end < walk.len ? rune_length(value + end) : 1);
	}
	buf_append(&out, value + copied, walk.len - copied);
	free(walk.seen);
	free(walk.jobs);
	if (count == 0)
		buf_free(&out);
	return count > 0 ? buf_take(&out) : NULL;
}
