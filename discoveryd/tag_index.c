/* Pages of GetResources put together and sorted by name. An index that does not end, or repeats
 * itself, has failed: a part of it would look like tags that were taken away. Owned by the sweep.
 */
#include "discoveryd/tag_index.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "discoveryd/discovery_metrics.h"

/* As in the listing; there may be empty pages between. */
#define MAX_PAGES 400

struct tag_index {
	struct tag_index_options options;
	struct tagging_call *call;
	char *token; /* that asked for the page under way; NULL for the first */
	struct tagged_cluster *clusters;
	size_t count;
	unsigned calls, throttles;
	bool is_whole;
	struct aws_error error;
};

static void ask_page(struct tag_index *index);

static void take_clusters(struct tag_index *index, struct tagging_page *page)
{
	index->clusters =
	    xreallocarray(index->clusters, index->count + page->count + 1, sizeof *index->clusters);
	for (size_t i = 0; i < page->count; i++) {
		index->clusters[index->count++] = page->clusters[i];
		page->clusters[i] = (struct tagged_cluster){0};
	}
}

static int compare_clusters(const void *a, const void *b)
{
	return strcmp(
	    ((const struct tagged_cluster *)a)->name, ((const struct tagged_cluster *)b)->name);
}

static void finish(struct tag_index *index)
{
	index->is_whole = true;
	if (index->count > 0)
		qsort(index->clusters, index->count, sizeof *index->clusters, compare_clusters);
	index->options.on_done(index->options.arg);
}

static void fail(struct tag_index *index, const struct aws_reply *reply)
{
	aws_error_set(&index->error, TAGGING_GET_RESOURCES, reply);
	index->options.on_done(index->options.arg);
}

static void fail_endless(struct tag_index *index)
{
	fail(index,
	    &(struct aws_reply){
		.outcome = AWS_BAD_REPLY, .message = "the pages of tags do not end", .body = ""});
}

static void on_page(void *arg, const struct aws_reply *reply, struct tagging_page *page)
{
	struct tag_index *index = arg;
	index->call = NULL;
	index->throttles += reply->throttles;
	discovery_metrics_call(
	    index->options.metrics, TAGGING_GET_RESOURCES, index->options.region, reply);
	if (reply->outcome != AWS_OK) {
		fail(index, reply);
		return;
	}
	take_clusters(index, page);
	if (page->next_token == NULL) {
		finish(index);
		return;
	}
	bool is_repeated = index->token != NULL && strcmp(index->token, page->next_token) == 0;
	if (is_repeated || index->calls == MAX_PAGES) {
		fail_endless(index);
		return;
	}
	free(index->token);
	index->token = xstrdup(page->next_token);
	ask_page(index);
}

static void ask_page(struct tag_index *index)
{
	const struct tag_index_options *options = &index->options;
	index->calls++;
	index->call = tagging_get_page(
	    options->aws, options->provider, options->region, index->token, on_page, index);
}

/* --- public ----------------------------------------------------------------------------------- */

struct tag_index *tag_index_start(const struct tag_index_options *options)
{
	struct tag_index *index = xcalloc(1, sizeof *index);
	index->options = *options;
	ask_page(index);
	return index;
}

void tag_index_free(struct tag_index **index)
{
	if (*index == NULL)
		return;
	tagging_call_cancel(&(*index)->call);
	for (size_t i = 0; i < (*index)->count; i++)
		tagged_cluster_free(&(*index)->clusters[i]);
	free((*index)->clusters);
	free((*index)->token);
	aws_error_free(&(*index)->error);
	xfree(index);
}

bool tag_index_is_whole(const struct tag_index *index)
{
	return index->is_whole;
}

const struct aws_error *tag_index_error(const struct tag_index *index)
{
	return &index->error;
}

unsigned tag_index_calls(const struct tag_index *index)
{
	return index->calls;
}

unsigned tag_index_throttles(const struct tag_index *index)
{
	return index->throttles;
}

const struct tagged_cluster *tag_index_find(const struct tag_index *index, const char *name)
{
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, index->clusters[middle].name);
		if (order == 0)
			return &index->clusters[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
