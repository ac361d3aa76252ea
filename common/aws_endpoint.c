/* AWS's partitions, the regions in them that have EKS, and the hosts that follow from both. The
 * table is ours; its facts are those of AWS's partition and endpoint data. Called by aws_call
 * (where to send), by the token minter (which STS host a token names) and by whoever checks that an
 * endpoint belongs to the cluster it claims. */
#include "common/aws_endpoint.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"

#define REGION_MAX   31
#define ROLE_ARN_MAX 2048
#define ROLE_MAX     64
#define LIST(...)    ((const char *const[]){__VA_ARGS__, NULL})

/* A partition and what the names of its regions start with, space-separated. */
struct partition_row {
	struct aws_partition partition;
	const char *region_prefixes;
};

static const struct partition_row rows[] = {
    {{"aws", "amazonaws.com", "api.aws", "us-east-1",
	 LIST("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2",
	     "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
	     "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
	     "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2",
	     "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
	     "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1",
	     "us-east-2", "us-west-1", "us-west-2")},
	"us- eu- ap- sa- ca- me- af- il- mx-"},
    {{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1",
	 LIST("cn-north-1", "cn-northwest-1")},
	"cn-"},
    {{"aws-us-gov", "amazonaws.com", "api.aws", "us-gov-west-1",
	 LIST("us-gov-east-1", "us-gov-west-1")},
	"us-gov-"},
    {{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1",
	 LIST("us-iso-east-1", "us-iso-west-1")},
	"us-iso-"},
    {{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1",
	 LIST("us-isob-east-1", "us-isob-west-1")},
	"us-isob-"},
    {{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1",
	 LIST("eu-isoe-west-1")},
	"eu-isoe-"},
    {{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1",
	 LIST("us-isof-east-1", "us-isof-south-1")},
	"us-isof-"},
    {{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1",
	 LIST("eusc-de-east-1")},
	"eusc-de-"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

/* WORD-DIGITS, what follows a partition's prefix in the name of a region. */
static bool is_region_rest(const char *text)
{
	size_t word = 0;
	while (isalnum((unsigned char)text[word]) || text[word] == '_')
		word++;
	if (word == 0 || text[word] != '-')
		return false;
	const char *number = text + word + 1;
	size_t digits = strspn(number, "0123456789");
	return digits > 0 && number[digits] == '\0';
}

static bool has_region(const struct partition_row *row, const char *region)
{
	for (const char *p = row->region_prefixes; *p != '\0';) {
		size_t len = strcspn(p, " ");
		if (strncmp(region, p, len) == 0 && is_region_rest(region + len))
			return true;
		p += len + (p[len] == ' ');
	}
	return false;
}

const struct aws_partition *aws_partition_of_region(const char *region)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (has_region(&rows[i], region))
			return &rows[i].partition;
	}
	return &rows[0].partition;
}

bool aws_region_is_known(const char *region)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (has_region(&rows[i], region))
			return true;
	}
	return false;
}

bool aws_region_is_in(const char *region, const char *partition)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (has_region(&rows[i], region))
			return aws_region_is_valid(region) &&
			       strcmp(rows[i].partition.id, partition) == 0;
	}
	return false;
}

const struct aws_partition *aws_partition_by_id(const char *id)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (strcmp(rows[i].partition.id, id) == 0)
			return &rows[i].partition;
	}
	return NULL;
}

/* At least two words of lower-case letters and a number, joined by '-'. */
bool aws_region_is_valid(const char *region)
{
	size_t words = 0;
	if (strlen(region) > REGION_MAX)
		return false;
	const char *p = region;
	for (size_t len; (len = strspn(p, "abcdefghijklmnopqrstuvwxyz")) > 0; words++) {
		if (p[len] != '-')
			return false;
		p += len + 1;
	}
	size_t digits = strspn(p, "0123456789");
	return words >= 2 && digits > 0 && digits <= 3 && p[digits] == '\0';
}

static bool is_account_id(const char *text, size_t len)
{
	return len == 12 && strspn(text, "0123456789") >= len;
}

/* [\w+=,.@/-], the path included: "team/ops/reader". */
static bool is_role_name(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("_+=,.@-/", *p) == NULL)
			return false;
	}
	if (*text == '/' || strstr(text, "//") != NULL)
		return false;
	const char *slash = strrchr(text, '/');
	size_t len = strlen(slash != NULL ? slash + 1 : text);
	return len > 0 && len <= ROLE_MAX;
}

