/* Policies are put together per identity: first it is collected which matchers act as it, in which
 * regions and with which external ids; then each need becomes a statement. A role with more
 * resources than fit into one managed policy gets several. */
#include "discoveryd/policy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/json.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/roster.h"

#define VERSION "2012-10-17"
/* A managed policy has at most 6,144 characters; an ARN of a role a hundred or so. */
#define ROLES_PER_POLICY 40

/* A set of texts, in the order of their coming. */
struct texts {
	const char **items; /* borrowed */
	size_t count;
};

/* One identity that discoveryd acts as. */
struct identity {
	char *role_arn; /* NULL: its own; account "*": in each account of an organization */
	const char *organization; /* its id; NULL */
	struct texts regions; /* that are named */
	struct texts external_ids;
	bool has_wildcard; /* some matcher wants every region */
	bool is_trusted_bare; /* some matcher assumes the role without an external id */
	bool needs_access; /* EKS access is managed with it */
};

struct plan {
	const struct settings *settings;
	const struct policy_principals *principals;
	struct identity *identities; /* the own one first */
	size_t count;
	struct texts organization_actions; /* with which accounts are listed */
	struct json_object *documents;
};

static void add_text(struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], text) == 0)
			return;
	}
	texts->items = xreallocarray(texts->items, texts->count + 1, sizeof *texts->items);
	texts->items[texts->count++] = text;
}

/* --- ARNs ------------------------------------------------------------------------------------- */

/* The `index`th part of an ARN (free()). */
static char *arn_part(const char *arn, unsigned index)
{
	for (; index > 0 && arn != NULL; index--) {
		arn = strchr(arn, ':');
		arn = arn != NULL ? arn + 1 : NULL;
	}
	return arn != NULL ? xstrndup(arn, strcspn(arn, ":")) : xstrdup("");
}

/* What stands behind the account; NULL when it is no ARN. */
static const char *resource_of(const char *arn)
{
	for (unsigned i = 0; i < 5; i++) {
		arn = strchr(arn, ':');
		if (arn == NULL)
			return NULL;
		arn++;
	}
	return arn;
}

char *policy_principal_of(const char *arn)
{
	char *partition = arn_part(arn, 1), *service = arn_part(arn, 2),
	     *account = arn_part(arn, 4);
	static const char assumed[] = "assumed-role/";
	const char *resource = resource_of(arn);
	char *principal = NULL;
	bool is_arn = strncmp(arn, "arn:", 4) == 0 && strlen(account) == 12 &&
		      strspn(account, "0123456789") == 12 && resource != NULL;
	if (is_arn && strcmp(service, "sts") == 0 &&
	    strncmp(resource, assumed, sizeof assumed - 1) == 0) {
		const char *role = resource + sizeof assumed - 1;
		principal = xasprintf(
		    "arn:%s:iam::%s:role/%.*s", partition, account, (int)strcspn(role, "/"), role);
	} else if (is_arn && strcmp(service, "iam") == 0 &&
		   (strncmp(resource, "role/", 5) == 0 || strncmp(resource, "user/", 5) == 0)) {
		principal = xstrdup(arn);
	}
	free(partition);
	free(service);
	free(account);
	return principal;
}

/* Of the role, or of discoveryd itself (free()). */
static char *account_of(const struct plan *plan, const struct identity *identity)
{
	return arn_part(
	    identity->role_arn != NULL ? identity->role_arn : plan->principals->discovery, 4);
}

static char *partition_of(const struct plan *plan, const struct identity *identity)
{
	return arn_part(
	    identity->role_arn != NULL ? identity->role_arn : plan->principals->discovery, 1);
}

/* --- collecting ------------------------------------------------------------------------------- */

static struct identity *identity_of(
    struct plan *plan, const char *role_arn, const char *organization)
{
	for (size_t i = 0; i < plan->count; i++) {
		const char *known = plan->identities[i].role_arn;
		if (known == role_arn ||
		    (known != NULL && role_arn != NULL && strcmp(known, role_arn) == 0))
			return &plan->identities[i];
	}
	plan->identities =
	    xreallocarray(plan->identities, plan->count + 1, sizeof *plan->identities);
	plan->identities[plan->count] =
	    (struct identity){.role_arn = xstrdup_or_null(role_arn), .organization = organization};
	return &plan->identities[plan->count++];
}

