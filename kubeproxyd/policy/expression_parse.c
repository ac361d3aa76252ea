/* Reads expressions into checked trees: a name, a function or a type that is not known is an error
 * at its character. Recursive descent over bounded text and depth. Called by those who read roles.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/expression_tree.h"

struct parser {
	const char *start, *at;
	enum expression_use use;
	unsigned depth;
	char *error;
};

static struct expression *parse_or(struct parser *parser);

/* Takes `what` over; the first failure stays. */
static struct expression *fail_at(struct parser *parser, const char *at, char *what)
{
	if (parser->error == NULL)
		parser->error =
		    xasprintf("%s (at character %d)", what, (int)(at - parser->start) + 1);
	free(what);
	return NULL;
}

static struct expression *node_new(enum expression_op op, enum expression_type type)
{
	struct expression *node = xcalloc(1, sizeof *node);
	node->op = op;
	node->type = type;
	return node;
}

static void add_argument(struct expression *node, struct expression *argument)
{
	node->arguments =
	    xreallocarray(node->arguments, node->count + 1, sizeof(struct expression *));
	node->arguments[node->count++] = argument;
}

static void skip_space(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t\r\n");
}

static bool take(struct parser *parser, const char *token)
{
	skip_space(parser);
	size_t len = strlen(token);
	if (strncmp(parser->at, token, len) != 0)
		return false;
	parser->at += len;
	return true;
}

/* --- texts ----------------------------------------------------------------------------------- */

static bool take_escape(struct parser *parser, struct buf *out)
{
	static const char names[] = "nrt\\\"", means[] = "\n\r\t\\\"";
	const char *name = *parser->at != '\0' ? strchr(names, *parser->at) : NULL;
	if (name == NULL)
		return false;
	buf_append_char(out, means[name - names]);
	parser->at++;
	return true;
}

/* "…" with escapes, or `…` without. NULL with an error. */
static char *take_text(struct parser *parser)
{
	const char *begin = parser->at;
	char quote = *parser->at++;
	struct buf out = {0};
	while (*parser->at != quote && *parser->at != '\0') {
		char c = *parser->at++;
		if (c != '\\' || quote == '`') {
			buf_append_char(&out, c);
		} else if (!take_escape(parser, &out)) {
			buf_free(&out);
			fail_at(parser, parser->at, xstrdup("an unknown escape in a text"));
			return NULL;
		}
	}
	if (*parser->at != quote) {
		buf_free(&out);
		fail_at(parser, begin, xstrdup("a text is not closed"));
		return NULL;
	}
	parser->at++;
	return buf_take(&out);
}

static bool is_quote(char c)
{
	return c == '"' || c == '`';
}

static struct expression *parse_text(struct parser *parser)
{
	char *text = take_text(parser);
	if (text == NULL)
		return NULL;
	struct expression *node = node_new(OP_LITERAL, TYPE_TEXT);
	node->text = text;
	return node;
}

/* --- names ----------------------------------------------------------------------------------- */

/* "external.groups": letters, digits, '_' and '-' between dots. */
static char *take_name(struct parser *parser)
{
	const char *begin = parser->at;
	while (isalnum((unsigned char)*parser->at) || strchr("_-.", *parser->at) != NULL) {
		if (*parser->at == '\0')
			break;
		parser->at++;
	}
	return xstrndup(begin, (size_t)(parser->at - begin));
}

/* What has members, by a dot or in brackets. */
static const struct map {
	const char *name;
	enum expression_op op;
	enum expression_type type;
	bool is_of_cluster;
} maps[] = {
    {"external", OP_TRAIT, TYPE_LIST, false},
    {"internal", OP_TRAIT, TYPE_LIST, false},
    {"user.spec.traits", OP_TRAIT, TYPE_LIST, false},
    {"labels", OP_LABEL, TYPE_TEXT, true},
};

