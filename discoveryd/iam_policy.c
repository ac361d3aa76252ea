/* `discoveryd iam-policy`: prints the policies that the configuration needs. Who discoveryd is says
 * --principal, else STS: GetCallerIdentity needs no permission. Asks no daemon, changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/aws_endpoint.h"
#include "common/aws_sts.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/commands.h"
#include "discoveryd/policy.h"

struct question {
	struct loop *loop;
	char *arn; /* the answer */
	char *error; /* or why there is none */
};

/* --- who we are ------------------------------------------------------------------------------- */

static void on_identity(void *arg, const struct aws_reply *reply)
{
	struct question *question = arg;
	struct sts_identity identity = {0};
	loop_stop(question->loop);
	if (reply->outcome != AWS_OK) {
		question->error =
		    xstrdup(reply->message != NULL ? reply->message : "no reason given");
	} else if (sts_parse_identity(reply->body, reply->body_len, &identity, &question->error)) {
		question->arn = policy_principal_of(identity.arn);
		if (question->arn == NULL)
			question->error = xasprintf("%s is no user or role", identity.arn);
		sts_identity_free(&identity);
	}
}

/* The ARN (free()), or NULL with *error (free()). */
static char *ask_identity(char **error)
{
	struct question question = {.loop = loop_new()};
	struct fetcher *fetcher = fetcher_new(question.loop);
	struct aws_context *aws = aws_context_new(question.loop, fetcher);
	struct aws_provider *provider = aws_provider_default(aws);
	const char *region = aws_home_region(aws);
	const struct aws_request request = {.service = "sts",
	    .region = region != NULL ? region : "us-east-1",
	    .operation = "sts:GetCallerIdentity",
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = STS_IDENTITY_BODY,
	    .body_len = strlen(STS_IDENTITY_BODY)};
	(void)aws_call_start(aws, provider, &request, on_identity, &question);
	loop_run(question.loop);
	aws_provider_unref(&provider);
	aws_context_free(&aws);
	fetcher_free(&fetcher);
	loop_free(&question.loop);
	*error = question.error;
	return question.arn;
}

static char *find_principal(const struct cli *cli, char **error)
{
	if (cli->principal == NULL)
		return ask_identity(error);
	char *principal = policy_principal_of(cli->principal);
	if (principal == NULL)
		*error = xasprintf("%s is not the ARN of a user or role", cli->principal);
	return principal;
}

/* --- printing --------------------------------------------------------------------------------- */

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return json_object_get_string(value);
}

static void append_document(struct buf *out, struct json_object *entry)
{
	struct json_object *document = NULL;
	json_object_object_get_ex(entry, "document", &document);
	const char *account = text_of(entry, "account");
	buf_printf(out, "%s# account %s: %s of %s (%s)\n", out->len > 0 ? "\n" : "",
	    strcmp(account, "*") == 0 ? "any of the organization" : account, text_of(entry, "kind"),
	    text_of(entry, "identity"), text_of(entry, "purpose"));
	render_document(out, document, RENDER_JSON);
}

static void print_documents(struct json_object *documents, enum render_format format)
{
	struct buf out = {0};
	if (format != RENDER_TABLE)
		render_document(&out, documents, format);
	for (size_t i = 0; format == RENDER_TABLE && i < json_object_array_length(documents); i++)
		append_document(&out, json_object_array_get_idx(documents, i));
	fputs(buf_text(&out), stdout);
	buf_free(&out);
}

/* --- public ----------------------------------------------------------------------------------- */

int command_iam_policy(const struct cli *cli)
{
	char *error = NULL;
	struct settings *settings = settings_load(cli->config, &error);
	if (settings == NULL) {
		fprintf(stderr, "%s\n", error);
		free(error);
		return EXIT_NO;
	}
	xmem_use_for_libevent();
	log_set_level(LOG_LEVEL_ERROR);
	char *principal = find_principal(cli, &error);
	if (principal == NULL) {
		fprintf(stderr,
		    "discoveryd: who discoveryd is cannot be told: %s; say it with --principal "
		    "ARN\n",
		    error);
		free(error);
		settings_free(&settings);
		return cli->principal != NULL ? EXIT_USAGE : EXIT_NO;
	}
	struct policy_principals principals = {.discovery = principal};
	struct json_object *documents = policy_documents(settings, &principals);
	print_documents(documents, cli->format);
	json_object_put(documents);
	free(principal);
	settings_free(&settings);
	return EXIT_DONE;
}