static const char *mode_of(const struct plan *plan, const struct aws_matcher *matcher)
{
	return matcher->access_mode != NULL ? matcher->access_mode : plan->settings->access.mode;
}

/* The role that creates RBAC objects; NULL: none is configured, or no matcher needs it. */
static const char *bootstrap_role_of(const struct plan *plan)
{
	const struct settings *settings = plan->settings;
	for (size_t i = 0; i < settings->discovery.matcher_count; i++) {
		if (strcmp(mode_of(plan, &settings->discovery.matchers[i]), "rbac") == 0)
			return settings->access.bootstrap_role_arn;
	}
	return NULL;
}

/* As which role a matcher acts; NULL: as discoveryd itself. */
static void collect_role(struct plan *plan, const struct aws_matcher *matcher, const char *role)
{
	struct identity *identity = identity_of(plan, role, matcher->organization.id);
	for (size_t i = 0; i < matcher->region_count; i++) {
		if (strcmp(matcher->regions[i], "*") == 0)
			identity->has_wildcard = true;
		else
			add_text(&identity->regions, matcher->regions[i]);
	}
	if (matcher->external_id != NULL)
		add_text(&identity->external_ids, matcher->external_id);
	else
		identity->is_trusted_bare = true;
	identity->needs_access |= strcmp(mode_of(plan, matcher), "manual") != 0;
}

/* Units are known by the tree alone, and the tree begins at the roots or at what is included. */
static void collect_organization(struct plan *plan, const struct aws_matcher *matcher)
{
	bool is_whole = strcmp(matcher->organization.include[0], "*") == 0, has_units = false;
	for (size_t i = 0; i < matcher->organization.exclude_count; i++)
		has_units |= strchr(matcher->organization.exclude[i], '-') != NULL;
	if (is_whole && !has_units) {
		add_text(&plan->organization_actions, "organizations:ListAccounts");
		return;
	}
	if (is_whole)
		add_text(&plan->organization_actions, "organizations:ListRoots");
	add_text(&plan->organization_actions, "organizations:ListAccountsForParent");
	add_text(&plan->organization_actions, "organizations:ListOrganizationalUnitsForParent");
}

static void collect_matcher(struct plan *plan, const struct aws_matcher *matcher)
{
	char *partition = arn_part(plan->principals->discovery, 1);
	if (matcher->organization.id != NULL) {
		char *role = roster_role_in(matcher, partition, "*");
		collect_role(plan, matcher, role);
		collect_organization(plan, matcher);
		free(role);
	} else {
		for (size_t i = 0; i < roster_count(matcher, NULL); i++) {
			char *role = roster_role(matcher, NULL, partition, i);
			collect_role(plan, matcher, role);
			free(role);
		}
	}
	free(partition);
}

/* --- documents -------------------------------------------------------------------------------- */

static struct json_object *list_of(const char *const *texts, size_t count)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(texts[i]));
	return array;
}

/* Adds {Sid, Effect, Action}; the caller adds what it is about. */
static struct json_object *add_statement(
    struct json_object *statements, const char *sid, const char *const *actions, size_t count)
{
	struct json_object *statement = json_object_new_object();
	json_add_string(statement, "Sid", sid);
	json_add_string(statement, "Effect", "Allow");
	json_object_object_add(statement, "Action", list_of(actions, count));
	json_object_array_add(statements, statement);
	return statement;
}

/* Takes `value`. */
static void add_condition(struct json_object *statement, const char *operation, const char *key,
    struct json_object *value)
{
	struct json_object *condition = json_object_new_object(), *test = json_object_new_object();
	json_object_object_add(test, key, value);
	json_object_object_add(condition, operation, test);
	json_object_object_add(statement, "Condition", condition);
}

