/* The two ways, one after the other. Without credentials the second would fail like the first, and
 * its error would hide it. Owned by the account that it looks for. */
#include "discoveryd/region_finder.h"

#include <stdlib.h>

#include "common/xmem.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/aws_ec2.h"
#include "discoveryd/discovery_metrics.h"

#define LIST_REGIONS "account:ListRegions"

struct region_finder {
	struct region_finder_options options;
	region_finder_fn *fn;
	void *arg;
	struct account_call *account;
	struct ec2_call *ec2;
	struct aws_error error; /* of ListRegions */
};

static void finish(struct region_finder *finder, enum region_source source,
    const char *const *regions, size_t count)
{
	const struct region_answer answer = {
	    .source = source, .regions = regions, .count = count, .error = &finder->error};
	finder->fn(finder->arg, &answer);
	aws_error_free(&finder->error);
	free(finder);
}

static void on_described(
    void *arg, const struct aws_reply *reply, const struct ec2_regions *regions)
{
	struct region_finder *finder = arg;
	finder->ec2 = NULL;
	discovery_metrics_call(
	    finder->options.metrics, EC2_DESCRIBE_REGIONS, finder->options.region, reply);
	if (regions == NULL)
		finish(finder, REGION_SOURCE_NONE, NULL, 0);
	else
		finish(
		    finder, REGION_SOURCE_EC2, (const char *const *)regions->names, regions->count);
}

static void on_listed(
    void *arg, const struct aws_reply *reply, const char *const *regions, size_t count)
{
	struct region_finder *finder = arg;
	const struct region_finder_options *options = &finder->options;
	finder->account = NULL;
	discovery_metrics_call(
	    options->metrics, LIST_REGIONS, options->partition->global_region, reply);
	if (reply->outcome == AWS_OK) {
		finish(finder, REGION_SOURCE_ACCOUNT, regions, count);
		return;
	}
	aws_error_set(&finder->error, LIST_REGIONS, reply);
	if (reply->outcome == AWS_CREDENTIALS)
		finish(finder, REGION_SOURCE_NONE, NULL, 0);
	else
		finder->ec2 = ec2_describe_regions(
		    options->aws, options->provider, options->region, on_described, finder);
}

struct region_finder *region_finder_start(
    const struct region_finder_options *options, region_finder_fn *fn, void *arg)
{
	struct region_finder *finder = xcalloc(1, sizeof *finder);
	finder->options = *options;
	finder->fn = fn;
	finder->arg = arg;
	finder->account = account_list_regions(
	    options->aws, options->provider, options->partition->id, on_listed, finder);
	return finder;
}

void region_finder_cancel(struct region_finder **handle)
{
	struct region_finder *finder = *handle;
	*handle = NULL;
	if (finder == NULL)
		return;
	account_call_cancel(&finder->account);
	ec2_call_cancel(&finder->ec2);
	aws_error_free(&finder->error);
	free(finder);
}
