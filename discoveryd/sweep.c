/* The pass of a scope as a small state machine: LISTING and TAGGING -> DESCRIBING -> done. Owns its
 * calls; gives what it saw to its caller (discovery) and is freed at the end of that turn. A
 * listing that does not end, or repeats itself, is an error of the listing, never a shorter
 * listing. */
#include "discoveryd/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/tag_index.h"

/* EKS gives at most 100 names a page and an account at most a few thousand clusters a region. */
#define MAX_PAGES 200
/* So many describes in a row without an answer: the rest of the pass is not tried. */
#define MAX_FAILURES_IN_A_ROW 10
/* Answers without throttling before one more describe runs at a time. */
#define CALM_ANSWERS 8

struct sweep {
	struct loop *loop;
	struct sweep_options options;
	char *region, *account_id, *treatment;
	sweep_fn *fn;
	void *arg;
	struct mono started;
	struct eks_call *listing;
	struct tag_index *tags; /* NULL: nobody needs them, or they are used up */
	bool is_tagged; /* the tags have come or failed */
	unsigned pages;
	char *token; /* that asked for the page under way; NULL for the first */
	char **names;
	size_t name_count;
	struct describe **describes; /* under way */
	size_t describe_count;
	size_t window; /* describes at a time now: halves when AWS throttles, recovers */
	unsigned calm;
	size_t next; /* sighting to describe next */
	unsigned failures_in_a_row;
	struct deferred finish;
	struct sweep_result result;
};

/* One DescribeCluster under way. */
struct describe {
	struct sweep *sweep;
	struct eks_call *call;
	struct sighting *sighting;
	struct mono started;
};

/* --- endings ---------------------------------------------------------------------------------- */

static void free_result(struct sweep_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		free(result->sightings[i].name);
		eks_cluster_free(&result->sightings[i].cluster);
		aws_error_free(&result->sightings[i].error);
	}
	free(result->sightings);
	aws_error_free(&result->error);
	aws_error_free(&result->tags_error);
}

static void free_sweep(void *object)
{
	struct sweep *sweep = object;
	for (size_t i = 0; i < sweep->name_count; i++)
		free(sweep->names[i]);
	free(sweep->names);
	free(sweep->describes);
	tag_index_free(&sweep->tags);
	free(sweep->token);
	free(sweep->region);
	free(sweep->account_id);
	free(sweep->treatment);
	aws_provider_unref(&sweep->options.provider);
	free_result(&sweep->result);
	free(sweep);
}

static void on_finish(void *arg)
{
	struct sweep *sweep = arg;
	sweep->result.took = mono_since(sweep->started);
	sweep->fn(sweep->arg, &sweep->result);
	loop_free_later(sweep->loop, free_sweep, sweep);
}

static void note_error(struct sweep *sweep, const struct aws_error *error)
{
	if (sweep->result.error.outcome == AWS_OK)
		aws_error_copy(&sweep->result.error, error);
}

static void fail_listing(struct sweep *sweep, const struct aws_reply *reply)
{
	tag_index_free(&sweep->tags);
	aws_error_set(&sweep->result.error, "eks:ListClusters", reply);
	loop_defer(sweep->loop, &sweep->finish);
}

static void fail_listing_text(struct sweep *sweep, const char *message)
{
	fail_listing(
	    sweep, &(struct aws_reply){.outcome = AWS_BAD_REPLY, .message = message, .body = ""});
}

/* --- describing ------------------------------------------------------------------------------- */

static struct eks_cluster *copy_cluster(const struct eks_cluster *from)
{
	struct eks_cluster *to = xcalloc(1, sizeof *to);
	*to = *from;
	to->name = xstrdup_or_null(from->name);
	to->arn = xstrdup_or_null(from->arn);
	to->status = xstrdup_or_null(from->status);
	to->endpoint = xstrdup_or_null(from->endpoint);
	to->certificate_authority = xstrdup_or_null(from->certificate_authority);
	to->authentication_mode = xstrdup_or_null(from->authentication_mode);
	to->cluster_id = xstrdup_or_null(from->cluster_id);
	to->version = xstrdup_or_null(from->version);
	to->tags = (struct labels){0};
	labels_copy(&to->tags, &from->tags);
	return to;
}

