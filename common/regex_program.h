/* The program that an expression becomes: between regex_compile.c, which writes it, and regex.c,
 * which runs it. */
#ifndef EKSGATE_REGEX_PROGRAM_H
#define EKSGATE_REGEX_PROGRAM_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/regex.h"

/* Instructions; also bounds the stack that a match needs. */
#define REGEX_PROGRAM_MAX 4096
#define REGEX_RUNE_MAX	  0x10ffffu

enum regex_op {
	REGEX_MATCH,
	REGEX_RUNE, /* argument: the code point */
	REGEX_CLASS, /* argument: first range, count: how many */
	REGEX_NOT_CLASS,
	REGEX_JUMP, /* argument: where, relative to this instruction */
	REGEX_SPLIT, /* the next instruction, or where the argument says */
	REGEX_BEGIN,
	REGEX_END,
	REGEX_WORD_EDGE,
	REGEX_NO_WORD_EDGE,
	REGEX_SAVE, /* argument: where the position goes; only in capturing programs */
};

/* The whole match and $1 to $9: begin and end of each. */
#define REGEX_SAVES 20

struct regex_instruction {
	enum regex_op op;
	int argument;
	int count;
};

struct regex_range {
	unsigned low, high;
};

struct regex {
	struct regex_instruction *program;
	int length;
	struct regex_range *ranges;
	int range_count;
};

/* Fills `regex`, whose memory is the caller's whatever comes out. `is_capturing`: groups say where
 * they matched, and lazy repetitions, which would matter then, are refused. */
bool regex_compile(struct regex *regex, const char *text, bool is_capturing, char **error) MUST_USE;
/* Whether an instruction that takes a character takes this one. */
bool regex_takes(
    const struct regex *regex, const struct regex_instruction *instruction, unsigned rune) MUST_USE;
/* Of the characters that \b looks at. */
bool regex_is_word(unsigned rune) MUST_USE;
/* One code point; a byte that is not UTF-8 reads as U+FFFD. Moves over a NUL like over any other.
 */
unsigned regex_next_rune(const char **text);

#endif
