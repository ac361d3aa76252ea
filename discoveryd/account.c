/* Accounts: providers by matcher, and the meaning of "*". Owned and driven by discovery.c. */
#include "discoveryd/account.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_credentials.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/region_finder.h"

#define SESSION_NAME "eksgate-discovery"

/* External ids are not secrets in the strict sense, but nothing that should be shown either. */
static char *hash_external_id(const char *external_id)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)external_id, strlen(external_id), hash);
	return xasprintf("%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

char *account_id_of(const char *role_arn, const char *external_id)
{
	if (role_arn == NULL)
		return xstrdup("own");
	if (external_id == NULL)
		return xstrdup(role_arn);
	char *hash = hash_external_id(external_id);
	char *id = xasprintf("%s#%s", role_arn, hash);
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

const char *account_home_region(const char *configured, const struct aws_matcher *matcher)
{
	if (configured != NULL)
		return configured;
	return matcher != NULL && matcher->region_count > 0 && strcmp(matcher->regions[0], "*") != 0
		   ? matcher->regions[0]
		   : "us-east-1";
}

static void set_place(
    struct account *account, const char *home_region, const struct aws_matcher *matcher)
{
	const char *region = account_home_region(home_region, matcher);
	if (account->role_arn != NULL) {
		char *id = arn_part(account->role_arn, 1);
		account->partition = aws_partition_by_id(id);
		account->account_id = arn_part(account->role_arn, 4);
		free(id);
	}
	if (account->partition == NULL)
		account->partition = aws_partition_of_region(region);
	bool is_there = aws_partition_of_region(region) == account->partition;
	account->region = xstrdup(is_there ? region : account->partition->global_region);
}

struct account *account_new(struct aws_context *aws, struct aws_provider *base,
    const char *home_region, const struct aws_matcher *matcher, const char *role_arn)
{
	struct account *account = xcalloc(1, sizeof *account);
	TAILQ_INIT(&account->scopes);
	account->id = account_id_of(role_arn, matcher->external_id);
	account->role_arn = xstrdup_or_null(role_arn);
	set_place(account, home_region, matcher);
	if (role_arn == NULL)
		account->provider = aws_provider_ref(base);
	else
		account->provider = aws_provider_assume_role(
		    aws, base, role_arn, matcher->external_id, SESSION_NAME, account->region);
	return account;
}

void account_add_matcher(struct account *account, const struct aws_matcher *matcher)
{
	for (size_t i = 0; i < account->matcher_count; i++) {
		if (account->matchers[i] == matcher)
			return;
	}
	account->matchers = xreallocarray(
	    account->matchers, account->matcher_count + 1, sizeof(struct aws_matcher *));
	account->matchers[account->matcher_count++] = matcher;
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
	region_finder_cancel(&(*account)->finder);
	timer_free(&(*account)->timer);
	aws_provider_unref(&(*account)->provider);
	aws_error_free(&(*account)->error);
	free_regions(*account);
	free((*account)->id);
	free((*account)->region);
	free((*account)->matchers);
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

static bool has_regions(const struct account *account, const char *const *regions, size_t count)
{
	if (account->region_count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(account->regions[i], regions[i]) != 0)
			return false;
	}
	return true;
}

bool account_keep_regions(struct account *account, const struct region_answer *answer)
{
	account->has_outcome = true;
	if (answer->source != REGION_SOURCE_NONE) {
		bool is_same = has_regions(account, answer->regions, answer->count);
		aws_error_free(&account->error);
		account->failures = 0;
		account->source = answer->source == REGION_SOURCE_ACCOUNT
				      ? ACCOUNT_REGIONS_LISTED
				      : ACCOUNT_REGIONS_DESCRIBED;
		if (!is_same)
			set_regions(account, answer->regions, answer->count);
		return !is_same;
	}
	account->failures++;
	aws_error_copy(&account->error, answer->error);
	/* Without credentials every region would fail for the same reason: one error is enough. */
	if (account->source != ACCOUNT_REGIONS_UNKNOWN || answer->error->outcome == AWS_CREDENTIALS)
		return false;
	account->source = ACCOUNT_REGIONS_FALLBACK;
	set_regions(
	    account, account->partition->eks_regions, count_list(account->partition->eks_regions));
	return true;
}

bool account_has_region(const struct account *account, const char *region)
{
	for (size_t i = 0; i < account->region_count; i++) {
		if (strcmp(account->regions[i], region) == 0)
			return true;
	}
	return false;
}
