/* The default chain of credentials: makes a plan of what the environment and the shared files
 * configure (aws_profile.h), starts the source that it begins with and assumes its roles one on top
 * of the other. The plan is made anew at each fetch; a failing source ends it with its message. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/aws_endpoint.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/xmem.h"

struct chain {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	struct aws_provider *last; /* the last role of the plan that is under way, or its base */
	struct aws_wait *wait;
	char *looked; /* see struct aws_plan */
};

char *aws_sts_region(const struct aws_plan *plan, const char *role_arn)
{
	char partition[16];
	if (plan->region != NULL)
		return xstrdup(plan->region);
	const char *id = strchr(role_arn, ':');
	size_t len = id != NULL ? strcspn(id + 1, ":") : 0;
	const struct aws_partition *known = NULL;
	if (len > 0 && len < sizeof partition) {
		memcpy(partition, id + 1, len);
		partition[len] = '\0';
		known = aws_partition_by_id(partition);
	}
	return xstrdup(known != NULL ? known->global_region : "us-east-1");
}

char *aws_default_session_name(void)
{
	char host[65] = "";
	bool is_known = gethostname(host, sizeof host - 1) == 0;
	return xasprintf("eksgate-%s", is_known ? host : "host");
}

static struct aws_provider *make_base(struct aws_context *aws, const struct aws_plan *plan)
{
	switch (plan->base) {
	case AWS_BASE_WEB_IDENTITY:
		return aws_provider_web_identity(aws, plan);
	case AWS_BASE_PROCESS:
		return aws_provider_process(aws, plan);
	case AWS_BASE_SSO:
		return aws_provider_sso(aws, plan);
	case AWS_BASE_CONTAINER:
		return aws_provider_container(aws, plan);
	case AWS_BASE_METADATA:
		return aws_provider_metadata(aws, plan);
	case AWS_BASE_KEYS:
	case AWS_BASE_ENVIRONMENT:
		break;
	}
	return aws_provider_static(aws, plan->credentials);
}

/* The roles of the plan on top of each other, with the plan's base below. */
static struct aws_provider *make_stack(struct aws_context *aws, const struct aws_plan *plan)
{
	struct aws_provider *top = make_base(aws, plan);
	char *session_name = aws_default_session_name();
	for (size_t i = 0; i < plan->role_count; i++) {
		const struct aws_plan_role *role = &plan->roles[i];
		const struct sts_role wanted = {.arn = role->arn,
		    .external_id = role->external_id,
		    .session_name = role->session_name != NULL ? role->session_name : session_name,
		    .duration_seconds = role->duration_seconds};
		char *region = aws_sts_region(plan, plan->roles[0].arn);
		struct aws_provider *next = aws_provider_role(aws, top, &wanted, region);
		xfree(&region);
		aws_provider_unref(&top);
		top = next;
	}
	xfree(&session_name);
	return top;
}

static void on_last(void *arg, const struct aws_credentials *credentials, const char *error)
{
	struct chain *chain = arg;
	chain->wait = NULL;
	char *text = error != NULL && chain->looked != NULL
			 ? xasprintf("%s; %s", chain->looked, error)
			 : xstrdup_or_null(error);
	aws_provider_done(
	    chain->provider, credentials != NULL ? aws_credentials_copy(credentials) : NULL, text);
	xfree(&text);
	aws_provider_unref(&chain->last);
}

static void start(struct aws_provider *provider, void *source)
{
	struct chain *chain = source;
	struct aws_plan plan;
	char *error = NULL;
	chain->provider = provider;
	if (!aws_plan_make(&plan, &error)) {
		aws_provider_done(provider, NULL, error);
		xfree(&error);
		return;
	}
	xfree(&chain->looked);
	chain->looked = xstrdup_or_null(plan.looked);
	chain->last = make_stack(chain->aws, &plan);
	chain->wait = aws_provider_get(chain->last, on_last, chain);
	aws_plan_free(&plan);
}

static void stop(void *source)
{
	struct chain *chain = source;
	aws_wait_cancel(&chain->wait);
	aws_provider_unref(&chain->last);
}

static void free_chain(void *source)
{
	struct chain *chain = source;
	xfree(&chain->looked);
	free(chain);
}

static const struct aws_source_class chain_class = {
    .start = start, .stop = stop, .free = free_chain};

/* Who it is by the configuration of now; the keys alone may be incomplete. */
static char *identity_text(void)
{
	struct aws_plan plan;
	char *error = NULL;
	char *text = NULL;
	if (aws_plan_make(&plan, &error))
		text = xstrdup(plan.text);
	else if (getenv("AWS_ACCESS_KEY_ID") != NULL || getenv("AWS_SECRET_ACCESS_KEY") != NULL)
		text = xstrdup("environment");
	else
		text = xasprintf("profile %s", aws_profile_name());
	aws_plan_free(&plan);
	xfree(&error);
	return text;
}

struct aws_provider *aws_provider_default(struct aws_context *aws)
{
	struct chain *chain = xcalloc(1, sizeof *chain);
	chain->aws = aws;
	return aws_provider_new(aws, &chain_class, chain, identity_text());
}
