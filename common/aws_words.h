/* A command line as words, by the shell's rules for quotes and backslashes and nothing else of it:
 * no variables, no globs, no substitutions. Pure. */
#ifndef EKSGATE_AWS_WORDS_H
#define EKSGATE_AWS_WORDS_H

#include <stdbool.h>

#include "common/attr.h"

/* NULL-terminated; NULL: *error points to a constant that says why not. */
char **aws_words_split(const char *text, const char **error) MUST_USE;
void aws_words_free(char ***words);

#endif
