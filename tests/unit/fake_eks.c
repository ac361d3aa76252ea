/* The scripted AWS of fake_eks.h. */
#include "tests/unit/fake_eks.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_credentials.h"
#include "common/xmem.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/aws_ec2.h"
#include "tests/unit/discovery_fixture.h"

struct fake_eks fake_eks;

/* Any call under way; the kinds share one shape so that one queue serves them. */
struct eks_call {
	struct deferred answer;
	char *text; /* name or token */
	const char *region;
	eks_list_fn *on_list;
	eks_describe_fn *on_describe;
	account_regions_fn *on_regions;
	ec2_regions_fn *on_ec2_regions;
	tagging_page_fn *on_tags;
	void *arg;
};

struct account_call {
	struct eks_call call;
};
struct tagging_call {
	struct eks_call call;
};
struct ec2_call {
	struct eks_call call;
};

static struct aws_reply reply_of(enum aws_outcome outcome)
{
	return (struct aws_reply){.outcome = outcome,
	    .status = outcome == AWS_OK ? 200 : 400,
	    .code = outcome == AWS_OK ? NULL : "SomeException",
	    .message = outcome == AWS_OK ? NULL : "scripted",
	    .body = "",
	    .throttles = fake_eks.throttles};
}

static size_t count(const char *const *list)
{
	size_t n = 0;
	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static void answer_list(const struct eks_call *call)
{
	struct aws_reply reply = reply_of(fake_eks.list_outcome);
	if (reply.outcome != AWS_OK) {
		call->on_list(call->arg, &reply, NULL);
		return;
	}
	size_t at = call->text != NULL && !fake_eks.is_endless ? strtoul(call->text, NULL, 10) : 0;
	const struct fake_page *page = &fake_eks.pages[at];
	bool is_here = page->region == NULL || strcmp(page->region, call->region) == 0;
	size_t names = is_here ? count(page->names) : 0;
	char *endless = fake_eks.is_endless ? xasprintf("%u", fake_eks.lists) : NULL;
	struct eks_cluster_page answer = {.names = xcalloc(names + 1, sizeof(char *)),
	    .count = names,
	    .next_token = endless != NULL ? xstrdup(endless) : xstrdup_or_null(page->next_token)};
	for (size_t i = 0; i < names; i++)
		answer.names[i] = xstrdup(page->names[i]);
	call->on_list(call->arg, &reply, &answer);
	for (size_t i = 0; i < names; i++)
		free(answer.names[i]);
	free(answer.names);
	free(answer.next_token);
	free(endless);
}

static void answer_describe(const struct eks_call *call)
{
	struct eks_cluster *cluster = NULL;
	enum aws_outcome outcome = AWS_OK;
	if (fake_eks.describe != NULL)
		outcome = fake_eks.describe(call->text, &cluster);
	else
		cluster = fixture_eks(call->text, "env=prod");
	struct aws_reply reply = reply_of(outcome);
	fake_eks.under_way--;
	call->on_describe(call->arg, &reply, cluster);
	fixture_eks_free(&cluster);
}

static void take_tagged(struct tagging_page *page, const struct fake_tags *from)
{
	struct eks_cluster *cluster = fixture_eks(from->name, from->tags);
	struct tagged_cluster *to = &page->clusters[page->count++];
	to->arn = xstrdup(cluster->arn);
	to->name = xstrdup(from->name);
	labels_copy(&to->tags, &cluster->tags);
	fixture_eks_free(&cluster);
}

static void answer_tags(const struct eks_call *call)
{
	static const struct fake_tags nothing[] = {{0}};
	static const struct fake_tag_page none = {.clusters = nothing};
	struct aws_reply reply = reply_of(fake_eks.tags_outcome);
	if (reply.outcome != AWS_OK) {
		call->on_tags(call->arg, &reply, NULL);
		return;
	}
	size_t at = call->text != NULL ? strtoul(call->text, NULL, 10) : 0;
	const struct fake_tag_page *from =
	    fake_eks.tag_pages != NULL ? &fake_eks.tag_pages[at] : &none;
	struct tagging_page page = {.clusters = xcalloc(100, sizeof *page.clusters),
	    .next_token = xstrdup_or_null(from->next_token)};
	for (const struct fake_tags *tags = from->clusters; tags->name != NULL; tags++)
		take_tagged(&page, tags);
	call->on_tags(call->arg, &reply, &page);
	for (size_t i = 0; i < page.count; i++)
		tagged_cluster_free(&page.clusters[i]);
	free(page.clusters);
	free(page.next_token);
}

static void answer_ec2(const struct eks_call *call)
{
	struct aws_reply reply = reply_of(fake_eks.ec2_outcome);
	struct ec2_regions regions = {.count = count(fake_eks.ec2_regions)};
	char *names[8];
	for (size_t i = 0; i < regions.count; i++)
		names[i] = xstrdup(fake_eks.ec2_regions[i]);
	regions.names = names;
	call->on_ec2_regions(call->arg, &reply, reply.outcome == AWS_OK ? &regions : NULL);
	for (size_t i = 0; i < regions.count; i++)
		free(names[i]);
}

static void on_answer(void *arg)
{
	struct eks_call *call = arg;
	struct aws_reply reply = reply_of(fake_eks.regions_outcome);
	if (call->on_list != NULL)
		answer_list(call);
	else if (call->on_tags != NULL)
		answer_tags(call);
	else if (call->on_describe != NULL)
		answer_describe(call);
	else if (call->on_ec2_regions != NULL)
		answer_ec2(call);
	else
		call->on_regions(call->arg, &reply,
		    reply.outcome == AWS_OK ? fake_eks.regions : NULL,
		    reply.outcome == AWS_OK ? count(fake_eks.regions) : 0);
	free(call->text);
	free(call);
}

static struct eks_call *start(const char *text, const char *region, void *arg)
{
	struct account_call *call = xcalloc(1, sizeof *call);
	call->call.answer = (struct deferred){.fn = on_answer, .arg = call};
	call->call.text = xstrdup_or_null(text);
	call->call.region = region;
	call->call.arg = arg;
	loop_defer(fake_eks.loop, &call->call.answer);
	return &call->call;
}

/* --- in place of aws_eks.o ------------------------------------------------------------------- */

struct eks_call *eks_list_clusters(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, eks_list_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	struct eks_call *call = start(next_token, region, arg);
	call->on_list = fn;
	fake_eks.lists++;
	return call;
}

struct eks_call *eks_describe_cluster(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *name, eks_describe_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	struct eks_call *call = start(name, region, arg);
	call->on_describe = fn;
	fake_eks.describes++;
	fake_eks.under_way++;
	if (fake_eks.under_way > fake_eks.most_under_way)
		fake_eks.most_under_way = fake_eks.under_way;
	return call;
}

void eks_call_cancel(struct eks_call **call)
{
	if (*call == NULL)
		return;
	loop_undefer(fake_eks.loop, &(*call)->answer);
	fake_eks.cancelled++;
	free((*call)->text);
	xfree(call);
}

void eks_cluster_free(struct eks_cluster **cluster)
{
	if (*cluster == NULL)
		return;
	free((*cluster)->cluster_id);
	free((*cluster)->version);
	fixture_eks_free(cluster);
}

/* --- in place of aws_tagging.o ---------------------------------------------------------------- */

struct tagging_call *tagging_get_page(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, tagging_page_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	struct eks_call *call = start(next_token, region, arg);
	call->on_tags = fn;
	fake_eks.tag_calls++;
	return (struct tagging_call *)call;
}

void tagging_call_cancel(struct tagging_call **call)
{
	struct eks_call *inner = (struct eks_call *)*call;
	eks_call_cancel(&inner);
	*call = NULL;
}

void tagged_cluster_free(struct tagged_cluster *cluster)
{
	free(cluster->arn);
	free(cluster->name);
	labels_free(&cluster->tags);
}

/* --- in place of aws_account.o --------------------------------------------------------------- */

struct account_call *account_list_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *partition, account_regions_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	struct eks_call *call = start(NULL, partition, arg);
	call->on_regions = fn;
	fake_eks.region_calls++;
	return (struct account_call *)call;
}