/* Takes `statements`, which may be empty: then nothing is added. */
static void add_document(struct plan *plan, const char *identity, const char *kind,
    const char *purpose, struct json_object *statements)
{
	if (json_object_array_length(statements) == 0) {
		json_object_put(statements);
		return;
	}
	struct json_object *entry = json_object_new_object(), *document = json_object_new_object();
	char *account = arn_part(identity, 4);
	json_add_string(document, "Version", VERSION);
	json_object_object_add(document, "Statement", statements);
	json_add_string(entry, "account", account);
	json_add_string(entry, "identity", identity);
	json_add_string(entry, "kind", kind);
	json_add_string(entry, "purpose", purpose);
	json_object_object_add(entry, "document", document);
	json_object_array_add(plan->documents, entry);
	free(account);
}

static void add_trust(struct plan *plan, const char *role, const char *principal,
    const struct texts *external_ids, const char *purpose)
{
	static const char *const assume[] = {"sts:AssumeRole"};
	struct json_object *statements = json_object_new_array(),
			   *statement = add_statement(statements, "EksgateAssume", assume, 1),
			   *who = json_object_new_object();
	json_add_string(who, "AWS", principal);
	json_object_object_add(statement, "Principal", who);
	if (external_ids->count > 0)
		add_condition(statement, "StringEquals", "sts:ExternalId",
		    list_of(external_ids->items, external_ids->count));
	add_document(plan, role, "trust", purpose, statements);
}

/* The service of EC2 instances, which hands a role to its machines. */
static void add_instance_trust(struct plan *plan)
{
	static const char *const assume[] = {"sts:AssumeRole"};
	char *partition = arn_part(plan->principals->instance, 1);
	struct json_object *statements = json_object_new_array(),
			   *statement = add_statement(statements, "EksgateInstance", assume, 1),
			   *who = json_object_new_object();
	json_add_string(who, "Service",
	    strcmp(partition, "aws-cn") == 0 ? "ec2.amazonaws.com.cn" : "ec2.amazonaws.com");
	json_object_object_add(statement, "Principal", who);
	add_document(
	    plan, plan->principals->instance, "trust", "EC2 gives it to the instance", statements);
	free(partition);
}

/* Permission to assume `roles`, in as many documents as it takes. */
static void add_assuming(struct plan *plan, const char *identity, const struct texts *roles,
    const char *sid, const char *purpose)
{
	static const char *const assume[] = {"sts:AssumeRole"};
	for (size_t i = 0; i < roles->count; i += ROLES_PER_POLICY) {
		size_t count = roles->count - i;
		struct json_object *statements = json_object_new_array();
		json_object_object_add(add_statement(statements, sid, assume, 1), "Resource",
		    list_of(roles->items + i, count < ROLES_PER_POLICY ? count : ROLES_PER_POLICY));
		add_document(plan, identity, "permissions", purpose, statements);
	}
}

/* --- what an identity needs ------------------------------------------------------------------- */

static void add_everywhere(struct json_object *statement)
{
	json_object_object_add(statement, "Resource", json_object_new_string("*"));
}

static void limit_regions(struct json_object *statement, const struct identity *identity)
{
	if (!identity->has_wildcard)
		add_condition(statement, "StringEquals", "aws:RequestedRegion",
		    list_of(identity->regions.items, identity->regions.count));
}

static void add_discovery(struct json_object *statements, const struct identity *identity)
{
	static const char *const look[] = {
	    "eks:ListClusters", "eks:DescribeCluster", "tag:GetResources"};
	static const char *const regions[] = {"account:ListRegions"};
	struct json_object *statement =
	    add_statement(statements, "EKSDiscovery", look, sizeof look / sizeof look[0]);
	add_everywhere(statement);
	limit_regions(statement, identity);
	if (identity->has_wildcard)
		add_everywhere(add_statement(statements, "EKSDiscoveryRegions", regions, 1));
}

/* Takes both texts. */
static void add_resources(struct json_object *statement, char *first, char *second)
{
	const char *const texts[] = {first, second};
	json_object_object_add(statement, "Resource", list_of(texts, second != NULL ? 2 : 1));
	free(first);
	free(second);
}