/* The member behind the dot, "" when the name is the map itself, or NULL when it is another's. */
static const char *member_of(const struct map *map, const char *name)
{
	size_t len = strlen(map->name);
	if (strncmp(name, map->name, len) != 0 || (name[len] != '.' && name[len] != '\0'))
		return NULL;
	return name[len] == '.' ? name + len + 1 : "";
}

static char *take_index(struct parser *parser)
{
	const char *begin = parser->at;
	if (!take(parser, "[")) {
		fail_at(parser, begin, xstrdup("a member is missing: [\"NAME\"]"));
		return NULL;
	}
	skip_space(parser);
	if (!is_quote(*parser->at)) {
		fail_at(parser, parser->at, xstrdup("in brackets stands a text in quotes"));
		return NULL;
	}
	char *text = take_text(parser);
	if (text != NULL && !take(parser, "]")) {
		xfree(&text);
		fail_at(parser, parser->at, xstrdup("']' is missing"));
	}
	return text;
}

static struct expression *make_member(
    struct parser *parser, const char *at, const struct map *map, const char *member)
{
	if (map->is_of_cluster && parser->use == EXPRESSION_OF_TEMPLATE)
		return fail_at(
		    parser, at, xstrdup("a template knows the user, not the labels of clusters"));
	char *text = *member != '\0' ? xstrdup(member) : take_index(parser);
	if (text == NULL)
		return NULL;
	struct expression *node = node_new(map->op, map->type);
	node->text = text;
	return node;
}

static struct expression *parse_variable(struct parser *parser, const char *at, const char *name)
{
	if (strcmp(name, "user.name") == 0 || strcmp(name, "user.metadata.name") == 0)
		return node_new(OP_USER, TYPE_TEXT);
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
		const char *member = member_of(&maps[i], name);
		if (member != NULL)
			return make_member(parser, at, &maps[i], member);
	}
	return fail_at(parser, at,
	    xasprintf("\"%s\" is not known: user.name, external.TRAIT, internal.TRAIT, "
		      "user.spec.traits[\"TRAIT\"]%s are",
		name, parser->use == EXPRESSION_OF_LABELS ? " and labels[\"KEY\"]" : ""));
}

/* --- functions ------------------------------------------------------------------------------- */

/* `takes`: a letter an argument: 'l' a list or a text, 't' a text, 'c' a text in quotes; '+' at the
 * end: the last any number of times. */
static const struct function {
	const char *name;
	enum expression_op op;
	enum expression_type type;
	const char *takes;
	bool is_of_cluster;
} functions[] = {
    {"contains", OP_CONTAINS, TYPE_TRUTH, "lt", false},
    {"contains_any", OP_CONTAINS_ANY, TYPE_TRUTH, "ll", false},
    {"contains_all", OP_CONTAINS_ALL, TYPE_TRUTH, "ll", false},
    {"set", OP_SET, TYPE_LIST, "t+", false},
    {"labels_matching", OP_LABELS_MATCHING, TYPE_LIST, "c", true},
    {"regexp.match", OP_MATCH, TYPE_TRUTH, "lc", false},
    {"regexp.replace", OP_REPLACE, TYPE_LIST, "lcc", false},
    {"email.local", OP_EMAIL_LOCAL, TYPE_LIST, "l", false},
    {"strings.upper", OP_UPPER, TYPE_LIST, "l", false},
    {"strings.lower", OP_LOWER, TYPE_LIST, "l", false},
};

static const struct function *find_function(const char *name)
{
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		if (strcmp(functions[i].name, name) == 0)
			return &functions[i];
	}
	return NULL;
}

static bool fits(const struct expression *argument, char wanted)
{
	if (wanted == 'c')
		return argument->op == OP_LITERAL;
	if (wanted == 't')
		return argument->type == TYPE_TEXT;
	return argument->type != TYPE_TRUTH;
}