void account_call_cancel(struct account_call **call)
{
	struct eks_call *inner = (struct eks_call *)*call;
	eks_call_cancel(&inner);
	*call = NULL;
}

/* --- in place of aws_ec2.o ------------------------------------------------------------------- */

struct ec2_call *ec2_describe_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *region, ec2_regions_fn *fn, void *arg)
{
	(void)aws;
	(void)provider;
	struct eks_call *call = start(NULL, region, arg);
	call->on_ec2_regions = fn;
	fake_eks.ec2_calls++;
	return (struct ec2_call *)call;
}

void ec2_call_cancel(struct ec2_call **call)
{
	struct eks_call *inner = (struct eks_call *)*call;
	eks_call_cancel(&inner);
	*call = NULL;
}

/* --- in place of the providers --------------------------------------------------------------- */

struct aws_provider {
	unsigned refs;
};

struct aws_provider *fake_provider(void)
{
	struct aws_provider *provider = xcalloc(1, sizeof *provider);
	provider->refs = 1;
	return provider;
}

struct aws_provider *aws_provider_ref(struct aws_provider *provider)
{
	provider->refs++;
	return provider;
}

void aws_provider_unref(struct aws_provider **provider)
{
	if (*provider != NULL && --(*provider)->refs == 0)
		free(*provider);
	*provider = NULL;
}

struct aws_provider *aws_provider_assume_role(struct aws_context *aws, struct aws_provider *base,
    const char *role_arn, const char *external_id, const char *session_name, const char *region)
{
	(void)aws;
	(void)base;
	(void)role_arn;
	(void)external_id;
	(void)session_name;
	(void)region;
	return fake_provider();
}

const char *aws_provider_text(const struct aws_provider *provider)
{
	(void)provider;
	return "fake credentials";
}