/* NULL when `cluster` is the one that was asked for, else what is wrong with the answer (free()).
 */
static char *find_mismatch(
    const struct sweep *sweep, const char *name, const struct eks_cluster *cluster)
{
	struct eks_arn parts;
	if (cluster->arn == NULL || !eks_arn_parse(cluster->arn, &parts))
		return xasprintf("cluster \"%s\": the answer has no ARN of an EKS cluster", name);
	if (cluster->name == NULL || strcmp(cluster->name, name) != 0 ||
	    strcmp(parts.name, name) != 0)
		return xasprintf("cluster \"%s\": the answer is about %s", name, cluster->arn);
	if (strcmp(parts.region, sweep->region) != 0)
		return xasprintf(
		    "cluster \"%s\": %s is not in region %s", name, cluster->arn, sweep->region);
	if (sweep->account_id != NULL && strcmp(parts.account_id, sweep->account_id) != 0)
		return xasprintf("cluster \"%s\": %s is not of account %s", name, cluster->arn,
		    sweep->account_id);
	return NULL;
}

static void fail_sighting(
    struct sweep *sweep, struct sighting *sighting, const struct aws_reply *reply)
{
	sighting->kind = SIGHTING_FAILED;
	aws_error_set(&sighting->error, "eks:DescribeCluster", reply);
	sweep->result.failures++;
	sweep->failures_in_a_row++;
	note_error(sweep, &sighting->error);
}

static void keep_answer(struct sweep *sweep, struct sighting *sighting,
    const struct aws_reply *reply, const struct eks_cluster *cluster)
{
	if (reply->outcome == AWS_NOT_FOUND) {
		sighting->kind = SIGHTING_GONE;
		sweep->failures_in_a_row = 0;
		return;
	}
	if (reply->outcome != AWS_OK) {
		fail_sighting(sweep, sighting, reply);
		return;
	}
	char *mismatch = find_mismatch(sweep, sighting->name, cluster);
	if (mismatch != NULL) {
		fail_sighting(sweep, sighting,
		    &(struct aws_reply){.outcome = AWS_BAD_REPLY, .message = mismatch, .body = ""});
		free(mismatch);
		return;
	}
	sighting->kind = SIGHTING_FOUND;
	sighting->cluster = copy_cluster(cluster);
	sweep->failures_in_a_row = 0;
}

static void adapt_window(struct sweep *sweep, const struct aws_reply *reply)
{
	if (reply->throttles > 0) {
		sweep->window = sweep->window > 1 ? sweep->window / 2 : 1;
		sweep->calm = 0;
	} else if (++sweep->calm == CALM_ANSWERS && sweep->window < sweep->options.parallel) {
		sweep->window++;
		sweep->calm = 0;
	}
}

/* What was not asked counts as not known, with the error that made it hopeless. */
static void give_up_rest(struct sweep *sweep)
{
	for (; sweep->next < sweep->result.count; sweep->next++) {
		struct sighting *sighting = &sweep->result.sightings[sweep->next];
		if (sighting->kind == SIGHTING_KNOWN)
			continue;
		sighting->kind = SIGHTING_FAILED;
		aws_error_copy(&sighting->error, &sweep->result.error);
		sweep->result.failures++;
	}
}

static bool is_hopeless(const struct sweep *sweep)
{
	return sweep->failures_in_a_row >= MAX_FAILURES_IN_A_ROW ||
	       (sweep->failures_in_a_row > 0 && sweep->result.error.outcome == AWS_CREDENTIALS);
}

static void describe_more(struct sweep *sweep);

