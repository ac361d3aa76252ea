/* From configuration to wish. The principal is what setup_access_for_arn says; else the role with
 * which kubeproxyd serves the cluster; else nobody: what proxies report is checked and shown, and
 * never granted by itself. */
#include "discoveryd/access_policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"

const char *access_mode_text(enum access_mode mode)
{
	static const char *const texts[] = {"rbac", "cluster-admin", "manual"};
	return texts[mode];
}

static enum access_mode mode_of(const char *text)
{
	for (enum access_mode mode = ACCESS_RBAC; mode <= ACCESS_MANUAL; mode++) {
		if (text != NULL && strcmp(text, access_mode_text(mode)) == 0)
			return mode;
	}
	return ACCESS_MANUAL;
}

/* Keeps the list sorted and without repetitions. */
static void add_principal(struct access_wanted *wanted, const char *arn)
{
	size_t at = 0;
	while (at < wanted->count && strcmp(wanted->principals[at], arn) < 0)
		at++;
	if (at < wanted->count && strcmp(wanted->principals[at], arn) == 0)
		return;
	wanted->principals = xreallocarray(wanted->principals, wanted->count + 1, sizeof(char *));
	memmove(wanted->principals + at + 1, wanted->principals + at,
	    (wanted->count - at) * sizeof(char *));
	wanted->principals[at] = xstrdup(arn);
	wanted->count++;
}

static const char *serving_role(const struct settings *settings, const struct kube_cluster *cluster)
{
	if (cluster->aws.serving_role != NULL)
		return cluster->aws.serving_role;
	for (size_t i = 0; i < settings->kubernetes.resource_count; i++) {
		const struct resource_selector *item = &settings->kubernetes.resources[i];
		if (selector_match(item->labels, &cluster->labels))
			return item->assume_role_arn;
	}
	return NULL;
}

void access_wanted_of(const struct settings *settings, const struct aws_matcher *const *matchers,
    size_t count, const struct kube_cluster *cluster, struct access_wanted *wanted)
{
	const char *mode = settings->access.mode;
	*wanted = (struct access_wanted){.group = xstrdup(settings->access.group),
	    .cluster_role = xstrdup(settings->access.cluster_role),
	    .bootstrap_role = xstrdup_or_null(settings->access.bootstrap_role_arn)};
	for (size_t i = 0; i < count; i++) {
		if (matchers[i]->access_mode != NULL)
			mode = matchers[i]->access_mode;
		if (matchers[i]->setup_access_for_arn != NULL)
			add_principal(wanted, matchers[i]->setup_access_for_arn);
	}
	wanted->mode = mode_of(mode);
	wanted->is_configured = wanted->count > 0;
	const char *role = serving_role(settings, cluster);
	if (!wanted->is_configured && role != NULL)
		add_principal(wanted, role);
}

void access_wanted_free(struct access_wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		free(wanted->principals[i]);
	free(wanted->principals);
	free(wanted->group);
	free(wanted->cluster_role);
	free(wanted->bootstrap_role);
	*wanted = (struct access_wanted){0};
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool access_wanted_equal(const struct access_wanted *a, const struct access_wanted *b)
{
	if (a->mode != b->mode || a->count != b->count || !same_text(a->group, b->group) ||
	    !same_text(a->cluster_role, b->cluster_role) ||
	    !same_text(a->bootstrap_role, b->bootstrap_role))
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->principals[i], b->principals[i]) != 0)
			return false;
	}
	return true;
}

bool access_has_entries(const struct kube_cluster *cluster)
{
	return strcmp(cluster->authentication_mode, "CONFIG_MAP") != 0;
}

bool access_has_mappings(const struct kube_cluster *cluster)
{
	return strcmp(cluster->authentication_mode, "API") != 0;
}

/* --- ARNs ------------------------------------------------------------------------------------- */

/* The length of "arn:PARTITION:iam::ACCOUNT:KIND/", and what follows the path in *name. 0 when it
 * is no such ARN. */
static size_t head_of(const char *arn, const char **name)
{
	const char *slash = strchr(arn, '/');
	if (strncmp(arn, "arn:", 4) != 0 || slash == NULL || slash[1] == '\0')
		return 0;
	*name = strrchr(slash, '/') + 1;
	return (size_t)(slash - arn) + 1;
}

bool access_is_same_principal(const char *a, const char *b)
{
	const char *name_a, *name_b;
	size_t head_a = head_of(a, &name_a), head_b = head_of(b, &name_b);
	if (head_a == 0 || head_b == 0)
		return strcmp(a, b) == 0;
	return head_a == head_b && strncmp(a, b, head_a) == 0 && strcmp(name_a, name_b) == 0;
}

char *access_principal_of(const char *sts_arn)
{
	static const char assumed[] = "assumed-role/";
	const char *service = strstr(sts_arn, ":sts::"), *kind = strrchr(sts_arn, ':');
	if (strncmp(sts_arn, "arn:", 4) != 0 || kind == NULL)
		return NULL;
	if (service == NULL) {
		bool is_lasting =
		    strncmp(kind, ":user/", 6) == 0 || strncmp(kind, ":role/", 6) == 0;
		return is_lasting ? xstrdup(sts_arn) : NULL;
	}
	kind++;
	if (strncmp(kind, assumed, strlen(assumed)) != 0)
		return NULL;
	const char *role = kind + strlen(assumed), *account = service + strlen(":sts::");
	return xasprintf("%.*s:iam::%.*s:role/%.*s", (int)(service - sts_arn), sts_arn,
	    (int)(kind - 1 - account), account, (int)strcspn(role, "/"), role);
}