static bool check_arguments(
    struct parser *parser, const char *at, const struct function *function, struct expression *node)
{
	size_t wanted = strspn(function->takes, "ltc");
	bool is_open = function->takes[wanted] == '+';
	bool is_fit = is_open || node->count == wanted;
	for (size_t i = 0; is_fit && i < node->count; i++)
		is_fit = fits(node->arguments[i], function->takes[i < wanted ? i : wanted - 1]);
	if (is_fit)
		return true;
	fail_at(parser, at, xasprintf("%s does not take these arguments", function->name));
	return false;
}

/* Moves the text of the argument at `index` up into the node. */
static char *take_literal(struct expression *node, size_t index)
{
	char *text = node->arguments[index]->text;
	node->arguments[index]->text = NULL;
	for (size_t i = index; i < node->count; i++)
		expression_free(&node->arguments[i]);
	node->count = index;
	return text;
}

static bool compile_patterns(struct parser *parser, const char *at, struct expression *node)
{
	char *error = NULL;
	if (node->op == OP_REPLACE) {
		node->text = xstrdup(node->arguments[2]->text);
		if (!regex_replacement_is_valid(node->text)) {
			fail_at(parser, at,
			    xstrdup("a replacement has $1 to $9, ${1} and $$ alone behind '$'"));
			return false;
		}
	}
	if (node->op == OP_MATCH || node->op == OP_REPLACE) {
		char *text = take_literal(node, 1);
		node->regex = node->op == OP_MATCH ? regex_new(text, &error)
						   : regex_new_capturing(text, &error);
		free(text);
	}
	if (node->op == OP_LABELS_MATCHING) {
		char *text = take_literal(node, 0);
		node->pattern = pattern_new(text, &error);
		free(text);
	}
	if (error != NULL)
		fail_at(parser, at, error);
	return error == NULL;
}

static bool parse_arguments(struct parser *parser, struct expression *node)
{
	if (take(parser, ")"))
		return true;
	do {
		struct expression *argument =
		    node->count < EXPRESSION_MAX_ARGUMENTS ? parse_or(parser) : NULL;
		if (argument == NULL) {
			fail_at(parser, parser->at, xstrdup("too many arguments"));
			return false;
		}
		add_argument(node, argument);
	} while (take(parser, ","));
	if (take(parser, ")"))
		return true;
	fail_at(parser, parser->at, xstrdup("')' is missing behind the arguments"));
	return false;
}

static struct expression *parse_call(struct parser *parser, const char *at, const char *name)
{
	const struct function *function = find_function(name);
	if (function == NULL)
		return fail_at(parser, at,
		    xasprintf("the function \"%s\" is not known: contains, contains_any, "
			      "contains_all, set, labels_matching, regexp.match, regexp.replace, "
			      "email.local, strings.upper and strings.lower are",
			name));
	if (function->is_of_cluster && parser->use == EXPRESSION_OF_TEMPLATE)
		return fail_at(
		    parser, at, xstrdup("a template knows the user, not the labels of clusters"));
	struct expression *node = node_new(function->op, function->type);
	if (!parse_arguments(parser, node) || !check_arguments(parser, at, function, node) ||
	    !compile_patterns(parser, at, node))
		expression_free(&node);
	return node;
}

/* --- operators ------------------------------------------------------------------------------- */

static struct expression *parse_term(struct parser *parser)
{
	skip_space(parser);
	const char *at = parser->at;
	if (is_quote(*at))
		return parse_text(parser);
	if (take(parser, "(")) {
		struct expression *inner = parse_or(parser);
		if (inner != NULL && !take(parser, ")")) {
			expression_free(&inner);
			fail_at(parser, parser->at, xstrdup("')' is missing"));
		}
		return inner;
	}
	if (!isalpha((unsigned char)*at))
		return fail_at(parser, at,
		    *at == '\0' ? xstrdup("the expression ends too early")
				: xasprintf("'%c' does not belong here", *at));
	char *name = take_name(parser);
	struct expression *node =
	    take(parser, "(") ? parse_call(parser, at, name) : parse_variable(parser, at, name);
	free(name);
	return node;
}

