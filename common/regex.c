/* Runs an expression's program over a text for all possible states at once (Pike's machine), so
 * that no expression and no value can make a decision slow. POSIX's regcomp() would read \d as
 * "d", take brackets differently from what Teleport's users write, and offers no bound on time.
 * Pure. Called by pattern.c. */
#include "common/regex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/regex_program.h"
#include "common/xmem.h"

#define BAD_RUNE 0xfffdu

/* The states in which the machine may be before one character of the text. */
struct states {
	uint16_t at[REGEX_PROGRAM_MAX];
	int count;
};

struct machine {
	const struct regex *regex;
	unsigned before, after; /* the characters around the position; 0 at either end */
	bool is_begin;
	bool has_matched;
	uint32_t step; /* marks what was reached at this position */
	uint32_t reached[REGEX_PROGRAM_MAX];
	uint16_t pending[REGEX_PROGRAM_MAX];
};

unsigned regex_next_rune(const char **text)
{
	const unsigned char *at = (const unsigned char *)*text;
	int more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : at[0] >= 0xc0 ? 1 : 0;
	if (at[0] < 0x80 || more == 0 || at[0] > 0xf4) {
		(*text)++;
		return at[0] < 0x80 ? at[0] : BAD_RUNE;
	}
	unsigned rune = at[0] & (0x3fu >> more);
	for (int i = 1; i <= more; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			(*text)++;
			return BAD_RUNE;
		}
		rune = rune << 6 | (at[i] & 0x3fu);
	}
	*text += more + 1;
	return rune;
}

bool regex_is_word(unsigned rune)
{
	return (rune >= '0' && rune <= '9') || rune == '_' ||
	       ((rune | 0x20) >= 'a' && (rune | 0x20) <= 'z');
}

static bool is_at_word_edge(const struct machine *machine)
{
	return regex_is_word(machine->before) != regex_is_word(machine->after);
}

/* Whether an instruction that takes no character lets pass here. */
static bool is_open(const struct machine *machine, enum regex_op op)
{
	switch (op) {
	case REGEX_BEGIN:
		return machine->is_begin;
	case REGEX_END:
		return machine->after == 0;
	case REGEX_WORD_EDGE:
		return is_at_word_edge(machine);
	case REGEX_NO_WORD_EDGE:
		return !is_at_word_edge(machine);
	default:
		return true;
	}
}

static void reach(struct machine *machine, int at, int *pending)
{
	if (machine->reached[at] == machine->step)
		return;
	machine->reached[at] = machine->step;
	machine->pending[(*pending)++] = (uint16_t)at;
}

/* Adds `first` and all that is reached from it without a character. */
static void enter(struct machine *machine, struct states *states, int first)
{
	int pending = 0;
	reach(machine, first, &pending);
	while (pending > 0) {
		int at = machine->pending[--pending];
		const struct regex_instruction *instruction = &machine->regex->program[at];
		switch (instruction->op) {
		case REGEX_MATCH:
			machine->has_matched = true;
			break;
		case REGEX_RUNE:
		case REGEX_CLASS:
		case REGEX_NOT_CLASS:
			states->at[states->count++] = (uint16_t)at;
			break;
		case REGEX_JUMP:
			reach(machine, at + instruction->argument, &pending);
			break;
		case REGEX_SPLIT:
			reach(machine, at + instruction->argument, &pending);
			reach(machine, at + 1, &pending);
			break;
		default:
			if (is_open(machine, instruction->op))
				reach(machine, at + 1, &pending);
			break;
		}
	}
}

bool regex_takes(
    const struct regex *regex, const struct regex_instruction *instruction, unsigned rune)
{
	if (instruction->op == REGEX_RUNE)
		return rune == (unsigned)instruction->argument;
	const struct regex_range *range = &regex->ranges[instruction->argument];
	for (int i = 0; i < instruction->count; i++, range++)
		if (rune >= range->low && rune <= range->high)
			return instruction->op == REGEX_CLASS;
	return instruction->op == REGEX_NOT_CLASS;
}

/* Takes one character and stands behind it. */
static void advance(
    struct machine *machine, const struct states *from, struct states *to, unsigned rune)
{
	to->count = 0;
	for (int i = 0; i < from->count; i++) {
		int at = from->at[i];
		if (regex_takes(machine->regex, &machine->regex->program[at], rune))
			enter(machine, to, at + 1);
	}
}

/* Clears only as much as the program needs. */
static void start(struct machine *machine, const struct regex *regex)
{
	machine->regex = regex;
	machine->before = 0;
	machine->is_begin = true;
	machine->has_matched = false;
	machine->step = 1;
	memset(machine->reached, 0, (size_t)regex->length * sizeof(machine->reached[0]));
}

bool regex_match(const struct regex *regex, const char *value)
{
	struct machine machine;
	struct states lists[2];
	struct states *now = &lists[0], *next = &lists[1];
	const char *at = value;
	start(&machine, regex);
	now->count = 0;
	machine.after = regex_next_rune(&at);
	enter(&machine, now, 0);
	while (!machine.has_matched && machine.after != 0) {
		unsigned rune = machine.after;
		machine.before = rune;
		machine.after = regex_next_rune(&at);
		machine.is_begin = false;
		machine.step++;
		advance(&machine, now, next, rune);
		enter(&machine, next, 0);
		struct states *swap = now;
		now = next;
		next = swap;
	}
	return machine.has_matched;
}

struct regex *regex_new(const char *text, char **error)
{
	struct regex *regex = xcalloc(1, sizeof(*regex));
	if (!regex_compile(regex, text, false, error))
		regex_free(&regex);
	return regex;
}

struct regex *regex_new_capturing(const char *text, char **error)
{
	struct regex *regex = xcalloc(1, sizeof(*regex));
	if (!regex_compile(regex, text, true, error))
		regex_free(&regex);
	return regex;
}

void regex_free(struct regex **regex)
{
	if (*regex == NULL)
		return;
	free((*regex)->program);
	free((*regex)->ranges);
	free(*regex);
	*regex = NULL;
}
