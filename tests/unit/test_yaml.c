/* Trees from YAML, their positions, and everything that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "common/yaml.h"

static struct yaml_document *parse(const char *text)
{
	char *error = NULL;
	struct yaml_document *document = yaml_parse("f", text, strlen(text), &error);
	if (document == NULL)
		fail_msg("%s", error);
	return document;
}

static void test_tree(void **state)
{
	(void)state;
	struct yaml_document *document = parse("# first\na: 1\nlist:\n  - x\n  - {k: \"v\"}\n'q': "
					       "''\n\xc3\xa9: \xc3\xa9  # c\nempty:\n");
	const struct yaml_node *root = document->root;
	assert_string_equal(document->file, "f");
	assert_int_equal(root->kind, YAML_NODE_MAP);
	assert_int_equal(root->count, 5);
	assert_int_equal(root->keys[1].line, 3);
	assert_int_equal(root->keys[1].column, 1);
	const struct yaml_node *list = yaml_get(root, "list");
	assert_int_equal(list->kind, YAML_NODE_LIST);
	assert_int_equal(list->line, 4);
	assert_int_equal(list->column, 3);
	assert_string_equal(list->items[0]->text, "x");
	const struct yaml_node *value = yaml_get(list->items[1], "k");
	assert_string_equal(value->text, "v");
	assert_true(value->is_quoted);
	assert_int_equal(value->line, 5);
	assert_int_equal(value->column, 9);
	assert_true(yaml_get(root, "q")->is_quoted);
	assert_false(yaml_is_null(yaml_get(root, "q")));
	assert_false(yaml_get(root, "a")->is_quoted);
	/* Columns count characters, not bytes. */
	assert_int_equal(yaml_get(root, "\xc3\xa9")->column, 4);
	assert_true(yaml_is_null(yaml_get(root, "empty")));
	assert_null(yaml_get(root, "absent"));
	assert_null(yaml_get(list, "a"));
	char *error = yaml_error(document, value, "no %s", "way");
	assert_string_equal(error, "f:5:9: no way");
	free(error);
	yaml_document_free(&document);
	assert_null(document);
}

static void test_json_is_yaml(void **state)
{
	(void)state;
	struct yaml_document *document =
	    parse("{\n  \"a\": [\"x\", \"\\u00e9\"],\n  \"b\": {}\n}\n");
	assert_string_equal(yaml_get(document->root, "a")->items[1]->text, "\xc3\xa9");
	assert_int_equal(yaml_get(document->root, "b")->count, 0);
	yaml_document_free(&document);
}

static void test_several_documents(void **state)
{
	(void)state;
	size_t count;
	char *error = NULL;
	static const char text[] = "---\n# nothing\n---\na: 1\n---\n\n---\n- b\n...\n";
	struct yaml_document **documents = yaml_parse_all("f", text, strlen(text), &count, &error);
	assert_non_null(documents);
	assert_int_equal(count, 2);
	assert_int_equal(documents[0]->root->line, 4);
	assert_int_equal(documents[1]->root->kind, YAML_NODE_LIST);
	for (size_t i = 0; i < count; i++)
		yaml_document_free(&documents[i]);
	free(documents);
	documents = yaml_parse_all("f", "", 0, &count, &error);
	assert_non_null(documents);
	assert_int_equal(count, 0);
	free(documents);
	assert_null(yaml_parse_all("f", "a: 1\n---\nb: *x\n", 15, &count, &error));
	assert_string_equal(
	    error, "f:3:4: an alias: write the value out; text that starts with '*' needs quotes");
	free(error);
}

