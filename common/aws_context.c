/* The state behind aws_context.h: the median of recent clock samples, and the ring of accepted
 * keys. Owned by main; touched by aws_call at each answer. */
#include "common/aws_context.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint_config.h"
#include "common/fetch.h"
#include "common/xmem.h"

#define CLOCK_TOLERANCE_MS (INT64_C(4) * 60 * 1000)

struct aws_context *aws_context_new(struct loop *loop, struct fetcher *fetcher)
{
	struct aws_context *aws = xcalloc(1, sizeof *aws);
	aws->loop = loop;
	aws->fetcher = fetcher;
	aws->endpoints = aws_endpoint_config_load();
	aws->ca_file = aws_endpoint_config_ca_file(aws->endpoints);
	aws_quota_init(&aws->quota);
	aws->paces = aws_paces_new();
	return aws;
}

void aws_context_free(struct aws_context **aws)
{
	if (*aws == NULL)
		return;
	aws_paces_free(&(*aws)->paces);
	aws_endpoint_config_free(&(*aws)->endpoints);
	xfree(&(*aws)->accepted);
	xfree(aws);
}

const char *aws_home_region(const struct aws_context *aws)
{
	return aws_endpoint_config_region(aws->endpoints);
}

/* --- clock ----------------------------------------------------------------------------------- */

bool aws_clock_sample(const char *date, struct duration *offset)
{
	struct unix_time at;
	if (date == NULL || !unix_time_parse_http(date, &at))
		return false;
	*offset = duration_ms(at.ms - unix_now().ms);
	return true;
}

void aws_clock_learn(struct aws_context *aws, struct duration offset)
{
	aws->samples[aws->sample_next] = offset.ms;
	aws->sample_next = (aws->sample_next + 1) % AWS_CLOCK_SAMPLES;
	if (aws->sample_count < AWS_CLOCK_SAMPLES)
		aws->sample_count++;
}

void aws_clock_reset(struct aws_context *aws, struct duration offset)
{
	aws->sample_count = aws->sample_next = 0;
	aws_clock_learn(aws, offset);
}

bool aws_clock_is_off(struct duration offset)
{
	return offset.ms > CLOCK_TOLERANCE_MS || offset.ms < -CLOCK_TOLERANCE_MS;
}

static int compare_samples(const void *left, const void *right)
{
	int64_t a, b;
	memcpy(&a, left, sizeof a);
	memcpy(&b, right, sizeof b);
	return a < b ? -1 : a > b;
}

struct duration aws_clock_offset(const struct aws_context *aws)
{
	int64_t sorted[AWS_CLOCK_SAMPLES];
	if (aws->sample_count == 0)
		return duration_ms(0);
	memcpy(sorted, aws->samples, sizeof sorted);
	qsort(sorted, aws->sample_count, sizeof sorted[0], compare_samples);
	struct duration median = duration_ms(sorted[aws->sample_count / 2]);
	return aws_clock_is_off(median) ? median : duration_ms(0);
}

struct unix_time aws_now(const struct aws_context *aws)
{
	return unix_add(unix_now(), aws_clock_offset(aws));
}

/* --- accepted keys --------------------------------------------------------------------------- */

/* FNV-1a; a collision costs a less precise error message. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

void aws_key_accepted(struct aws_context *aws, const char *access_key_id, const char *region)
{
	struct aws_accepted entry = {hash_of(access_key_id), hash_of(region)};
	for (size_t i = 0; i < aws->accepted_count; i++) {
		if (aws->accepted[i].key == entry.key && aws->accepted[i].region == entry.region)
			return;
	}
	if (aws->accepted == NULL)
		aws->accepted = xcalloc(AWS_ACCEPTED_MAX, sizeof *aws->accepted);
	aws->accepted[aws->accepted_next] = entry;
	aws->accepted_next = (aws->accepted_next + 1) % AWS_ACCEPTED_MAX;
	if (aws->accepted_count < AWS_ACCEPTED_MAX)
		aws->accepted_count++;
}

bool aws_key_works_elsewhere(
    const struct aws_context *aws, const char *access_key_id, const char *region)
{
	struct aws_accepted wanted = {hash_of(access_key_id), hash_of(region)};
	bool works = false;
	for (size_t i = 0; i < aws->accepted_count; i++) {
		if (aws->accepted[i].key != wanted.key)
			continue;
		if (aws->accepted[i].region == wanted.region)
			return false;
		works = true;
	}
	return works;
}
