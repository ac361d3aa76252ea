/* Role documents and bindings, and decisions from whatever was accepted: a refusal always has
 * words, and nobody becomes somebody of Kubernetes' own who is not named so in a role. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/request_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void decide(struct policy *policy, const char *document)
{
	char user[] = "alice", group[] = "engineering";
	char *groups[] = {group};
	struct identity identity = {
	    .user = user, .groups = groups, .group_count = 1, .references = 1};
	struct request_info request = {.is_resource = true,
	    .verb = "get",
	    .path = "",
	    .api_group = "",
	    .resource = "pods",
	    .subresource = "",
	    .namespace = "default",
	    .name = "web-1"};
	struct labels labels = {0};
	struct decision decision = {0};
	labels_set(&labels, "env", "prod");
	struct grants *grants = policy_grants(policy, &identity);
	policy_decide(grants, "c", &labels, &request, &decision);
	require(decision.rule != NULL && decision.is_allowed == (decision.user != NULL));
	require(decision.is_allowed || decision.message != NULL);
	require(!decision.is_allowed || policy_may_see(grants, &labels));
	require(!decision.is_restricted && !(decision.is_allowed && decision.needs_name));
	if (decision.is_allowed && principal_is_reserved(decision.user))
		require(memmem(document, strlen(document), decision.user,
			    strcspn(decision.user, ":") + 1) != NULL ||
			strchr(document, '\\') != NULL);
	for (size_t i = 0; i < decision.group_count; i++)
		require(principal_refuse(decision.groups[i], strlen(decision.groups[i])) == NULL);
	decision_clear(&decision);
	grants_free(&grants);
	labels_free(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	char *text = xstrndup((const char *)data, size);
	struct policy *policy = policy_parse("roles.yaml", (const char *)data, size, &error);
	require((policy == NULL) == (error != NULL));
	if (policy != NULL)
		decide(policy, text);
	policy_unref(&policy);
	free(error);
	free(text);
	return 0;
}
