/* From what DescribeCluster tells to the kube_cluster that is served: the labels that matchers see,
 * the verdict, and the resource (design.md 4.2). Pure. */
#ifndef EKSGATE_CANDIDATE_H
#define EKSGATE_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "common/labels.h"
#include "discoveryd/aws_eks.h"

struct aws_matcher;
struct naming;

/* What selectors of matchers are compared with: the AWS tags that are valid labels, then region,
 * account-id, cloud and ARN, which no tag can shadow. */
struct labels candidate_labels(const struct eks_cluster *eks, const struct eks_arn *parts);

/* The first matcher whose selector the labels satisfy, or NULL. */
const struct aws_matcher *candidate_match(
    const struct labels *labels, const struct aws_matcher *const *matchers, size_t count);

/* With the labels that the matcher gives, which replace tags of the same name (labels_free()). */
struct labels candidate_add_labels(
    const struct labels *labels, const struct aws_matcher *matcher) MUST_USE;

/* ACTIVE and UPDATING clusters are served. */
bool candidate_is_served_status(const char *status) MUST_USE;

/* The resource under the name that was chosen. `labels` are candidate_add_labels(). What discoveryd
 * does not read from AWS (access, unknown members) comes from `previous` when it is the same
 * cluster. NULL with *error when it would be no valid resource (free()). */
struct kube_cluster *candidate_build(const struct eks_cluster *eks, const struct labels *labels,
    const struct naming *naming, const char *group, const struct kube_cluster *previous,
    char **error) MUST_USE;

#endif
