/* Two sources of credentials: a set that is simply there, and a role that is assumed through STS
 * with another provider's set. Made by the default chain, and for the roles of matchers. */
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/aws_error.h"
#include "common/aws_provider.h"
#include "common/aws_sts.h"
#include "common/buf.h"
#include "common/xmem.h"

/* --- a set that is there --------------------------------------------------------------------- */

static void start_static(struct aws_provider *provider, void *source)
{
	aws_provider_done(provider, aws_credentials_copy(source), NULL);
}

static void free_static(void *source)
{
	struct aws_credentials *credentials = source;
	aws_credentials_free(&credentials);
}

static const struct aws_source_class static_class = {.start = start_static, .free = free_static};

struct aws_provider *aws_provider_static(
    struct aws_context *aws, const struct aws_credentials *credentials)
{
	const char *text = credentials->source != NULL ? credentials->source : "keys";
	return aws_provider_new(
	    aws, &static_class, aws_credentials_copy(credentials), xstrdup(text));
}

/* --- a role ---------------------------------------------------------------------------------- */

struct role {
	struct aws_context *aws;
	struct aws_provider *base;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *arn;
	char *external_id;
	char *session_name;
	unsigned duration_seconds;
	char *region;
	struct aws_call *call;
};

char *aws_refusal_text(const struct aws_reply *reply)
{
	const char *message = reply->message != NULL ? reply->message : "no reason given";
	if (reply->code == NULL || strncmp(message, reply->code, strlen(reply->code)) == 0)
		return xstrdup(message);
	return xasprintf("%s: %s", reply->code, message);
}

/* What STS said, and what to do about it (the caller's). */
static char *refusal_text(const struct role *role, const struct aws_reply *reply)
{
	struct buf text = {0};
	buf_printf(&text, "cannot assume role %s: ", role->arn);
	if (reply->code != NULL)
		buf_printf(&text, "%s: ", reply->code);
	buf_append_text(&text, reply->message != NULL ? reply->message : "no reason given");
	if (reply->outcome == AWS_DENIED) {
		buf_printf(&text,
		    "; allow sts:AssumeRole on it for %s, let its trust policy name that "
		    "identity%s",
		    aws_provider_text(role->base),
		    role->external_id != NULL ? ", and check the external id" : "");
	} else if (reply->code != NULL || reply->outcome != AWS_CREDENTIALS) {
		struct aws_error error = {0};
		aws_error_set(&error, "sts:AssumeRole", reply);
		if (error.remedy != NULL)
			buf_printf(&text, "; %s", error.remedy);
		aws_error_free(&error);
	}
	return buf_take(&text);
}

static void on_assumed(void *arg, const struct aws_reply *reply)
{
	struct role *role = arg;
	struct aws_credentials *credentials = NULL;
	char *error = NULL;
	role->call = NULL;
	if (reply->outcome == AWS_OK)
		credentials = sts_parse_assume_role(reply->body, reply->body_len, &error);
	else
		error = refusal_text(role, reply);
	if (credentials != NULL)
		credentials->source = xstrdup(aws_provider_text(role->provider));
	aws_provider_done(role->provider, credentials, error);
	xfree(&error);
}

static void start_role(struct aws_provider *provider, void *source)
{
	struct role *role = source;
	const struct sts_role wanted = {
	    role->arn, role->external_id, role->session_name, role->duration_seconds};
	char *body = sts_assume_role_body(&wanted);
	const struct aws_request request = {.service = "sts",
	    .region = role->region,
	    .operation = "sts:AssumeRole",
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = body,
	    .body_len = strlen(body)};
	role->provider = provider;
	role->call = aws_call_start(role->aws, role->base, &request, on_assumed, role);
	xfree(&body);
}

static void stop_role(void *source)
{
	struct role *role = source;
	aws_call_cancel(&role->call);
}

static void free_role(void *source)
{
	struct role *role = source;
	aws_provider_unref(&role->base);
	xfree(&role->arn);
	xfree(&role->external_id);
	xfree(&role->session_name);
	xfree(&role->region);
	free(role);
}

static const struct aws_source_class role_class = {
    .start = start_role, .stop = stop_role, .free = free_role};

struct aws_provider *aws_provider_role(struct aws_context *aws, struct aws_provider *base,
    const struct sts_role *wanted, const char *region)
{
	struct role *role = xcalloc(1, sizeof *role);
	role->aws = aws;
	role->base = aws_provider_ref(base);
	role->arn = xstrdup(wanted->arn);
	role->external_id = xstrdup_or_null(wanted->external_id);
	role->session_name = sts_session_name(wanted->session_name);
	role->duration_seconds = wanted->duration_seconds;
	role->region = xstrdup(region);
	char *text = xasprintf("role %s (from %s)", role->arn, aws_provider_text(base));
	return aws_provider_new(aws, &role_class, role, text);
}

struct aws_provider *aws_provider_assume_role(struct aws_context *aws, struct aws_provider *base,
    const char *role_arn, const char *external_id, const char *session_name, const char *region)
{
	const struct sts_role role = {
	    .arn = role_arn, .external_id = external_id, .session_name = session_name};
	return aws_provider_role(aws, base, &role, region);
}
