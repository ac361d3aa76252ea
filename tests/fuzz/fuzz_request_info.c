/* Methods and targets from the network: "METHOD TARGET". What the strict policy lets through is
 * what the resolver alone sees, and holds none of what the policy exists to keep out. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/request_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void require_same(const struct request_info *a, const struct request_info *b)
{
	require(a->is_resource == b->is_resource && a->is_long_running == b->is_long_running);
	require(strcmp(a->verb, b->verb) == 0 && strcmp(a->path, b->path) == 0);
	require(strcmp(a->api_group, b->api_group) == 0);
	require(strcmp(a->api_version, b->api_version) == 0);
	require(strcmp(a->resource, b->resource) == 0 && strcmp(a->name, b->name) == 0);
	require(strcmp(a->subresource, b->subresource) == 0);
	require(strcmp(a->namespace, b->namespace) == 0);
	require(strcmp(a->field_selector, b->field_selector) == 0);
	require(strcmp(a->label_selector, b->label_selector) == 0);
	require((a->command == NULL) == (b->command == NULL));
	require(a->command == NULL || strcmp(a->command, b->command) == 0);
}

static void check_accepted(
    const char *target, const struct request_info *strict, const struct request_info *seen)
{
	require_same(strict, seen);
	require(strict->verb[0] != '\0' && strict->opaque_from <= strlen(target));
	require(strcmp(strict->name, "..") != 0 && strcmp(strict->namespace, "..") != 0);
	require(strchr(strict->name, '/') == NULL && strchr(strict->namespace, '/') == NULL);
	if (strict->opaque_from == 0)
		require(strstr(strict->path, "//") == NULL && strstr(strict->path, "/../") == NULL);
	else
		require(strcmp(strict->subresource, "proxy") == 0);
	if (strict->is_resource && seen->resource[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	char *target = strchr(text, ' ');
	struct request_info strict = {0}, seen = {0};
	unsigned status = 0;
	const char *reason = NULL;
	if (target == NULL)
		target = text + strlen(text);
	else
		*target++ = '\0';
	bool is_seen = request_info_resolve(text, target, &seen, &reason);
	require(is_seen || reason != NULL);
	if (request_info_parse(text, target, &strict, &status, &reason)) {
		require(is_seen);
		check_accepted(target, &strict, &seen);
		require(request_info_access_verb(&strict) != NULL);
	} else {
		require((status == 400 || status == 405) && reason != NULL);
	}
	request_info_free(&strict);
	request_info_free(&seen);
	free(text);
	return 0;
}
