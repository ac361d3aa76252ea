/* The proxy's own identity, asked of STS (GetCallerIdentity, which needs no permission) now and
 * then, since credentials may be exchanged while it runs. Called by the prober. */
#include "kubeproxyd/probe/own_principal.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/aws_credentials.h"
#include "common/aws_sts.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/xmem.h"

#define FRESH_SECONDS  600
#define FAILED_SECONDS 30

struct own_principal {
	struct aws_context *aws;
	struct aws_provider *provider;
	struct aws_call *call;
	void (*on_known)(void *arg);
	void *arg;
	char *arn;
	struct mono next; /* not before */
};

char *principal_of_caller(const char *arn)
{
	static const char service[] = ":sts::", kind[] = ":assumed-role/";
	const char *at = strstr(arn, service), *role = strstr(arn, kind);
	if (at == NULL || role == NULL || role < at)
		return xstrdup(arn);
	const char *account = at + strlen(service), *name = role + strlen(kind);
	return xasprintf("%.*s:iam::%.*s:role/%.*s", (int)(at - arn), arn, (int)(role - account),
	    account, (int)strcspn(name, "/"), name);
}

struct own_principal *own_principal_new(
    struct aws_context *aws, void (*on_known)(void *arg), void *arg)
{
	struct own_principal *own = xcalloc(1, sizeof *own);
	own->aws = aws;
	own->provider = aws_provider_default(aws);
	own->on_known = on_known;
	own->arg = arg;
	return own;
}

void own_principal_free(struct own_principal **own)
{
	if (*own == NULL)
		return;
	aws_call_cancel(&(*own)->call);
	aws_provider_unref(&(*own)->provider);
	free((*own)->arn);
	xfree(own);
}

static void learn(struct own_principal *own, const char *caller)
{
	char *arn = principal_of_caller(caller);
	bool is_new = own->arn == NULL || strcmp(own->arn, arn) != 0;
	free(own->arn);
	own->arn = arn;
	if (!is_new)
		return;
	log_info("probe", "principal", LOG_S("arn", arn));
	own->on_known(own->arg);
}

static void on_reply(void *arg, const struct aws_reply *reply)
{
	struct own_principal *own = arg;
	struct sts_identity identity;
	char *error = NULL;
	own->call = NULL;
	own->next = mono_add(mono_now(), duration_seconds(FAILED_SECONDS));
	if (reply->outcome != AWS_OK) {
		log_warn("probe", "principal-unknown", LOG_S("error", reply->message));
		return;
	}
	if (!sts_parse_identity(reply->body, reply->body_len, &identity, &error)) {
		log_warn("probe", "principal-unknown", LOG_S("error", error));
		free(error);
		return;
	}
	own->next = mono_add(mono_now(), duration_seconds(FRESH_SECONDS));
	learn(own, identity.arn);
	sts_identity_free(&identity);
}

void own_principal_ask(struct own_principal *own, const char *region)
{
	if (own->call != NULL || (own->next.ns != 0 && !mono_is_past(own->next)))
		return;
	struct aws_request request = {.service = "sts",
	    .region = region,
	    .operation = "sts:GetCallerIdentity",
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = STS_IDENTITY_BODY,
	    .body_len = strlen(STS_IDENTITY_BODY)};
	own->call = aws_call_start(own->aws, own->provider, &request, on_reply, own);
}

bool own_principal_is_settled(const struct own_principal *own)
{
	return own->next.ns != 0;
}

const char *own_principal_arn(const struct own_principal *own)
{
	return own->arn;
}
