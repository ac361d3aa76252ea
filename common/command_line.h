/* The command line of a program with verbs. Each verb is a table of options, from which reading,
 * complaints and --help are made. Prints nothing itself: whoever calls has the program's name. */
#ifndef EKSGATE_COMMAND_LINE_H
#define EKSGATE_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

/* Reads the value of an option ("" when it takes none) into its field; texts stay where they are in
 * argv. False: *error says what it takes (free()). */
typedef bool option_fn(void *field, const char *value, char **error);

struct verb_option {
	const char *name; /* without the dashes; --help is every verb's */
	const char *value; /* what --help calls its value; NULL: it takes none */
	option_fn *take;
	size_t field; /* offsetof() in the struct that verb_read() fills */
	const char *help;
};

struct verb {
	const char *name;
	const char *operands; /* as --help writes them: "USER VERB RESOURCE", "[FILE|-]..."; "" */
	int least, most; /* how many there are; most -1: any number */
	const struct verb_option *options;
	size_t option_count;
	const char *help; /* what it does, in a line */
};

#define VERB_OPTIONS(rows) .options = (rows), .option_count = sizeof(rows) / sizeof((rows)[0])

/* Values of an option that may be given more than once; free(items). */
struct option_list {
	const char **items;
	size_t count;
};

/* The kinds of value that many options have; for others a verb brings a function of its own. */
option_fn option_flag; /* bool */
option_fn option_text; /* const char * */
option_fn option_each; /* struct option_list */
option_fn option_format; /* enum render_format */

enum verb_outcome { VERB_READ, VERB_HELP, VERB_WRONG };

/* Reads what stands behind the verb's name, which is argv[0], into `fields`. Options may stand
 * anywhere before "--". *operands are the others, in argv, ended by NULL. VERB_WRONG: *error is a
 * sentence (free()). */
enum verb_outcome verb_read(const struct verb *verb, int argc, char **argv, void *fields,
    char ***operands, char **error) MUST_USE;
/* "discoveryd explain NAME|ARN [OPTION...]" */
void verb_usage(const struct verb *verb, const char *program, struct buf *out);
/* A mistake, told: "PROGRAM: SENTENCE", and the usage. */
void verb_complain(
    const struct verb *verb, const char *program, const char *sentence, struct buf *out);
/* The usage, what the verb does, and a line for each option. */
void verb_help(const struct verb *verb, const char *program, struct buf *out);

#endif
