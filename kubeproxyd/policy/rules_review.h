/* SelfSubjectRulesReview: what an API server answers, cut down to what the policy lets pass. Pure.
 */
#ifndef EKSGATE_RULES_REVIEW_H
#define EKSGATE_RULES_REVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/policy/object_name.h"

struct decision;
struct grants;
struct labels;

/* spec.namespace of the review that was posted (free()). NULL: *error (static). */
char *rules_review_namespace(
    enum body_format format, const void *body, size_t len, const char **error) MUST_USE;

struct rules_question {
	const struct grants *grants;
	const char *cluster;
	const struct labels *labels;
	const char *namespace;
	const struct decision *sent; /* as whom the API server was asked */
};

/* `answer` is the API server's, in JSON. What the policy allows only for some names, or as
 * somebody else than the review was sent as, or what a list of rules cannot say, makes the answer
 * incomplete, with the reason in evaluationError. False: the answer cannot be read. `format` is
 * BODY_JSON or BODY_PROTOBUF. */
bool rules_review_cut(const struct rules_question *question, const char *answer, size_t len,
    enum body_format format, struct buf *out) MUST_USE;

#endif
