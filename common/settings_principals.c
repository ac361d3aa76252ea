/* Whether the two daemons act as one role, as far as the configuration tells: then whoever breaks
 * into one of them is the other, too. Called by settings.c; who they are by themselves is told by
 * their environment and not known here. */
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/settings.h"
#include "common/settings_rows.h"
#include "common/xmem.h"

static bool is_role(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* In whichever account an organization has. */
static bool has_role_name(const struct aws_matcher *matcher, const char *role)
{
	const char *name = strstr(role, ":role/");
	return matcher->organization.id != NULL && name != NULL &&
	       is_role(matcher->assume_role_name, name + strlen(":role/"));
}

static bool acts_as(const struct aws_matcher *matcher, const char *role)
{
	if (matcher->account_count == 0 || matcher->assume_role_arn == NULL)
		return is_role(matcher->assume_role_arn, role) || has_role_name(matcher, role);
	bool is_same = false;
	for (size_t i = 0; i < matcher->account_count && !is_same; i++) {
		char *own = aws_role_in_account(matcher->assume_role_arn, matcher->accounts[i]);
		is_same = is_role(own, role);
		free(own);
	}
	return is_same;
}

static const struct aws_matcher *find_matcher(const struct settings *settings, const char *role)
{
	for (size_t i = 0; i < settings->discovery.matcher_count; i++) {
		if (acts_as(&settings->discovery.matchers[i], role))
			return &settings->discovery.matchers[i];
	}
	return NULL;
}

char *settings_shared_role(const struct settings *settings, const struct resource_selector *item)
{
	const char *role = item->assume_role_arn;
	if (role == NULL || !settings->discovery.enabled || !settings->kubernetes.enabled)
		return NULL;
	static const char remedy[] = "whoever breaks into kubeproxyd can do what discoveryd can; "
				     "give kubeproxyd a role of its own";
	const struct aws_matcher *matcher = find_matcher(settings, role);
	if (matcher != NULL)
		return xasprintf("%s:%u: kubernetes_service.resources[].aws.assume_role_arn is "
				 "%s, which discoveryd acts as, too (discovery_service.aws[] in "
				 "line %u): %s",
		    settings->path, item->line, role, matcher->line, remedy);
	if (is_role(settings->access.bootstrap_role_arn, role))
		return xasprintf("%s:%u: kubernetes_service.resources[].aws.assume_role_arn is "
				 "%s, which is eksgate.access.bootstrap_role_arn, too: %s",
		    settings->path, item->line, role, remedy);
	return NULL;
}
