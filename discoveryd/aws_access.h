/* The EKS API's access entries (API reference: DescribeAccessEntry, CreateAccessEntry,
 * UpdateAccessEntry, DeleteAccessEntry, AssociateAccessPolicy, TagResource). Pure halves, and the
 * call that joins them. */
#ifndef EKSGATE_AWS_ACCESS_H
#define EKSGATE_AWS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/labels.h"

enum eks_access_op {
	EKS_DESCRIBE_ENTRY,
	EKS_CREATE_ENTRY,
	EKS_UPDATE_ENTRY, /* replaces the groups */
	EKS_DELETE_ENTRY,
	EKS_ASSOCIATE_POLICY, /* cluster-wide */
	EKS_TAG_RESOURCE,
	EKS_ACCESS_OPS
};
/* "eks:DescribeAccessEntry", as IAM names it. */
const char *eks_access_action(enum eks_access_op op);

/* Borrowed strings. */
struct eks_access_request {
	enum eks_access_op op;
	const char *region;
	const char *cluster; /* what EKS calls it */
	const char *principal; /* not for EKS_TAG_RESOURCE */
	const char *const *groups; /* EKS_CREATE_ENTRY, EKS_UPDATE_ENTRY */
	size_t group_count;
	const struct labels *tags; /* EKS_CREATE_ENTRY (NULL: none), EKS_TAG_RESOURCE */
	const char *token; /* clientRequestToken of EKS_CREATE_ENTRY and EKS_UPDATE_ENTRY */
	const char *policy; /* ARN, EKS_ASSOCIATE_POLICY */
	const char *resource; /* ARN of the entry, EKS_TAG_RESOURCE */
};

struct eks_access_entry {
	char *principal;
	char *arn; /* of the entry */
	char *type; /* "STANDARD", … */
	char *username; /* NULL when AWS did not tell */
	char **groups;
	size_t group_count;
	struct labels tags;
};
void eks_access_entry_free(struct eks_access_entry **entry);
bool eks_access_entry_has_group(const struct eks_access_entry *entry, const char *group) MUST_USE;

/* --- pure halves ----------------------------------------------------------------------------- */

/* Method, path and body of a request; `body` is NULL when there is none (free() both). */
struct eks_access_wire {
	const char *method;
	char *path;
	char *body;
};
void eks_access_build(const struct eks_access_request *request, struct eks_access_wire *wire);
/* Of the answer to Describe, Create and Update. NULL: *error says what is wrong (free()). */
struct eks_access_entry *eks_access_parse(
    enum eks_access_op op, const char *body, size_t len, char **error) MUST_USE;
/* Which permission a denial is about: what AWS's message names, else the operation's own. One of
 * the texts of eks_access_action(). */
const char *eks_access_denied_action(enum eks_access_op op, const struct aws_reply *reply);
/* A 404 that is about the cluster, not about the entry. */
bool eks_access_is_no_cluster(const struct aws_reply *reply) MUST_USE;
/* "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" in the cluster's partition
 * (free()). */
char *eks_admin_policy(const char *cluster_arn) MUST_USE;

/* --- the call -------------------------------------------------------------------------------- */

struct eks_access_call;
/* `entry` is NULL unless an answer has one. Borrowed. */
typedef void eks_access_fn(
    void *arg, const struct aws_reply *reply, const struct eks_access_entry *entry);

/* fn is called once, never before this returned. */
struct eks_access_call *eks_access_start(struct aws_context *aws, struct aws_provider *provider,
    const struct eks_access_request *request, eks_access_fn *fn, void *arg) MUST_USE;
void eks_access_cancel(struct eks_access_call **call);

#endif