static void on_described(
    void *arg, const struct aws_reply *reply, const struct eks_cluster *cluster)
{
	struct describe *describe = arg;
	struct sweep *sweep = describe->sweep;
	discovery_metrics_call(sweep->options.metrics, "eks:DescribeCluster", sweep->region, reply);
	sweep->result.throttles += reply->throttles;
	keep_answer(sweep, describe->sighting, reply, cluster);
	adapt_window(sweep, reply);
	for (size_t i = 0; i < sweep->describe_count; i++) {
		if (sweep->describes[i] == describe)
			sweep->describes[i] = sweep->describes[--sweep->describe_count];
	}
	free(describe);
	describe_more(sweep);
}

static void describe_next(struct sweep *sweep)
{
	struct describe *describe = xcalloc(1, sizeof *describe);
	describe->sweep = sweep;
	describe->sighting = &sweep->result.sightings[sweep->next++];
	sweep->describes[sweep->describe_count++] = describe;
	sweep->result.describes++;
	describe->call = eks_describe_cluster(sweep->options.aws, sweep->options.provider,
	    sweep->region, describe->sighting->name, on_described, describe);
}

static void describe_more(struct sweep *sweep)
{
	if (is_hopeless(sweep))
		give_up_rest(sweep);
	while (sweep->next < sweep->result.count && sweep->describe_count < sweep->window) {
		if (sweep->result.sightings[sweep->next].kind == SIGHTING_KNOWN)
			sweep->next++;
		else
			describe_next(sweep);
	}
	if (sweep->describe_count > 0)
		return;
	sweep->result.is_settled = sweep->result.failures == 0;
	loop_defer(sweep->loop, &sweep->finish);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the tagging API says decides whether a sighting is described. */
static void recall_known(struct sweep *sweep)
{
	static const struct labels none = {0};
	for (size_t i = 0; i < sweep->result.count; i++) {
		struct sighting *sighting = &sweep->result.sightings[i];
		const struct tagged_cluster *tagged = tag_index_find(sweep->tags, sighting->name);
		look_digest(
		    tagged != NULL ? &tagged->tags : &none, sweep->treatment, sighting->tags);
		sighting->cluster = sweep->options.recall(sweep->arg, sighting->name, tagged);
		if (sighting->cluster != NULL)
			sighting->kind = SIGHTING_KNOWN;
	}
}

static void use_tags(struct sweep *sweep)
{
	if (sweep->tags == NULL)
		return;
	sweep->result.tag_pages = tag_index_calls(sweep->tags);
	sweep->result.throttles += tag_index_throttles(sweep->tags);
	sweep->result.has_tags = tag_index_is_whole(sweep->tags);
	if (sweep->result.has_tags)
		recall_known(sweep);
	else
		aws_error_copy(&sweep->result.tags_error, tag_index_error(sweep->tags));
	tag_index_free(&sweep->tags);
}

/* Names may come twice when a cluster is created while pages are read. */
static void start_describing(struct sweep *sweep)
{
	if (sweep->name_count > 0)
		qsort(sweep->names, sweep->name_count, sizeof *sweep->names, compare_names);
	sweep->result.sightings = xcalloc(sweep->name_count + 1, sizeof *sweep->result.sightings);
	for (size_t i = 0; i < sweep->name_count; i++) {
		size_t count = sweep->result.count;
		if (count > 0 &&
		    strcmp(sweep->result.sightings[count - 1].name, sweep->names[i]) == 0)
			continue;
		sweep->result.sightings[sweep->result.count++].name = xstrdup(sweep->names[i]);
	}
	use_tags(sweep);
	describe_more(sweep);
}

/* --- listing ---------------------------------------------------------------------------------- */

static void list_page(struct sweep *sweep);

/* The listing is complete, and so are the tags or their failure. */
static void go_on(struct sweep *sweep)
{
	if (!sweep->result.is_listed || !sweep->is_tagged)
		return;
	if (sweep->options.on_listed != NULL)
		sweep->options.on_listed(sweep->arg);
	start_describing(sweep);
}

static void on_tagged(void *arg)
{
	struct sweep *sweep = arg;
	sweep->is_tagged = true;
	go_on(sweep);
}

static void take_names(struct sweep *sweep, const struct eks_cluster_page *page)
{
	sweep->names =
	    xreallocarray(sweep->names, sweep->name_count + page->count + 1, sizeof *sweep->names);
	for (size_t i = 0; i < page->count; i++)
		sweep->names[sweep->name_count++] = xstrdup(page->names[i]);
}

static void on_listed(void *arg, const struct aws_reply *reply, const struct eks_cluster_page *page)
{
	struct sweep *sweep = arg;
	sweep->listing = NULL;
	sweep->result.throttles += reply->throttles;
	discovery_metrics_call(sweep->options.metrics, "eks:ListClusters", sweep->region, reply);
	if (reply->outcome != AWS_OK) {
		fail_listing(sweep, reply);
		return;
	}
	take_names(sweep, page);
	if (page->next_token != NULL) {
		if (sweep->token != NULL && strcmp(sweep->token, page->next_token) == 0) {
			fail_listing_text(
			    sweep, "the listing does not end: a page names itself as the next one");
			return;
		}
		free(sweep->token);
		sweep->token = xstrdup(page->next_token);
		list_page(sweep);
		return;
	}
	sweep->result.is_listed = true;
	go_on(sweep);
}

static void list_page(struct sweep *sweep)
{
	if (sweep->pages++ == MAX_PAGES) {
		fail_listing_text(
		    sweep, "the listing does not end: there are more pages than there can be");
		return;
	}
	sweep->result.lists++;
	sweep->listing = eks_list_clusters(sweep->options.aws, sweep->options.provider,
	    sweep->region, sweep->token, on_listed, sweep);
}

static void take_tags(struct sweep *sweep)
{
	if (sweep->options.recall == NULL) {
		sweep->is_tagged = true;
		return;
	}
	struct tag_index_options options = {.aws = sweep->options.aws,
	    .provider = sweep->options.provider,
	    .region = sweep->region,
	    .metrics = sweep->options.metrics,
	    .on_done = on_tagged,
	    .arg = sweep};
	sweep->tags = tag_index_start(&options);
}

/* --- public ----------------------------------------------------------------------------------- */

static struct sweep *new_sweep(
    struct loop *loop, const struct sweep_options *options, sweep_fn *fn, void *arg)
{
	struct sweep *sweep = xcalloc(1, sizeof *sweep);
	sweep->loop = loop;
	sweep->options = *options;
	sweep->options.parallel = options->parallel > 0 ? options->parallel : 1;
	sweep->options.provider = aws_provider_ref(options->provider);
	sweep->region = xstrdup(options->region);
	sweep->account_id = xstrdup_or_null(options->account_id);
	sweep->treatment = xstrdup_or_null(options->treatment);
	sweep->fn = fn;
	sweep->arg = arg;
	sweep->started = mono_now();
	sweep->window = sweep->options.parallel;
	sweep->describes = xcalloc(sweep->options.parallel, sizeof(struct describe *));
	sweep->finish = (struct deferred){.fn = on_finish, .arg = sweep};
	return sweep;
}

struct sweep *sweep_start(
    struct loop *loop, const struct sweep_options *options, sweep_fn *fn, void *arg)
{
	struct sweep *sweep = new_sweep(loop, options, fn, arg);
	take_tags(sweep);
	list_page(sweep);
	return sweep;
}

struct sweep *sweep_start_one(struct loop *loop, const struct sweep_options *options,
    const char *name, sweep_fn *fn, void *arg)
{
	struct sweep *sweep = new_sweep(loop, options, fn, arg);
	sweep->names = xcalloc(1, sizeof *sweep->names);
	sweep->names[sweep->name_count++] = xstrdup(name);
	start_describing(sweep);
	return sweep;
}

void sweep_cancel(struct sweep **sweep)
{
	if (*sweep == NULL)
		return;
	eks_call_cancel(&(*sweep)->listing);
	for (size_t i = 0; i < (*sweep)->describe_count; i++) {
		eks_call_cancel(&(*sweep)->describes[i]->call);
		free((*sweep)->describes[i]);
	}
	loop_undefer((*sweep)->loop, &(*sweep)->finish);
	free_sweep(*sweep);
	*sweep = NULL;
}
