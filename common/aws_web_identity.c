/* The source of credentials for pods with a service account of their own (IRSA) and everything else
 * that has a token of an OIDC provider: AssumeRoleWithWebIdentity with the token in a file. The
 * file is read at each fetch, since its owner replaces it. Made by the default chain. */
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/aws_files.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/aws_sts.h"
#include "common/buf.h"
#include "common/xmem.h"

#define MAX_TOKEN ((size_t)20000) /* STS's own limit */

struct web_identity {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *origin, *file, *arn, *session_name, *region;
	unsigned duration_seconds;
	struct aws_call *call;
};

/* What the codes of this operation mean for the one who reads them. */
static const char *remedy_for(const char *code)
{
	static const char *const remedies[][2] = {
	    {"AccessDenied", "let the trust policy of the role name the OIDC provider and the "
			     "subject (service account) of the token"},
	    {"ExpiredTokenException",
		"the token has expired: what writes the file does not renew it"},
	    {"InvalidIdentityToken", "create the IAM OIDC provider of the token's issuer, with its "
				     "audience sts.amazonaws.com"},
	    {"IDPRejectedClaim", "the token's issuer does not accept it: check audience and age"},
	    {"IDPCommunicationError", "STS could not reach the token's issuer"},
	};
	for (size_t i = 0; code != NULL && i < sizeof remedies / sizeof remedies[0]; i++) {
		if (strcmp(code, remedies[i][0]) == 0)
			return remedies[i][1];
	}
	return NULL;
}

static void fail(struct web_identity *web, const char *why, const char *remedy)
{
	char *error = xasprintf("cannot assume role %s with the token in %s (%s): %s%s%s", web->arn,
	    web->file, web->origin, why, remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
	aws_provider_done(web->provider, NULL, error);
	xfree(&error);
}

static void on_assumed(void *arg, const struct aws_reply *reply)
{
	struct web_identity *web = arg;
	char *why = NULL;
	web->call = NULL;
	if (reply->outcome != AWS_OK) {
		why = aws_refusal_text(reply);
		fail(web, why, remedy_for(reply->code));
		xfree(&why);
		return;
	}
	struct aws_credentials *credentials =
	    sts_parse_web_identity(reply->body, reply->body_len, &why);
	if (credentials == NULL) {
		fail(web, why, NULL);
	} else {
		credentials->source = xstrdup(aws_provider_text(web->provider));
		aws_provider_done(web->provider, credentials, NULL);
	}
	xfree(&why);
}

static void start(struct aws_provider *provider, void *source)
{
	struct web_identity *web = source;
	char *error = NULL;
	web->provider = provider;
	char *token = aws_read_token(web->file, MAX_TOKEN, &error);
	if (token == NULL) {
		fail(web, error, NULL);
		xfree(&error);
		return;
	}
	const struct sts_role role = {.arn = web->arn,
	    .session_name = web->session_name,
	    .duration_seconds = web->duration_seconds};
	char *body = sts_web_identity_body(&role, token);
	const struct aws_request request = {.service = "sts",
	    .region = web->region,
	    .operation = "sts:AssumeRoleWithWebIdentity",
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = body,
	    .body_len = strlen(body)};
	web->call = aws_call_start(web->aws, NULL, &request, on_assumed, web);
	xfree_secret(&body);
	xfree_secret(&token);
}

static void stop(void *source)
{
	struct web_identity *web = source;
	aws_call_cancel(&web->call);
}

static void free_web_identity(void *source)
{
	struct web_identity *web = source;
	xfree(&web->origin);
	xfree(&web->file);
	xfree(&web->arn);
	xfree(&web->session_name);
	xfree(&web->region);
	free(web);
}

static const struct aws_source_class web_identity_class = {
    .start = start, .stop = stop, .free = free_web_identity};

struct aws_provider *aws_provider_web_identity(struct aws_context *aws, const struct aws_plan *plan)
{
	const struct aws_plan_role *role = &plan->web_role;
	struct web_identity *web = xcalloc(1, sizeof *web);
	char *session_name =
	    role->session_name != NULL ? xstrdup(role->session_name) : aws_default_session_name();
	web->aws = aws;
	web->origin = xstrdup(plan->origin);
	web->file = xstrdup(plan->token_file);
	web->arn = xstrdup(role->arn);
	web->session_name = sts_session_name(session_name);
	web->duration_seconds = role->duration_seconds;
	web->region = aws_sts_region(plan, role->arn);
	xfree(&session_name);
	return aws_provider_new(
	    aws, &web_identity_class, web, xasprintf("role %s (by web identity)", web->arn));
}
