/* The life of a call to a service, from request to answer. Called by aws_eks, aws_tagging, aws_ec2,
 * aws_organizations and aws_access. */
#include "discoveryd/aws_question.h"

#include <stdlib.h>

static void end(struct aws_question *question)
{
	if (question->clear != NULL)
		question->clear(question);
	free(question);
}

static void on_reply(void *arg, const struct aws_reply *reply)
{
	struct aws_question *question = arg;
	question->call = NULL;
	question->on_answer(question, reply);
	end(question);
}

void aws_question_ask(struct aws_question *question, struct aws_context *aws,
    struct aws_provider *provider, const struct aws_request *request)
{
	question->call = aws_call_start(aws, provider, request, on_reply, question);
}

void aws_question_cancel(struct aws_question *question)
{
	if (question == NULL || question->call == NULL)
		return;
	aws_call_cancel(&question->call);
	end(question);
}

struct aws_reply aws_reply_malformed(const struct aws_reply *reply, const char *error)
{
	struct aws_reply bad = *reply;
	bad.outcome = AWS_BAD_REPLY;
	bad.message = error;
	return bad;
}
