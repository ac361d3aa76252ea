/* The tags of all clusters of a region as the tagging API tells them: asks page after page, and is
 * whole or failed. */
#ifndef EKSGATE_TAG_INDEX_H
#define EKSGATE_TAG_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "discoveryd/aws_tagging.h"

struct discovery_metrics;
struct tag_index;

struct tag_index_options {
	struct aws_context *aws;
	struct aws_provider *provider; /* outlives the index */
	const char *region; /* the same */
	struct discovery_metrics *metrics;
	/* Called once, never before tag_index_start() returned. */
	void (*on_done)(void *arg);
	void *arg;
};

struct tag_index *tag_index_start(const struct tag_index_options *options) MUST_USE;
/* Also ends what is under way, without the callback. */
void tag_index_free(struct tag_index **index);

/* Every page arrived. */
bool tag_index_is_whole(const struct tag_index *index) MUST_USE;
/* Outcome AWS_OK when there was none. */
const struct aws_error *tag_index_error(const struct tag_index *index);
unsigned tag_index_calls(const struct tag_index *index);
unsigned tag_index_throttles(const struct tag_index *index);
/* NULL: the tagging API does not know it. */
const struct tagged_cluster *tag_index_find(
    const struct tag_index *index, const char *name) MUST_USE;

#endif
