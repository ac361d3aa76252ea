/* What a look at a cluster found: answers to four questions, and the first thing that is wrong with
 * its remedy (PROTOCOL.md, REPORT). */
#ifndef EKSGATE_FINDING_H
#define EKSGATE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "proto/message.h"

#define FINDING_DENIED_MAX MESSAGE_DENIED_MAX

struct call_answer;
struct right;

/* A plain value; {0} is "not looked yet" once finding_conclude() was called. */
struct finding {
	enum message_answer reachable, authenticated, permitted, healthy;
	struct message_permission denied[FINDING_DENIED_MAX];
	size_t denied_count;
	char *code; /* "pending", "unasked", "ok", … */
	char *text; /* for people: reason and remedy */
	struct unix_time checked; /* 0: not yet */
};

/* Nothing is asked unless a task does. */
void finding_unasked(struct finding *finding);
/* Why there was no answer at all: dns, timeout, refused, tls, private, error. `is_private`: the
 * endpoint has only private addresses. */
void finding_unreachable(
    struct finding *finding, const struct call_answer *answer, bool is_private);
/* There are no credentials to ask with. */
void finding_no_credentials(struct finding *finding, const char *error);
/* The answer to /readyz. */
void finding_readiness(struct finding *finding, const struct call_answer *answer);
/* The answer to a SelfSubjectAccessReview. False: no verdict, nothing more is to be asked. */
bool finding_review(
    struct finding *finding, const struct right *right, const struct call_answer *answer) MUST_USE;
/* All was asked: sets code and text where nothing was wrong, and `checked`. `principal` NULL: not
 * known; `cluster` is its name, for remedies. */
void finding_conclude(struct finding *finding, const char *cluster, const char *principal);
bool finding_is_equal(const struct finding *a, const struct finding *b) MUST_USE;
void finding_clear(struct finding *finding);

#endif
