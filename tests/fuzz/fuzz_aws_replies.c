/* Answers of AWS: the first byte of the input chooses who reads the rest: ListClusters,
 * DescribeCluster, ListRegions, AssumeRole, GetCallerIdentity, error documents, GetResources,
 * DescribeRegions, Organizations, access entries. Each must say yes with whole results or no with
 * an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/aws_error.h"
#include "common/aws_sts.h"
#include "common/xmem.h"
#include "discoveryd/aws_access.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/aws_ec2.h"
#include "discoveryd/aws_eks.h"
#include "discoveryd/aws_organizations.h"
#include "discoveryd/aws_tagging.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef void read_fn(const char *body, size_t len, char **error);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void read_list(const char *body, size_t len, char **error)
{
	struct eks_cluster_page page;
	bool is_read = eks_parse_list(body, len, &page, error);
	expect(is_read == (*error == NULL));
	for (size_t i = 0; i < page.count; i++)
		expect(strlen(page.names[i]) <= 100 && strchr(page.names[i], '/') == NULL);
	eks_cluster_page_free(&page);
}

static void read_describe(const char *body, size_t len, char **error)
{
	struct eks_cluster *cluster = eks_parse_describe(body, len, error);
	expect((cluster != NULL) == (*error == NULL));
	if (cluster != NULL)
		expect(cluster->arn != NULL && cluster->status != NULL &&
		       cluster->authentication_mode != NULL);
	eks_cluster_free(&cluster);
}

static void read_regions(const char *body, size_t len, char **error)
{
	struct account_region_page page;
	expect(account_parse_regions(body, len, &page, error) == (*error == NULL));
	for (size_t i = 0; i < page.count; i++)
		expect(aws_region_is_valid(page.regions[i]));
	account_region_page_free(&page);
}

static void read_role(const char *body, size_t len, char **error)
{
	struct aws_credentials *credentials = sts_parse_assume_role(body, len, error);
	expect((credentials != NULL) == (*error == NULL));
	if (credentials != NULL)
		expect(credentials->session_token != NULL && credentials->access_key_id[0] != '\0');
	aws_credentials_free(&credentials);
}

static void read_identity(const char *body, size_t len, char **error)
{
	struct sts_identity identity;
	expect(sts_parse_identity(body, len, &identity, error) == (*error == NULL));
	sts_identity_free(&identity);
}

static void read_fault(const char *body, size_t len, char **error)
{
	struct aws_fault fault = {0}, typed = {0};
	(void)error;
	aws_fault_parse(NULL, body, len, &fault);
	aws_fault_parse(body, body, len, &typed);
	expect(aws_fault_outcome(403, fault.code) != AWS_OK);
	aws_fault_free(&fault);
	aws_fault_free(&typed);
}

static void read_tags(const char *body, size_t len, char **error)
{
	struct tagging_page page;
	expect(tagging_parse_page(body, len, &page, error) == (*error == NULL));
	for (size_t i = 0; i < page.count; i++)
		expect(strlen(page.clusters[i].name) > 0);
	tagging_page_free(&page);
}

static void read_ec2(const char *body, size_t len, char **error)
{
	struct ec2_regions regions;
	bool is_read = ec2_parse_regions(body, len, &regions, error);
	expect(is_read == (*error == NULL) && is_read == (regions.count > 0));
	for (size_t i = 0; i < regions.count; i++)
		expect(aws_region_is_valid(regions.names[i]));
	ec2_regions_free(&regions);
}

static void read_organization(const char *body, size_t len, char **error)
{
	static const enum organizations_operation operations[] = {
	    ORGANIZATIONS_LIST_ACCOUNTS, ORGANIZATIONS_LIST_ROOTS, ORGANIZATIONS_LIST_UNITS};
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		struct organizations_page page;
		xfree(error);
		bool is_read = organizations_parse_page(
		    operations[i], "o-abcdefghij", body, len, &page, error);
		expect(is_read == (*error == NULL));
		for (size_t k = 0; k < page.count; k++)
			expect(strlen(page.ids[k]) > 2 && strchr(page.ids[k], '/') == NULL);
		organizations_page_free(&page);
	}
}

static void read_entry(const char *body, size_t len, char **error)
{
	struct eks_access_entry *entry = eks_access_parse(EKS_DESCRIBE_ENTRY, body, len, error);
	expect((entry != NULL) == (*error == NULL));
	if (entry != NULL)
		expect(
		    entry->principal != NULL && entry->type != NULL && entry->group_count <= 100);
	eks_access_entry_free(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* '2' to '9', '0' and '1' in the corpus. */
	static read_fn *const readers[] = {read_describe, read_regions, read_role, read_identity,
	    read_fault, read_ec2, read_organization, read_entry, read_tags, read_list};
	if (len == 0)
		return 0;
	char *body = xstrndup((const char *)data + 1, len - 1);
	char *error = NULL;
	readers[data[0] % (sizeof readers / sizeof readers[0])](body, len - 1, &error);
	xfree(&error);
	xfree(&body);
	return 0;
}
