/* What a deletecollection that is done object by object reads: a byte that says what, then
 * DeleteOptions in JSON or protobuf, a page of a list, or a target. Each delete has a uid as its
 * precondition, whatever the client sent, and no target is another's. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/delete_options.h"
#include "kubeproxyd/exchange/delete_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* What is written can be read, says the same, and has its precondition. */
static void check_options(
    enum body_format format, const uint8_t *data, size_t size, const char *query)
{
	struct delete_options options = {0}, again = {0};
	struct buf once = {0}, twice = {0};
	const char *error = NULL;
	if (delete_options_read(format, data, size, query, &options, &error)) {
		delete_options_write(&options, "some-uid", &once);
		require(delete_options_read(
		    size == 0 ? BODY_JSON : format, once.data, once.len, "", &again, &error));
		require(again.has_uid);
		delete_options_write(&again, "another", &twice);
		require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
		require(options.has_uid || memmem(once.data, once.len, "some-uid", 8) != NULL);
	} else {
		require(error != NULL);
	}
	buf_free(&once);
	buf_free(&twice);
	delete_options_free(&options);
	delete_options_free(&again);
}

static void on_object(void *arg, const struct delete_object *object)
{
	size_t *count = arg;
	require(object->name[0] != '\0' && object->uid[0] != '\0');
	++*count;
}

static void check_page(const uint8_t *data, size_t size)
{
	struct buf next = {0};
	size_t count = 0;
	(void)!delete_page_read(data, size, on_object, &count, &next);
	require(count <= size);
	buf_free(&next);
}

/* Whatever a client sends as a token, it goes on behind some name, or is refused. */
static void check_part(const char *target)
{
	struct delete_part part = {0};
	unsigned status = 0;
	const char *error = NULL;
	bool is_read = delete_part_read(target, &part, &status, &error);
	require(part.after != NULL && is_read == (error == NULL));
	require(is_read || status == 400 || status == 410);
	delete_part_free(&part);
}

static void check_targets(const char *target)
{
	check_part(target);
	struct buf list = {0}, one = {0};
	size_t path = strcspn(target, "?");
	delete_list_target(&list, target, 10, NULL);
	delete_object_target(&one, target, "../a?b/c");
	while (path > 0 && target[path - 1] == '/')
		path--;
	require(memcmp(buf_text(&list), target, path) == 0 && list.data[path] == '?');
	static const char name[] = "/..%2Fa%3Fb%2Fc";
	require(memcmp(buf_text(&one), target, path) == 0);
	require(strncmp(one.data + path, name, strlen(name)) == 0);
	require(strchr("?", one.data[path + strlen(name)]) != NULL);
	buf_free(&list);
	buf_free(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = xstrndup((const char *)data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		check_options(BODY_JSON, data + 1, size - 1, "");
		break;
	case 1:
		check_options(BODY_PROTOBUF, data + 1, size - 1, "");
		break;
	case 2:
		check_options(BODY_JSON, NULL, 0, text);
		break;
	case 3:
		check_page(data + 1, size - 1);
		break;
	default:
		check_targets(text);
	}
	free(text);
	return 0;
}
