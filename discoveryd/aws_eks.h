/* The EKS API, as far as discovery reads it (API reference: ListClusters, DescribeCluster). Pure
 * halves: build a request, parse a reply; and the calls that join them. */
#ifndef EKSGATE_AWS_EKS_H
#define EKSGATE_AWS_EKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/labels.h"

/* What DescribeCluster tells. Members that AWS left out are NULL. */
struct eks_cluster {
	char *name;
	char *arn;
	char *status; /* "ACTIVE", … */
	char *endpoint;
	char *certificate_authority; /* base64 */
	char *authentication_mode; /* "CONFIG_MAP" when absent */
	char *cluster_id; /* local clusters on Outposts */
	char *version;
	struct unix_time created_at;
	bool is_public, is_private; /* endpoint access */
	struct labels tags; /* all AWS tags, keys unchecked */
};
void eks_cluster_free(struct eks_cluster **cluster);

/* --- pure halves ----------------------------------------------------------------------------- */

/* One page of ListClusters: names and the token of the next page (NULL: last). */
struct eks_cluster_page {
	char **names;
	size_t count;
	char *next_token;
};
void eks_cluster_page_free(struct eks_cluster_page *page);
/* False: *error says what is wrong with the answer (free()). */
bool eks_parse_list(
    const char *body, size_t len, struct eks_cluster_page *page, char **error) MUST_USE;
struct eks_cluster *eks_parse_describe(const char *body, size_t len, char **error) MUST_USE;

/* --- calls ----------------------------------------------------------------------------------- */

struct eks_call;
/* `page` is NULL when reply->outcome is not AWS_OK (a malformed answer is AWS_BAD_REPLY). Borrowed.
 */
typedef void eks_list_fn(
    void *arg, const struct aws_reply *reply, const struct eks_cluster_page *page);
typedef void eks_describe_fn(
    void *arg, const struct aws_reply *reply, const struct eks_cluster *cluster);

struct eks_call *eks_list_clusters(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, eks_list_fn *fn, void *arg);
struct eks_call *eks_describe_cluster(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *name, eks_describe_fn *fn, void *arg);
void eks_call_cancel(struct eks_call **call);

#endif
