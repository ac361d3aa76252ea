/* The decision, case by case. Called by discovery for each listed name of a pass that knows the
 * tags. Being wrong in one direction costs a call, so whatever is in doubt is described. */
#include "discoveryd/describe_plan.h"

#include <stdint.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "discoveryd/aws_eks.h"
#include "discoveryd/aws_tagging.h"
#include "discoveryd/candidate.h"

/* FNV-1a. */
static uint64_t hash(const char *text, uint64_t value)
{
	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return value;
}

struct duration describe_plan_age(const struct look *look, struct duration age)
{
	uint64_t value = hash(look->arn, UINT64_C(14695981039346656037));
	value = (value ^ (uint64_t)look->described_at.ms) * UINT64_C(1099511628211);
	int64_t spread = age.ms / 4;
	return duration_ms(age.ms - (int64_t)((value >> 20) % (uint64_t)(spread + 1)));
}

/* Time that ran backwards makes everything stale. */
static bool is_stale(const struct describe_question *question)
{
	int64_t age = question->now.ms - question->look->described_at.ms;
	return age < 0 || age >= describe_plan_age(question->look, question->age).ms;
}

static bool is_matched(const struct describe_question *question, const struct labels *tags)
{
	struct eks_arn parts;
	if (!eks_arn_parse(question->look->arn, &parts))
		return false;
	struct eks_cluster cluster = {.arn = question->look->arn, .tags = *tags};
	struct labels labels = candidate_labels(&cluster, &parts);
	bool is_match =
	    candidate_match(&labels, question->matchers, question->matcher_count) != NULL;
	labels_free(&labels);
	return is_match;
}

enum describe_reason describe_plan(const struct describe_question *question)
{
	static const struct labels none = {0};
	const struct look *look = question->look;
	const struct labels *tags = question->tagged != NULL ? &question->tagged->tags : &none;
	char digest[LOOK_DIGEST];
	if (look == NULL ||
	    (question->tagged != NULL && strcmp(question->tagged->arn, look->arn) != 0))
		return DESCRIBE_NEW;
	look_digest(tags, question->treatment, digest);
	if (strcmp(digest, look->tags) != 0)
		return DESCRIBE_TAGS;
	if (is_matched(question, tags) != look->is_served)
		return DESCRIBE_VERDICT;
	if (!look->is_served)
		return DESCRIBE_NOT;
	if (strcmp(look->status, "ACTIVE") != 0)
		return DESCRIBE_STATUS;
	return is_stale(question) ? DESCRIBE_STALE : DESCRIBE_NOT;
}
