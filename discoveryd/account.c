/* Accounts: providers by matcher, and the meaning of "*". Owned and driven by discovery.c. */
#include "discoveryd/account.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_credentials.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/aws_account.h"

#define SESSION_NAME "eksgate-discovery"

/* External ids are not secrets in the strict sense, but nothing that should be shown either. */
static char *hash_external_id(const char *external_id)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)external_id, strlen(external_id), hash);
	return xasprintf("%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

char *account_id_of(const struct aws_matcher *matcher)
{
	if (matcher->assume_role_arn == NULL)
		return xstrdup("own");
	if (matcher->external_id == NULL)
		return xstrdup(matcher->assume_role_arn);
	char *hash = hash_external_id(matcher->external_id);
	char *id = xasprintf("%s#%s", matcher->assume_role_arn, hash);
	free(hash);
	return id;
}

/* The `index`th part of an ARN (free()). */
static char *arn_part(const char *arn, unsigned index)
{
	for (; index > 0; index--) {
		arn = strchr(arn, ':');
		if (arn == NULL)
			return xstrdup("");
		arn++;
	}
	return xstrndup(arn, strcspn(arn, ":"));
}

static const char *environment_region(void)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *region = getenv(names[i]);
		if (region != NULL && aws_region_is_valid(region))
			return region;
	}
	return NULL;
}

/* A region of the partition in which the identity surely works. */
static const char *home_region(const struct aws_matcher *matcher)
{
	const char *region = environment_region();
	if (region != NULL)
		return region;
	return matcher->region_count > 0 && strcmp(matcher->regions[0], "*") != 0
		   ? matcher->regions[0]
		   : "us-east-1";
}

static void set_partition(struct account *account, const struct aws_matcher *matcher)
{
	if (account->role_arn != NULL) {
		char *id = arn_part(account->role_arn, 1);
		account->partition = aws_partition_by_id(id);
		account->account_id = arn_part(account->role_arn, 4);
		free(id);
	}
	if (account->partition == NULL)
		account->partition = aws_partition_of_region(home_region(matcher));
}

struct account *account_new(
    struct aws_context *aws, struct aws_provider *base, const struct aws_matcher *matcher)
{
	struct account *account = xcalloc(1, sizeof *account);
	account->id = account_id_of(matcher);
	account->role_arn = xstrdup_or_null(matcher->assume_role_arn);
	set_partition(account, matcher);
	if (account->role_arn == NULL) {
		account->provider = aws_provider_ref(base);
		return account;
	}
	const char *region = home_region(matcher);
	if (aws_partition_of_region(region) != account->partition)
		region = account->partition->global_region;
	account->provider = aws_provider_assume_role(
	    aws, base, account->role_arn, matcher->external_id, SESSION_NAME, region);
	return account;
}

static void free_regions(struct account *account)
{
	for (size_t i = 0; i < account->region_count; i++)
		free(account->regions[i]);
	xfree(&account->regions);
	account->region_count = 0;
}

void account_free(struct account **account)
{
	if (*account == NULL)
		return;
	account_call_cancel(&(*account)->call);
	timer_free(&(*account)->timer);
	aws_provider_unref(&(*account)->provider);
	aws_error_free(&(*account)->error);
	free_regions(*account);
	free((*account)->id);
	free((*account)->role_arn);
	free((*account)->account_id);
	xfree(account);
}

static void set_regions(struct account *account, const char *const *regions, size_t count)
{
	free_regions(account);
	account->regions = xcalloc(count + 1, sizeof *account->regions);
	for (size_t i = 0; i < count; i++)
		account->regions[i] = xstrdup(regions[i]);
	account->region_count = count;
}

static size_t count_list(const char *const *list)
{
	size_t count = 0;
	while (list[count] != NULL)
		count++;
	return count;
}

void account_keep_regions(struct account *account, const struct aws_reply *reply,
    const char *const *regions, size_t count)
{
	account->has_outcome = true;
	aws_error_free(&account->error);
	account->error = (struct aws_error){0};
	if (reply->outcome == AWS_OK) {
		account->failures = 0;
		account->source = ACCOUNT_REGIONS_LISTED;
		set_regions(account, regions, count);
		return;
	}
	account->failures++;
	aws_error_set(&account->error, "account:ListRegions", reply);
	/* Without credentials every region would fail for the same reason: one error is enough. */
	if (account->source != ACCOUNT_REGIONS_UNKNOWN || reply->outcome == AWS_CREDENTIALS)
		return;
	account->source = ACCOUNT_REGIONS_FALLBACK;
	set_regions(
	    account, account->partition->eks_regions, count_list(account->partition->eks_regions));
}

bool account_has_region(const struct account *account, const char *region)
{
	for (size_t i = 0; i < account->region_count; i++) {
		if (strcmp(account->regions[i], region) == 0)
			return true;
	}
	return false;
}