static void add_access(
    const struct plan *plan, struct json_object *statements, const struct identity *identity)
{
	static const char *const manage[] = {"eks:CreateAccessEntry", "eks:DescribeAccessEntry",
	    "eks:UpdateAccessEntry", "eks:DeleteAccessEntry", "eks:TagResource"};
	static const char *const associate[] = {"eks:AssociateAccessPolicy"};
	char *partition = partition_of(plan, identity), *account = account_of(plan, identity);
	struct json_object *statement =
	    add_statement(statements, "EKSManageAccess", manage, sizeof manage / sizeof manage[0]);
	add_resources(statement, xasprintf("arn:%s:eks:*:%s:cluster/*", partition, account),
	    xasprintf("arn:%s:eks:*:%s:access-entry/*", partition, account));
	limit_regions(statement, identity);
	/* Nothing else than what the bootstrap grants, for as long as it takes, can be granted. */
	statement = add_statement(statements, "EKSManageAccessPolicies", associate, 1);
	add_resources(
	    statement, xasprintf("arn:%s:eks:*:%s:access-entry/*", partition, account), NULL);
	char *policy = xasprintf(
	    "arn:%s:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", partition);
	add_condition(statement, "StringEquals", "eks:policyArn", json_object_new_string(policy));
	free(policy);
	free(partition);
	free(account);
}

static void trust_instance(struct plan *plan, const char *role, const char *purpose)
{
	static const struct texts none = {0};
	if (plan->principals->instance != NULL)
		add_trust(plan, role, plan->principals->instance, &none, purpose);
}

static bool is_used(const struct identity *identity)
{
	return identity->has_wildcard || identity->regions.count > 0;
}

static void add_identity(struct plan *plan, const struct identity *identity)
{
	const char *arn =
	    identity->role_arn != NULL ? identity->role_arn : plan->principals->discovery;
	static const struct texts none = {0};
	struct json_object *statements = json_object_new_array();
	if (is_used(identity)) {
		add_discovery(statements, identity);
		if (identity->needs_access)
			add_access(plan, statements, identity);
	}
	add_document(
	    plan, arn, "permissions", "discoveryd looks, and arranges EKS access", statements);
	if (identity->role_arn != NULL)
		add_trust(plan, arn, plan->principals->discovery,
		    identity->is_trusted_bare ? &none : &identity->external_ids,
		    "discoveryd assumes it");
	else
		trust_instance(plan, arn, "discoveryd's unit assumes it on the instance");
}

/* A role of that name in whatever account the organization has. */
static void add_organization_role(struct plan *plan, const struct identity *identity)
{
	static const char *const assume[] = {"sts:AssumeRole"};
	struct json_object *statements = json_object_new_array(),
			   *statement = add_statement(statements, "EKSDiscoveryRoles", assume, 1);
	json_object_object_add(
	    statement, "Resource", list_of((const char *const *)&identity->role_arn, 1));
	add_condition(statement, "StringEquals", "aws:ResourceOrgID",
	    json_object_new_string(identity->organization));
	add_document(plan, plan->principals->discovery, "permissions",
	    "discoveryd assumes the role in each account of the organization", statements);
}

static void add_assumed_roles(struct plan *plan)
{
	struct texts roles = {0};
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->identities[i].organization != NULL)
			add_organization_role(plan, &plan->identities[i]);
		else if (plan->identities[i].role_arn != NULL)
			add_text(&roles, plan->identities[i].role_arn);
	}
	add_assuming(plan, plan->principals->discovery, &roles, "EKSDiscoveryRoles",
	    "discoveryd assumes the roles of its matchers");
	free(roles.items);
}

/* As a role that serves it needs no permission: it is for its token. */
static void add_bootstrap(struct plan *plan, const char *role)
{
	static const struct texts none = {0};
	struct texts roles = {0};
	if (role == NULL)
		return;
	add_text(&roles, role);
	add_assuming(plan, plan->principals->discovery, &roles, "EKSBootstrapRole",
	    "discoveryd assumes the role that creates RBAC objects");
	add_trust(plan, role, plan->principals->discovery, &none, "discoveryd assumes it");
	free(roles.items);
}

