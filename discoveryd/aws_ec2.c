/* DescribeRegions (EC2's query protocol): a form goes, XML comes. Without AllRegions it tells only
 * the regions that the account may use. Called by region_finder. */
#include "discoveryd/aws_ec2.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/aws_sts.h"
#include "common/aws_xml.h"
#include "common/xmem.h"
#include "discoveryd/aws_question.h"

#define BODY	    "Action=DescribeRegions&Version=2016-11-15"
#define ROOT	    "<DescribeRegionsResponse"
#define REGIONS_MAX 500

struct ec2_call {
	struct aws_question question;
	ec2_regions_fn *fn;
	void *arg;
};

/* --- parsing ---------------------------------------------------------------------------------- */

void ec2_regions_free(struct ec2_regions *regions)
{
	for (size_t i = 0; i < regions->count; i++)
		xfree(&regions->names[i]);
	xfree(&regions->names);
	regions->count = 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NULL, or what is wrong with the name, which becomes the list's or is freed. */
static const char *take_name(struct ec2_regions *regions, char *name)
{
	if (!aws_region_is_valid(name) || regions->count == REGIONS_MAX) {
		free(name);
		return regions->count == REGIONS_MAX ? "there are more regions than there can be"
						     : "a regionName is not the name of a region";
	}
	regions->names = xreallocarray(regions->names, regions->count + 1, sizeof *regions->names);
	regions->names[regions->count++] = name;
	return NULL;
}

/* NULL, or what is wrong. */
static const char *read_regions(const char *body, size_t len, struct ec2_regions *regions)
{
	static const char end[] = "</DescribeRegionsResponse>";
	const char *root = memmem(body, len, ROOT, strlen(ROOT));
	if (root == NULL || memmem(body, len, end, strlen(end)) == NULL)
		return "it is no whole DescribeRegionsResponse";
	size_t left = len - (size_t)(root - body);
	for (char *name; (name = aws_xml_next_text(&root, &left, "regionName")) != NULL;) {
		const char *why = take_name(regions, name);
		if (why != NULL)
			return why;
	}
	return regions->count > 0 ? NULL : "it names no region";
}

bool ec2_parse_regions(const char *body, size_t len, struct ec2_regions *regions, char **error)
{
	*regions = (struct ec2_regions){0};
	const char *why = read_regions(body, len, regions);
	if (why != NULL) {
		*error = xasprintf("the answer to " EC2_DESCRIBE_REGIONS ": %s", why);
		ec2_regions_free(regions);
		return false;
	}
	qsort(regions->names, regions->count, sizeof *regions->names, compare_names);
	return true;
}

/* --- the call --------------------------------------------------------------------------------- */

static void on_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct ec2_call *call = (const struct ec2_call *)question;
	struct ec2_regions regions;
	char *error = NULL;
	if (reply->outcome != AWS_OK) {
		call->fn(call->arg, reply, NULL);
		return;
	}
	if (ec2_parse_regions(reply->body, reply->body_len, &regions, &error)) {
		call->fn(call->arg, reply, &regions);
		ec2_regions_free(&regions);
		return;
	}
	struct aws_reply bad = aws_reply_malformed(reply, error);
	call->fn(call->arg, &bad, NULL);
	free(error);
}

struct ec2_call *ec2_describe_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *region, ec2_regions_fn *fn, void *arg)
{
	struct ec2_call *call = xcalloc(1, sizeof *call);
	*call = (struct ec2_call){.question.on_answer = on_answer, .fn = fn, .arg = arg};
	const struct aws_request request = {.service = "ec2",
	    .region = region,
	    .operation = EC2_DESCRIBE_REGIONS,
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = BODY,
	    .body_len = strlen(BODY)};
	aws_question_ask(&call->question, aws, provider, &request);
	return call;
}

void ec2_call_cancel(struct ec2_call **call)
{
	aws_question_cancel((struct aws_question *)*call);
	*call = NULL;
}
