/* The Resource Groups Tagging API as far as discovery reads it: GetResources, for the tags of all
 * EKS clusters of a region. Eventually consistent, and clusters that never had a tag are missing.
 * Pure halves, and the call that joins them. */
#ifndef EKSGATE_AWS_TAGGING_H
#define EKSGATE_AWS_TAGGING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/labels.h"

#define TAGGING_GET_RESOURCES "tag:GetResources"

struct tagged_cluster {
	char *arn; /* of an EKS cluster */
	char *name; /* what EKS calls it */
	struct labels tags; /* keys unchecked */
};

/* One page; it may be empty and not be the last. */
struct tagging_page {
	struct tagged_cluster *clusters;
	size_t count;
	char *next_token; /* NULL: last */
};
void tagging_page_free(struct tagging_page *page);
void tagged_cluster_free(struct tagged_cluster *cluster);

/* False: *error says what is wrong with the answer (free()). */
bool tagging_parse_page(
    const char *body, size_t len, struct tagging_page *page, char **error) MUST_USE;
/* The body of a request; `next_token` NULL asks for the first page (free()). */
char *tagging_request_body(const char *next_token) MUST_USE;

struct tagging_call;
/* `page` is NULL when reply->outcome is not AWS_OK; what the callee takes out of it it must null.
 */
typedef void tagging_page_fn(void *arg, const struct aws_reply *reply, struct tagging_page *page);

struct tagging_call *tagging_get_page(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, tagging_page_fn *fn, void *arg);
void tagging_call_cancel(struct tagging_call **call);

#endif