static void test_bad_texts(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	    {"", "f:1:1: nothing stands in it"},
	    {"# only a comment\n", "f:1:1: nothing stands in it"},
	    {"~\n", "f:1:1: nothing stands in it"},
	    {"a: 1\n---\nb: 1\n",
		"f:3:1: a second document: put everything into one, without \"---\""},
	    {"a: &x 1\n", "f:1:4: an anchor: anchors are not supported, write the value out"},
	    {"a: &x [1]\n", "f:1:4: an anchor: anchors are not supported, write the value out"},
	    {"a: &x {b: 1}\n", "f:1:4: an anchor: anchors are not supported, write the value out"},
	    {"&x a: 1\n", "f:1:1: an anchor: anchors are not supported, write the value out"},
	    {"a: *x\n",
		"f:1:4: an alias: write the value out; text that starts with '*' needs quotes"},
	    {"*x : 1\n",
		"f:1:1: an alias: write the value out; text that starts with '*' needs quotes"},
	    {"a: *\n", "f:1:4: a bare '*': put it in quotes, \"*\""},
	    {"a: [*]\n", "f:1:5: a bare '*': put it in quotes, \"*\""},
	    {"*: a\n", "f:1:1: a bare '*': put it in quotes, \"*\""},
	    {"a: !!str 1\n", "f:1:4: a tag: tags are not supported, remove it"},
	    {"a: !x {b: 1}\n", "f:1:4: a tag: tags are not supported, remove it"},
	    {"a: ! [1]\n", "f:1:4: a tag: tags are not supported, remove it"},
	    {"!!str a: 1\n", "f:1:1: a tag: tags are not supported, remove it"},
	    {"<<: {a: 1}\n", "f:1:1: a merge key: merging is not supported, write the members out"},
	    {"a: 1\nb: 2\na: 3\n", "f:3:1: the key \"a\" stands in line 1 already: remove one"},
	    {"a:\n  b: 1\n  c: 1\n  'b': 2\n  c: 3\n",
		"f:4:3: the key \"b\" stands in line 2 already: remove one"},
	    {"{a: 1, a: 2}", "f:1:8: the key \"a\" stands in line 1 already: remove one"},
	    {"? [a]\n: 1\n", "f:1:3: a key must be plain text: put the list or map behind a key"},
	    {"? {a: 1}\n: 1\n",
		"f:1:3: a key must be plain text: put the list or map behind a key"},
	    {"'': 1\n", "f:1:1: an empty key"},
	    {"? \n: 1\n", "f:1:2: an empty key"},
	    {"\"a\\0b\": 1\n", "f:1:1: a key that holds a NUL"},
	    {"a: \"x\\0y\"\n", "f:1:4: text that holds a NUL"},
	    {"a: 1\n\tb: 2\n", "f:2:1: a tab: indent with spaces"},
	    {"a: b: c\n", "f:1:5: mapping values are not allowed in this context"},
	    {"a:\n  - b\n c\n",
		"f:3:2: did not find expected key (while parsing a block mapping from line 1)"},
	    {"a: [1, 2\n", "f:2:1: did not find expected ',' or ']' (while parsing a flow sequence "
			   "from line 1)"},
	    {"a: \"x\n", "f:2:1: found unexpected end of stream (while scanning a quoted scalar "
			 "from line 1)"},
	    {"a: @x\n",
		"f:1:4: found character that cannot start any token (while scanning for the next "
		"token from line 1)"},
	    {"%YAML 3.0\n---\na\n", "f:1:1: found incompatible YAML document"},
	    {"a: \xff\n", "f:1:4: not UTF-8: save the file as UTF-8"},
	    {"a: 1\n\xc3\xa9: \xc3\n", "f:2:5: not UTF-8: save the file as UTF-8"},
	    {"\xff\xfe"
	     "a",
		"f:1:1: not UTF-8: save the file as UTF-8"},
	    {"a: \x01\n", "f:1:4: a control character: remove it"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *error = NULL;
		/* Exactly as long as the text, so that reading behind it is seen. */
		size_t len = strlen(rows[i].text);
		char *text = xmemdup(rows[i].text, len);
		struct yaml_document *document = yaml_parse("f", text, len, &error);
		if (document != NULL)
			fail_msg("accepted: %s", rows[i].text);
		assert_string_equal(error, rows[i].error);
		free(error);
		free(text);
	}
}

static void test_depth_and_size(void **state)
{
	(void)state;
	char text[2 * YAML_MAX_DEPTH + 3], *error = NULL;
	memset(text, '[', YAML_MAX_DEPTH);
	memset(text + YAML_MAX_DEPTH, ']', YAML_MAX_DEPTH);
	struct yaml_document *document = yaml_parse("f", text, (size_t)2 * YAML_MAX_DEPTH, &error);
	assert_non_null(document);
	yaml_document_free(&document);
	memset(text, '[', sizeof(text));
	assert_null(yaml_parse("f", text, sizeof(text), &error));
	assert_string_equal(error, "f:1:33: nested too deeply: at most 32 levels are read");
	free(error);
	char *large = xmalloc(YAML_MAX_BYTES + 1);
	memset(large, ' ', YAML_MAX_BYTES + 1);
	assert_null(yaml_parse("f", large, YAML_MAX_BYTES + 1, &error));
	assert_string_equal(error, "f:1:1: 1048577 bytes, at most 1048576 are read");
	free(error);
	free(large);
}

static void test_files(void **state)
{
	(void)state;
	static const char text[] = "a: 1\n---\nb: 2\n";
	char name[64], *error = NULL;
	int fd = memfd_create("two", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	size_t count;
	struct yaml_document **documents = yaml_load_all(name, &count, &error);
	assert_non_null(documents);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++)
		yaml_document_free(&documents[i]);
	free(documents);
	assert_null(yaml_load(name, &error));
	assert_non_null(strstr(error, ":3:1: a second document"));
	free(error);
	close(fd);
	assert_null(yaml_load("/nonexistent/f", &error));
	assert_string_equal(error, "/nonexistent/f: cannot be read: No such file or directory");
	free(error);
	assert_null(yaml_load("/", &error));
	assert_string_equal(error, "/: cannot be read: Is a directory");
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tree),
	    cmocka_unit_test(test_json_is_yaml),
	    cmocka_unit_test(test_several_documents),
	    cmocka_unit_test(test_bad_texts),
	    cmocka_unit_test(test_depth_and_size),
	    cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
