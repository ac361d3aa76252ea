/* Impersonation rules (reference kube.md 2.3). Teleport's key "impersonate" is about something
 * else, issuing credentials, and documents that have it must not open this: hence a key of its own.
 * Called by role.c and decide_as.c. */
#include "kubeproxyd/policy/impersonation.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/matcher.h"
#include "kubeproxyd/policy/principal.h"
#include "kubeproxyd/policy/resource_rule.h"
#include "kubeproxyd/policy/template.h"

#define ACCOUNT "system:serviceaccount:"

static const char *const keys[] = {"users", "groups", "service_accounts", "uids", "extra", NULL};

struct extra_rule {
	char *key;
	struct matchers values;
};

struct impersonation {
	struct matchers users, groups, service_accounts, uids;
	struct extra_rule *extras;
	size_t extra_count;
	char *proxy_group; /* or NULL */
};

/* --- names of Kubernetes', EKS's and our own ------------------------------------------------- */

/* A name that is one of these, or begins so, is taken only by a pattern that is it, or begins so.
 * In the order of looking. */
static const struct reserved {
	const char *text;
	bool is_prefix;
} reserved[] = {
    {"system:masters", false},
    {"system:nodes", false},
    {"system:serviceaccounts", false},
    {"system:serviceaccounts:kube-system", false},
    {"system:node:", true},
    {ACCOUNT "kube-system:", true},
    {"system:", true},
    /* EKS's components, some of which may do nearly anything. */
    {"eks:", true},
    /* Ours, who may impersonate anybody. */
    {PRINCIPAL_OWN_GROUP, false},
    {"aws:", true},
    {"amazon:", true},
    {"iam:", true},
    {NULL, false},
};
static const struct reserved reserved_accounts[] = {{"kube-system:", true}, {NULL, false}};

static const struct reserved *reservation_of(const struct reserved *list, const char *name)
{
	for (; list->text != NULL; list++) {
		bool is_it = list->is_prefix ? strncmp(name, list->text, strlen(list->text)) == 0
					     : strcmp(name, list->text) == 0;
		if (is_it)
			return list;
	}
	return NULL;
}

static bool spells(const struct matcher *matcher, const struct reserved *reservation)
{
	const char *text = matcher_text(matcher);
	if (!reservation->is_prefix)
		return matcher->kind == MATCHER_TEXT;
	return strncmp(text, reservation->text, strlen(reservation->text)) == 0;
}