bool aws_role_arn_is_valid(const char *arn)
{
	char partition[16];
	if (strlen(arn) > ROLE_ARN_MAX || strncmp(arn, "arn:", 4) != 0)
		return false;
	size_t len = strcspn(arn + 4, ":");
	if (len >= sizeof partition)
		return false;
	memcpy(partition, arn + 4, len);
	partition[len] = '\0';
	const char *rest = arn + 4 + len;
	if (aws_partition_by_id(partition) == NULL || strncmp(rest, ":iam::", 6) != 0)
		return false;
	rest += 6;
	len = strcspn(rest, ":");
	if (!is_account_id(rest, len) || strncmp(rest + len, ":role/", 6) != 0)
		return false;
	return is_role_name(rest + len + 6);
}

bool aws_role_template_is_valid(const char *arn)
{
	if (strstr(arn, AWS_ACCOUNT_VARIABLE) == NULL)
		return aws_role_arn_is_valid(arn);
	char *role = aws_role_in_account(arn, "000000000000");
	/* The variable must have been the account: a role's name has no braces. */
	bool is_valid =
	    aws_role_arn_is_valid(role) && strstr(arn, ":" AWS_ACCOUNT_VARIABLE ":") != NULL;
	xfree(&role);
	return is_valid;
}

char *aws_role_in_account(const char *role, const char *account_id)
{
	const char *at = strstr(role, AWS_ACCOUNT_VARIABLE);
	if (at == NULL)
		return xstrdup(role);
	return xasprintf(
	    "%.*s%s%s", (int)(at - role), role, account_id, at + strlen(AWS_ACCOUNT_VARIABLE));
}

/* --- hosts ----------------------------------------------------------------------------------- */

/* In GovCloud the plain hosts of these are the FIPS hosts. */
static bool is_fips_already(const struct aws_partition *partition, const char *service)
{
	return strcmp(partition->id, "aws-us-gov") == 0 &&
	       (strcmp(service, "eks") == 0 || strcmp(service, "sts") == 0 ||
		   strcmp(service, "ec2") == 0);
}

/* Account Management and Organizations have one endpoint in a partition. */
static bool is_global(const char *service)
{
	return strcmp(service, "account") == 0 || strcmp(service, "organizations") == 0;
}

char *aws_endpoint_host(
    const char *service, const char *region, struct aws_endpoint_variant variant)
{
	const struct aws_partition *partition = aws_partition_of_region(region);
	const char *place = is_global(service) ? partition->global_region : region;
	const char *suffix =
	    variant.is_dual_stack ? partition->dual_stack_suffix : partition->dns_suffix;
	bool is_plain =
	    !variant.is_fips || (!variant.is_dual_stack && is_fips_already(partition, service));
	if (is_plain)
		return xasprintf("%s.%s.%s", service, place, suffix);
	bool is_first = !variant.is_dual_stack && strcmp(service, "eks") == 0 &&
			strcmp(partition->id, "aws") == 0;
	if (is_first)
		return xasprintf("fips.%s.%s.%s", service, place, suffix);
	return xasprintf("%s-fips.%s.%s", service, place, suffix);
}

char *aws_sts_token_host(const char *region)
{
	return xasprintf("sts.%s.%s", region, aws_partition_of_region(region)->dns_suffix);
}

/* Letters, digits, '-' and '.', no empty label: "0123.gr7". */
static bool is_host_part(const char *text, size_t len)
{
	bool is_label = false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && !is_label)
			return false;
		if (text[i] != '.' && text[i] != '-' && !isalnum((unsigned char)text[i]))
			return false;
		is_label = text[i] != '.';
	}
	return is_label;
}

static bool ends_with_labels(const char *host, const char *suffix)
{
	size_t host_len = strlen(host), suffix_len = strlen(suffix);
	if (host_len <= suffix_len || strcasecmp(host + host_len - suffix_len, suffix) != 0)
		return false;
	return is_host_part(host, host_len - suffix_len);
}

bool aws_eks_host_is_of_region(const char *host, const char *partition, const char *region)
{
	const struct aws_partition *known = aws_partition_by_id(partition);
	if (known == NULL || !aws_region_is_valid(region) ||
	    aws_partition_of_region(region) != known)
		return false;
	char *single = xasprintf(".%s.eks.%s", region, known->dns_suffix);
	char *dual = xasprintf(".%s.%s", region, known->dual_stack_suffix);
	bool is_of_region = ends_with_labels(host, single) || ends_with_labels(host, dual);
	xfree(&single);
	xfree(&dual);
	return is_of_region;
}