static void add_organization(struct plan *plan)
{
	const struct texts *actions = &plan->organization_actions;
	struct json_object *statements = json_object_new_array();
	if (actions->count > 0)
		add_everywhere(add_statement(
		    statements, "EKSDiscoveryOrganization", actions->items, actions->count));
	add_document(plan, plan->principals->discovery, "permissions",
	    "discoveryd lists the accounts of the organization", statements);
}

/* --- serving ---------------------------------------------------------------------------------- */

static void add_serving_role(struct plan *plan, const char *role, const char *principal)
{
	struct texts external_ids = {0};
	bool is_bare = false;
	for (size_t i = 0; i < plan->settings->kubernetes.resource_count; i++) {
		const struct resource_selector *resource = &plan->settings->kubernetes.resources[i];
		if (resource->assume_role_arn == NULL ||
		    strcmp(resource->assume_role_arn, role) != 0)
			continue;
		if (resource->external_id != NULL)
			add_text(&external_ids, resource->external_id);
		else
			is_bare = true;
	}
	if (is_bare)
		external_ids.count = 0;
	add_trust(plan, role, principal, &external_ids, "kubeproxyd assumes it");
	free(external_ids.items);
}

/* A role that serves needs no permission: an EKS token is made offline. */
static void add_serving(struct plan *plan)
{
	struct texts roles = {0};
	char *partition = arn_part(plan->principals->discovery, 1),
	     *account = arn_part(plan->principals->discovery, 4);
	char *root = xasprintf("arn:%s:iam::%s:root", partition, account);
	const char *principal =
	    plan->principals->serving != NULL ? plan->principals->serving : root;
	for (size_t i = 0; i < plan->settings->kubernetes.resource_count; i++) {
		const char *role = plan->settings->kubernetes.resources[i].assume_role_arn;
		if (role != NULL)
			add_text(&roles, role);
	}
	add_assuming(plan, principal, &roles, "EKSServingRoles",
	    "kubeproxyd assumes the roles that it serves with");
	trust_instance(plan, principal, "kubeproxyd's units assume it on the instance");
	for (size_t i = 0; i < roles.count; i++)
		add_serving_role(plan, roles.items[i], principal);
	free(roles.items);
	free(partition);
	free(account);
	free(root);
}

/* --- the instance that both run on ------------------------------------------------------------ */

static void add_instance(struct plan *plan)
{
	struct texts roles = {0};
	add_text(&roles, plan->principals->discovery);
	add_text(&roles, plan->principals->serving);
	add_assuming(plan, plan->principals->instance, &roles, "EksgateRoles",
	    "each daemon assumes its own role, and the instance may do nothing else");
	add_instance_trust(plan);
	free(roles.items);
}

/* --- public ----------------------------------------------------------------------------------- */

struct json_object *policy_documents(
    const struct settings *settings, const struct policy_principals *principals)
{
	struct plan plan = {
	    .settings = settings, .principals = principals, .documents = json_object_new_array()};
	(void)identity_of(&plan, NULL, NULL);
	for (size_t i = 0; i < settings->discovery.matcher_count; i++)
		collect_matcher(&plan, &settings->discovery.matchers[i]);
	if (principals->instance != NULL)
		add_instance(&plan);
	add_organization(&plan);
	add_assumed_roles(&plan);
	add_bootstrap(&plan, bootstrap_role_of(&plan));
	for (size_t i = 0; i < plan.count; i++)
		add_identity(&plan, &plan.identities[i]);
	add_serving(&plan);
	for (size_t i = 0; i < plan.count; i++) {
		free(plan.identities[i].role_arn);
		free(plan.identities[i].regions.items);
		free(plan.identities[i].external_ids.items);
	}
	free(plan.identities);
	free(plan.organization_actions.items);
	return plan.documents;
}
