/* AWS partitions, regions and hosts (botocore's partitions.json and endpoint rules). Pure; what the
 * environment and profiles say about endpoints is in aws_endpoint_config.h. */
#ifndef EKSGATE_AWS_ENDPOINT_H
#define EKSGATE_AWS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* In the ARN of a role: stands for the account. */
#define AWS_ACCOUNT_VARIABLE "{account}"

struct aws_partition {
	const char *id; /* "aws", "aws-cn", … */
	const char *dns_suffix; /* "amazonaws.com" */
	const char *dual_stack_suffix; /* "api.aws" */
	const char *global_region; /* "us-east-1" */
	const char *const *eks_regions; /* NULL-terminated */
};

/* By region name; one that fits no partition's pattern belongs to "aws". */
const struct aws_partition *aws_partition_of_region(const char *region);
/* By id; NULL when unknown. */
const struct aws_partition *aws_partition_by_id(const char *id);
/* Whether a region of that name can be in the partition (by id); unlike above, nothing is taken for
 * "aws" for want of another. */
bool aws_region_is_in(const char *region, const char *partition) MUST_USE;
/* Region syntax, in any partition ("us-gov-west-1"). */
bool aws_region_is_valid(const char *region) MUST_USE;
/* Whether the name is one that some partition gives to its regions. */
bool aws_region_is_known(const char *region) MUST_USE;
/* "arn:aws:iam::123456789012:role/path/name". */
bool aws_role_arn_is_valid(const char *arn) MUST_USE;
/* The same, or with AWS_ACCOUNT_VARIABLE in place of the account. */
bool aws_role_template_is_valid(const char *arn) MUST_USE;
/* The role with the account in place of AWS_ACCOUNT_VARIABLE, or as it is (free()). */
char *aws_role_in_account(const char *role, const char *account_id) MUST_USE;

/* Which of a service's hosts. */
struct aws_endpoint_variant {
	bool is_fips;
	bool is_dual_stack;
};
/* The host of `service` ("eks", "sts", "account", "portal.sso") in `region` (free()). */
char *aws_endpoint_host(
    const char *service, const char *region, struct aws_endpoint_variant variant) MUST_USE;
/* The regional STS host that an EKS token names, never overridden by AWS_ENDPOINT_URL (free()). */
char *aws_sts_token_host(const char *region) MUST_USE;
/* Whether `host` is one that EKS gives to clusters of `region`: "….REGION.eks.amazonaws.com",
 * "….REGION.api.aws", and the other partitions' forms (reference: EKS cluster object). */
bool aws_eks_host_is_of_region(
    const char *host, const char *partition, const char *region) MUST_USE;

#endif
