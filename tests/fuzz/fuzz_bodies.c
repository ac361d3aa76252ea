/* Bodies that decide about access: a byte that says which encoding, then the body. A name is one
 * that can be none of two, a review reads back as what was understood, and so do the Impersonate-*
 * fields of a head. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/policy/access_review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_name(enum body_format format, const uint8_t *data, size_t size)
{
	const char *error = NULL;
	char *name = object_field_read(OBJECT_NAME, format, data, size, &error);
	require((name != NULL) || error != NULL);
	require(name == NULL || name[0] != '\0');
	free(name);
}

static void check_same(const struct access_review *a, const struct access_review *b)
{
	struct request_info left = access_review_request(a), right = access_review_request(b);
	require(left.is_resource == right.is_resource);
	require(strcmp(left.verb, right.verb) == 0 && strcmp(left.name, right.name) == 0);
	if (left.is_resource)
		require(strcmp(left.resource, right.resource) == 0 &&
			strcmp(left.namespace, right.namespace) == 0);
	else
		require(strcmp(left.path, right.path) == 0);
}

static void check_review(enum body_format format, const uint8_t *data, size_t size)
{
	struct access_review review = {0}, again = {0};
	struct buf answer = {0};
	const char *error = NULL;
	if (access_review_read(format, data, size, &review, &error)) {
		access_review_answer(&review, false, "no", BODY_PROTOBUF, &answer);
		require(access_review_read(BODY_PROTOBUF, answer.data, answer.len, &again, &error));
		check_same(&review, &again);
	} else {
		require(error != NULL);
	}
	access_review_free(&review);
	access_review_free(&again);
	buf_free(&answer);
}

/* "name: value" lines. */
static void check_fields(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *next = text;
	struct http_fields fields = {0};
	struct act_as as = {0};
	unsigned status = 0;
	char *message = NULL;
	for (char *line; (line = strsep(&next, "\n")) != NULL;) {
		char *value = strchr(line, ':');
		if (value == NULL)
			continue;
		*value = '\0';
		fields_add_text(&fields, line, value + 1);
	}
	bool is_read = act_as_read(&fields, &as, &status, &message);
	require(is_read || ((status == 400 || status == 403) && message != NULL));
	for (size_t i = 0; is_read && i < as.extra_count; i++)
		require(strstr(as.extras[i].key, ACT_AS_OWN_SUFFIX "") == NULL ||
			strlen(strstr(as.extras[i].key, ACT_AS_OWN_SUFFIX)) >
			    strlen(ACT_AS_OWN_SUFFIX));
	act_as_free(&as);
	fields_free(&fields);
	free(message);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 4 == 3) {
		check_fields(data + 1, size - 1);
		return 0;
	}
	check_name((enum body_format)(data[0] % 4), data + 1, size - 1);
	check_review((enum body_format)(data[0] % 4), data + 1, size - 1);
	return 0;
}
