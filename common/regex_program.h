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
};

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

/* Fills `regex`, whose memory is the caller's whatever comes out. */
bool regex_compile(struct regex *regex, const char *text, char **error) MUST_USE;
/* One code point; a byte that is not UTF-8 reads as U+FFFD. Moves over a NUL like over any other.
 */
unsigned regex_next_rune(const char **text);

#endif
