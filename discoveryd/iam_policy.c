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

struct principals {
	char *discovery, *serving, *instance; /* NULL: not said */
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

/* The user or role of an option; NULL with *error (free()). */
static char *read_principal(const char *option, const char *arn, char **error)
{
	char *principal = policy_principal_of(arn);
	if (principal == NULL)
		*error = xasprintf("%s: %s is not the ARN of a user or role", option, arn);
	return principal;
}

static bool is_role(const char *principal)
{
	return principal != NULL && strstr(principal, ":role/") != NULL;
}

/* An instance role gives no more than the way to the two roles: three roles are named. */
static bool check_roles(const struct cli *cli, const struct principals *principals, char **error)
{
	if (cli->instance_role == NULL)
		return true;
	const char *const arns[] = {
	    principals->instance, principals->discovery, principals->serving};
	bool are_three = is_role(arns[0]) && is_role(arns[1]) && is_role(arns[2]) &&
			 strcmp(arns[0], arns[1]) != 0 && strcmp(arns[1], arns[2]) != 0 &&
			 strcmp(arns[2], arns[0]) != 0;
	if (!are_three)
		*error = xstrdup("--instance-role, --principal and --serving name three different "
				 "roles: the instance's, discoveryd's and kubeproxyd's");
	return are_three;
}

static int find_principals(const struct cli *cli, struct principals *principals, char **error)
{
	if (cli->serving != NULL)
		principals->serving = read_principal("--serving", cli->serving, error);
	if (*error == NULL && cli->instance_role != NULL)
		principals->instance = read_principal("--instance-role", cli->instance_role, error);
	if (*error == NULL && cli->principal != NULL)
		principals->discovery = read_principal("--principal", cli->principal, error);
	if (*error != NULL)
		return EXIT_USAGE;
	if (principals->discovery == NULL && cli->instance_role == NULL) {
		char *why = NULL;
		principals->discovery = ask_identity(&why);
		if (principals->discovery == NULL)
			*error = xasprintf("who discoveryd is cannot be told: %s; say it with "
					   "--principal ARN",
			    why);
		free(why);
		return principals->discovery != NULL ? EXIT_DONE : EXIT_NO;
	}
	return check_roles(cli, principals, error) ? EXIT_DONE : EXIT_USAGE;
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
	struct principals found = {0};
	int status = find_principals(cli, &found, &error);
	if (status == EXIT_DONE) {
		const struct policy_principals principals = {.discovery = found.discovery,
		    .serving = found.serving,
		    .instance = found.instance};
		struct json_object *documents = policy_documents(settings, &principals);
		print_documents(documents, cli->format);
		json_object_put(documents);
	} else {
		fprintf(stderr, "discoveryd: %s\n", error);
	}
	free(error);
	free(found.discovery);
	free(found.serving);
	free(found.instance);
	settings_free(&settings);
	return status;
}
