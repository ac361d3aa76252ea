/* What expression_parse.c makes and expression.c evaluates; for these two alone. */
#ifndef EKSGATE_EXPRESSION_TREE_H
#define EKSGATE_EXPRESSION_TREE_H

#include "common/pattern.h"
#include "common/regex.h"
#include "kubeproxyd/policy/expression.h"

/* What a node is: yes or no, one text, or any number of them. */
enum expression_type { TYPE_TRUTH, TYPE_TEXT, TYPE_LIST };

enum expression_op {
	OP_LITERAL, /* text */
	OP_USER,
	OP_TRAIT, /* text: its name */
	OP_LABEL, /* text: its key */
	OP_OR,
	OP_AND,
	OP_NOT,
	OP_EQUAL,
	OP_NOT_EQUAL,
	OP_CONTAINS,
	OP_CONTAINS_ANY,
	OP_CONTAINS_ALL,
	OP_SET,
	OP_LABELS_MATCHING, /* pattern */
	OP_MATCH, /* regex */
	OP_REPLACE, /* regex, text: the replacement */
	OP_EMAIL_LOCAL,
	OP_UPPER,
	OP_LOWER,
};

#define EXPRESSION_MAX_DEPTH	 32
#define EXPRESSION_MAX_ARGUMENTS 64

struct expression {
	enum expression_op op;
	enum expression_type type;
	char *text;
	struct pattern *pattern;
	struct regex *regex;
	struct expression **arguments;
	size_t count;
};

#endif
