/* Reads command lines by getopt_long(3) and writes their help, both from the same rows, so that
 * neither can know an option that the other does not. Called by the verbs of both daemons. */
#include "common/command_line.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/edit_distance.h"
#include "common/render.h"
#include "common/xmem.h"

/* What getopt_long() returns for the first row, and one more for each that follows; no short option
 * is known. If two rows had one number, it would take a beginning that both share for the first. */
#define LONG_OPTION 256
/* How far a misspelt option may be from the one that is suggested. */
#define NEAR	   2
#define NAME_WIDTH 26

/* --- kinds of values ------------------------------------------------------------------------- */

bool option_flag(void *field, const char *value, char **error)
{
	(void)value;
	(void)error;
	*(bool *)field = true;
	return true;
}

bool option_text(void *field, const char *value, char **error)
{
	(void)error;
	*(const char **)field = value;
	return true;
}

bool option_each(void *field, const char *value, char **error)
{
	struct option_list *list = field;
	(void)error;
	list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
	list->items[list->count++] = value;
	return true;
}

bool option_format(void *field, const char *value, char **error)
{
	if (render_format_parse(value, field))
		return true;
	*error = xstrdup("must be table, json or yaml");
	return false;
}

/* --- reading --------------------------------------------------------------------------------- */

/* The rows as getopt_long() wants them, --help last (free()). */
static struct option *make_table(const struct verb *verb)
{
	struct option *table = xcalloc(verb->option_count + 2, sizeof *table);
	for (size_t i = 0; i < verb->option_count; i++)
		table[i] = (struct option){verb->options[i].name,
		    verb->options[i].value != NULL ? required_argument : no_argument, NULL,
		    LONG_OPTION + (int)i};
	table[verb->option_count] =
	    (struct option){"help", no_argument, NULL, LONG_OPTION + (int)verb->option_count};
	return table;
}

static const char *nearest(const struct verb *verb, const char *name, size_t len)
{
	const char *best = NULL;
	size_t least = NEAR + 1;
	for (size_t i = 0; i < verb->option_count; i++) {
		const char *known = verb->options[i].name;
		size_t distance = edit_distance(name, len, known, strlen(known));
		if (distance < least) {
			least = distance;
			best = known;
		}
	}
	return best;
}

/* "--user, --use-all": the options that begin so, NULL when they are not several (free()). */
static char *list_meant(const struct verb *verb, const char *name, size_t len)
{
	struct buf names = {0};
	size_t count = 0;
	for (size_t i = 0; i < verb->option_count; i++) {
		if (strncmp(verb->options[i].name, name, len) == 0)
			buf_printf(
			    &names, "%s--%s", count++ > 0 ? ", " : "", verb->options[i].name);
	}
	if (count > 1)
		return buf_take(&names);
	buf_free(&names);
	return NULL;
}

static char *describe_unknown(const struct verb *verb, const char *word)
{
	size_t len = strcspn(word, "=");
	char *meant = len > 2 ? list_meant(verb, word + 2, len - 2) : NULL;
	if (meant != NULL) {
		char *sentence = xasprintf("%.*s: which of %s?", (int)len, word, meant);
		free(meant);
		return sentence;
	}
	const char *best = len > 2 ? nearest(verb, word + 2, len - 2) : NULL;
	if (best == NULL)
		return xasprintf("%.*s: %s has no such option", (int)len, word, verb->name);
	return xasprintf(
	    "%.*s: %s has no such option; did you mean --%s?", (int)len, word, verb->name, best);
}

/* What getopt_long() stopped at. */
static char *describe_fault(const struct verb *verb, int result, char **argv)
{
	const char *word = argv[optind - 1];
	if (result == ':')
		return xasprintf("%s: its value is missing", word);
	if (optopt >= LONG_OPTION)
		return xasprintf("%.*s takes no value", (int)strcspn(word, "="), word);
	if (optopt != 0)
		return xasprintf("-%c: %s has no such option", optopt, verb->name);
	return describe_unknown(verb, word);
}

static bool take(const struct verb_option *option, void *fields, char **error)
{
	char *why = NULL;
	if (option->take((char *)fields + option->field, optarg != NULL ? optarg : "", &why))
		return true;
	*error = xasprintf("--%s \"%s\": %s", option->name, optarg != NULL ? optarg : "", why);
	free(why);
	return false;
}

static enum verb_outcome read_options(const struct verb *verb, const struct option *table, int argc,
    char **argv, void *fields, char **error)
{
	int result;
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while ((result = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (result < LONG_OPTION) {
			*error = describe_fault(verb, result, argv);
			return VERB_WRONG;
		}
		size_t at = (size_t)(result - LONG_OPTION);
		if (at == verb->option_count)
			return VERB_HELP;
		if (!take(&verb->options[at], fields, error))
			return VERB_WRONG;
	}
	return VERB_READ;
}

static char *describe_count(const struct verb *verb, int count)
{
	if (verb->most == 0)
		return xasprintf("%s takes no operand", verb->name);
	return xasprintf("%s takes %s, and got %s", verb->name, verb->operands,
	    count < verb->least ? (count == 0 ? "nothing" : "too little") : "more");
}

enum verb_outcome verb_read(
    const struct verb *verb, int argc, char **argv, void *fields, char ***operands, char **error)
{
	struct option *table = make_table(verb);
	enum verb_outcome outcome = read_options(verb, table, argc, argv, fields, error);
	free(table);
	if (outcome != VERB_READ)
		return outcome;
	int count = argc - optind;
	*operands = argv + optind;
	if (count >= verb->least && (verb->most < 0 || count <= verb->most))
		return VERB_READ;
	*error = describe_count(verb, count);
	return VERB_WRONG;
}

/* --- help ------------------------------------------------------------------------------------ */

void verb_usage(const struct verb *verb, const char *program, struct buf *out)
{
	buf_printf(out, "%s %s%s%s%s", program, verb->name, *verb->operands != '\0' ? " " : "",
	    verb->operands, verb->option_count > 0 ? " [OPTION...]" : "");
}

void verb_complain(
    const struct verb *verb, const char *program, const char *sentence, struct buf *out)
{
	buf_printf(out, "%s: %s\nusage: ", program, sentence);
	verb_usage(verb, program, out);
	buf_append_text(out, "; --help tells the options\n");
}

static void add_option(struct buf *out, const char *name, const char *value, const char *help)
{
	char *text =
	    xasprintf("--%s%s%s", name, value != NULL ? " " : "", value != NULL ? value : "");
	buf_printf(out, "  %-*s %s\n", NAME_WIDTH, text, help);
	free(text);
}

void verb_help(const struct verb *verb, const char *program, struct buf *out)
{
	buf_append_text(out, "usage: ");
	verb_usage(verb, program, out);
	buf_printf(out, "\n\n%s\n\n", verb->help);
	for (size_t i = 0; i < verb->option_count; i++) {
		const struct verb_option *option = &verb->options[i];
		add_option(out, option->name, option->value, option->help);
	}
	add_option(out, "help", NULL, "this text");
}