static struct expression *join(struct parser *parser, const char *at, enum expression_op op,
    enum expression_type of, struct expression *left, struct expression *right)
{
	if (right == NULL) {
		expression_free(&left);
		return NULL;
	}
	struct expression *node = node_new(op, TYPE_TRUTH);
	add_argument(node, left);
	add_argument(node, right);
	if (left->type == of && right->type == of)
		return node;
	expression_free(&node);
	return fail_at(parser, at,
	    xstrdup(of == TYPE_TEXT ? "== and != compare two texts: use contains() for lists"
				    : "&& and || stand between what is true or false"));
}

static struct expression *parse_comparison(struct parser *parser)
{
	struct expression *left = parse_term(parser);
	if (left == NULL)
		return NULL;
	skip_space(parser);
	const char *at = parser->at;
	if (take(parser, "=="))
		return join(parser, at, OP_EQUAL, TYPE_TEXT, left, parse_term(parser));
	if (take(parser, "!="))
		return join(parser, at, OP_NOT_EQUAL, TYPE_TEXT, left, parse_term(parser));
	return left;
}

static struct expression *parse_not(struct parser *parser)
{
	skip_space(parser);
	const char *at = parser->at;
	if (at[0] != '!' || at[1] == '=')
		return parse_comparison(parser);
	if (parser->depth == EXPRESSION_MAX_DEPTH)
		return fail_at(parser, at, xstrdup("too deeply nested"));
	parser->at++;
	parser->depth++;
	struct expression *inner = parse_not(parser);
	parser->depth--;
	if (inner == NULL)
		return NULL;
	struct expression *node = node_new(OP_NOT, TYPE_TRUTH);
	add_argument(node, inner);
	if (inner->type == TYPE_TRUTH)
		return node;
	expression_free(&node);
	return fail_at(parser, at, xstrdup("'!' stands before what is true or false"));
}

static struct expression *parse_and(struct parser *parser)
{
	struct expression *left = parse_not(parser);
	for (const char *at; left != NULL;) {
		skip_space(parser);
		at = parser->at;
		if (!take(parser, "&&"))
			break;
		left = join(parser, at, OP_AND, TYPE_TRUTH, left, parse_not(parser));
	}
	return left;
}

static struct expression *parse_or(struct parser *parser)
{
	if (parser->depth == EXPRESSION_MAX_DEPTH)
		return fail_at(parser, parser->at, xstrdup("too deeply nested"));
	parser->depth++;
	struct expression *left = parse_and(parser);
	for (const char *at; left != NULL;) {
		skip_space(parser);
		at = parser->at;
		if (!take(parser, "||"))
			break;
		left = join(parser, at, OP_OR, TYPE_TRUTH, left, parse_and(parser));
	}
	parser->depth--;
	return left;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool is_complete(struct parser *parser, const struct expression *tree)
{
	skip_space(parser);
	bool wants_truth = parser->use == EXPRESSION_OF_LABELS;
	if (*parser->at != '\0')
		fail_at(parser, parser->at, xasprintf("'%c' does not belong here", *parser->at));
	else if ((tree->type == TYPE_TRUTH) != wants_truth)
		fail_at(parser, parser->start,
		    xstrdup(wants_truth ? "the expression must be true or false"
					: "a template gives texts, not true or false"));
	return parser->error == NULL;
}

struct expression *expression_parse(const char *text, enum expression_use use, char **error)
{
	struct parser parser = {.start = text, .at = text, .use = use};
	struct expression *tree = NULL;
	if (strlen(text) > EXPRESSION_MAX_BYTES)
		fail_at(&parser, text, xstrdup("the expression is longer than 4096 bytes"));
	else
		tree = parse_or(&parser);
	if (tree != NULL && !is_complete(&parser, tree))
		expression_free(&tree);
	*error = parser.error;
	return tree;
}
