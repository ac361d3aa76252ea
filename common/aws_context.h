/* What all AWS calls of a process share: transport, retry quota, the clock offset, and which keys
 * were seen to work where. The inside of struct aws_context, for aws_call.c and the credential
 * providers only. */
#ifndef EKSGATE_AWS_CONTEXT_H
#define EKSGATE_AWS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/aws_pace.h"
#include "common/aws_retry.h"

#define AWS_CLOCK_SAMPLES 5
#define AWS_ACCEPTED_MAX  4096

/* A key that AWS took in a region, as hashes. */
struct aws_accepted {
	uint64_t key, region;
};

struct aws_context {
	struct loop *loop;
	struct fetcher *fetcher;
	struct aws_endpoint_config *endpoints;
	const char *ca_file; /* AWS_CA_BUNDLE or the profile's ca_bundle, or NULL */
	struct aws_quota quota;
	struct aws_paces *paces;
	int64_t samples[AWS_CLOCK_SAMPLES]; /* AWS's clock minus ours in ms, a ring */
	size_t sample_count, sample_next;
	struct aws_accepted *accepted; /* a ring */
	size_t accepted_count, accepted_next;
};

/* AWS's clock minus ours by the Date header of an answer. False when it is none. */
bool aws_clock_sample(const char *date, struct duration *offset) MUST_USE;
void aws_clock_learn(struct aws_context *aws, struct duration offset);
/* Forgets what was learned before: our clock was set, or the old value was wrong. */
void aws_clock_reset(struct aws_context *aws, struct duration offset);
/* Differences this small do not matter to AWS, and Date has whole seconds. */
bool aws_clock_is_off(struct duration offset) MUST_USE;

void aws_key_accepted(struct aws_context *aws, const char *access_key_id, const char *region);
/* A key that works in another region and never did in this one: the region is not enabled for its
 * account. */
bool aws_key_works_elsewhere(
    const struct aws_context *aws, const char *access_key_id, const char *region) MUST_USE;

#endif
