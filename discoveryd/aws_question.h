/* What the modules of AWS services have in common: one call, whose answer is parsed and handed on
 * once, and which may be cancelled until then. */
#ifndef EKSGATE_AWS_QUESTION_H
#define EKSGATE_AWS_QUESTION_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/aws_call.h"

struct aws_question;

/* Parses and hands on; the question ends behind it. */
typedef void aws_answer_fn(struct aws_question *question, const struct aws_reply *reply);

/* The first member of a service's call, which is one allocation. */
struct aws_question {
	struct aws_call *call; /* NULL: answered */
	aws_answer_fn *on_answer;
	void (*clear)(struct aws_question *question); /* what else the call holds; NULL: nothing */
};

/* The call is freed after its answer. */
void aws_question_ask(struct aws_question *question, struct aws_context *aws,
    struct aws_provider *provider, const struct aws_request *request);
/* Frees the call, which is not answered any more. NULL, and from within the answer: nothing
 * happens. */
void aws_question_cancel(struct aws_question *question);
/* The reply as AWS_BAD_REPLY; `error`, what is wrong with it, is borrowed. */
struct aws_reply aws_reply_malformed(const struct aws_reply *reply, const char *error) MUST_USE;

#endif