static bool give(const struct matchers *matchers, const struct reserved *list, const char *name)
{
	const struct reserved *reservation = reservation_of(list, name);
	struct word word = word_of(name);
	for (size_t i = 0; i < matchers->count; i++) {
		const struct matcher *matcher = &matchers->items[i];
		if (matcher_takes(matcher, &word) &&
		    (reservation == NULL || spells(matcher, reservation)))
			return true;
	}
	return false;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* "NAMESPACE:NAME" of a user that is a service account, or NULL. */
static const char *account_of(const char *user)
{
	return strncmp(user, ACCOUNT, strlen(ACCOUNT)) == 0 ? user + strlen(ACCOUNT) : NULL;
}

bool impersonation_gives_user(const struct impersonation *rule, const char *user)
{
	const char *account = account_of(user);
	if (rule == NULL)
		return false;
	return (account != NULL && give(&rule->service_accounts, reserved_accounts, account)) ||
	       give(&rule->users, reserved, user);
}

bool impersonation_gives_group(const struct impersonation *rule, const char *group)
{
	if (rule == NULL)
		return false;
	if (rule->proxy_group != NULL && strcmp(group, rule->proxy_group) == 0)
		return give(
		    &rule->groups, (struct reserved[]){{group, false}, {NULL, false}}, group);
	return give(&rule->groups, reserved, group);
}

static bool matches(const struct matchers *matchers, const char *name)
{
	struct word word = word_of(name);
	return matchers_take(matchers, &word);
}

bool impersonation_denies_user(const struct impersonation *rule, const char *user)
{
	const char *account = account_of(user);
	if (rule == NULL)
		return false;
	return (account != NULL && matches(&rule->service_accounts, account)) ||
	       matches(&rule->users, user);
}

bool impersonation_denies_group(const struct impersonation *rule, const char *group)
{
	return rule != NULL && matches(&rule->groups, group);
}

bool impersonation_takes_uid(const struct impersonation *rule, const char *uid)
{
	return rule != NULL && matches(&rule->uids, uid);
}

bool impersonation_takes_extra(const struct impersonation *rule, const char *key, const char *value)
{
	struct word word = word_of(value);
	for (size_t i = 0; rule != NULL && i < rule->extra_count; i++) {
		if (strcmp(rule->extras[i].key, key) == 0 &&
		    matchers_take(&rule->extras[i].values, &word))
			return true;
	}
	return false;
}

void impersonation_each_extra(
    const struct impersonation *rule, void (*fn)(void *arg, const char *key), void *arg)
{
	for (size_t i = 0; rule != NULL && i < rule->extra_count; i++)
		fn(arg, rule->extras[i].key);
}

/* --- reading --------------------------------------------------------------------------------- */

static void on_pattern(void *arg, struct reading *reading, const struct yaml_node *value)
{
	struct matchers *matchers = arg;
	struct matcher matcher;
	char *error = NULL;
	if (value->text[0] == '\0')
		reading_fail(reading, value, "kubernetes_impersonate: a name is empty");
	else if (template_is_one(value->text))
		reading_fail(reading, value, "kubernetes_impersonate has no templates");
	else if (matcher_init(&matcher, value->text, &error))
		matchers_add(matchers, matcher);
	else
		reading_fail(
		    reading, value, "kubernetes_impersonate \"%s\": %s", value->text, error);
	free(error);
}

static void read_extras(
    struct reading *reading, const struct yaml_node *node, struct impersonation *rule)
{
	const struct yaml_node *extras = reading_map(reading, node, "extra");
	for (size_t i = 0; extras != NULL && i < extras->count; i++) {
		rule->extras =
		    xreallocarray(rule->extras, rule->extra_count + 1, sizeof *rule->extras);
		struct extra_rule *extra = &rule->extras[rule->extra_count++];
		*extra = (struct extra_rule){.key = xstrdup(extras->keys[i].text)};
		if (extra->key[strspn(extra->key, ACT_AS_KEY_CHARACTERS)] != '\0')
			reading_fail_key(reading, extras, extra->key,
			    "kubernetes_impersonate: the key of an extra is of lower case letters, "
			    "digits and \"/-._\", as API servers read it");
		reading_each(reading, extras, extra->key, on_pattern, &extra->values);
	}
}

struct impersonation *impersonation_read(
    struct reading *reading, const struct yaml_node *side, const char *key)
{
	const struct yaml_node *node = reading_map(reading, side, key);
	size_t findings = reading->findings->len;
	if (node == NULL)
		return NULL;
	struct impersonation *rule = xcalloc(1, sizeof *rule);
	rule->proxy_group = xstrdup_or_null(reading->proxy_group);
	reading_check_keys(reading, node, keys, NULL);
	reading_each(reading, node, "users", on_pattern, &rule->users);
	reading_each(reading, node, "groups", on_pattern, &rule->groups);
	reading_each(reading, node, "service_accounts", on_pattern, &rule->service_accounts);
	reading_each(reading, node, "uids", on_pattern, &rule->uids);
	read_extras(reading, node, rule);
	if (reading->findings->len != findings)
		impersonation_free(&rule);
	return rule;
}

void impersonation_free(struct impersonation **impersonation)
{
	struct impersonation *old = *impersonation;
	*impersonation = NULL;
	if (old == NULL)
		return;
	matchers_free(&old->users);
	matchers_free(&old->groups);
	matchers_free(&old->service_accounts);
	matchers_free(&old->uids);
	for (size_t i = 0; i < old->extra_count; i++) {
		free(old->extras[i].key);
		matchers_free(&old->extras[i].values);
	}
	free(old->extras);
	free(old->proxy_group);
	free(old);
}
