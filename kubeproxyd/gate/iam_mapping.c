/* From ARNs to users and groups. An identity is let in by its account or by a pattern over its
 * ARN; then the first mapping that matches names it, and without one it is known by its ARN. The
 * name that a session gave itself counts only where a mapping says that it may. Called by iam.c. */
#include "kubeproxyd/gate/iam_mapping.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/pattern.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/iam_caller.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/principal.h"

struct iam_map {
	const struct iam_login *login;
	struct pattern **arns, **mappings;
	size_t arn_count, mapping_count;
};

/* The settings were checked: a pattern in them is one. */
static struct pattern *compile(const char *text)
{
	char *error = NULL;
	struct pattern *pattern = pattern_new(text, &error);
	if (pattern == NULL)
		abort();
	return pattern;
}

struct iam_map *iam_map_new(const struct iam_login *login)
{
	struct iam_map *map = xcalloc(1, sizeof *map);
	map->login = login;
	map->arn_count = login->arn_count;
	map->mapping_count = login->mapping_count;
	map->arns = xcalloc(login->arn_count + 1, sizeof(struct pattern *));
	map->mappings = xcalloc(login->mapping_count + 1, sizeof(struct pattern *));
	for (size_t i = 0; i < login->arn_count; i++)
		map->arns[i] = compile(login->arns[i]);
	for (size_t i = 0; i < login->mapping_count; i++)
		map->mappings[i] = compile(login->mappings[i].arn);
	return map;
}

void iam_map_free(struct iam_map **map)
{
	struct iam_map *old = *map;
	*map = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->arn_count; i++)
		pattern_free(&old->arns[i]);
	for (size_t i = 0; i < old->mapping_count; i++)
		pattern_free(&old->mappings[i]);
	free(old->arns);
	free(old->mappings);
	free(old);
}

void iam_map_set(struct iam_map *map, const struct iam_login *login)
{
	map->login = login;
}

/* --- who is let in --------------------------------------------------------------------------- */

static bool is_let_in(const struct iam_map *map, const struct iam_caller *caller)
{
	for (size_t i = 0; i < map->login->account_count; i++) {
		if (strcmp(map->login->accounts[i], caller->account) == 0)
			return true;
	}
	for (size_t i = 0; i < map->arn_count; i++) {
		if (pattern_match(map->arns[i], caller->arn))
			return true;
	}
	return false;
}

/* --- templates ------------------------------------------------------------------------------- */

struct variable {
	const char *name;
	const char *value; /* NULL: this identity has none */
};

/* `template` with its variables replaced, or NULL when one of them has no value (free()). */
static char *expand(const char *template, const struct variable *variables)
{
	struct buf out = {0};
	while (*template != '\0') {
		const struct variable *variable = variables;
		size_t len = strncmp(template, "{{", 2) == 0 ? strcspn(template, "}") : 0;
		while (len > 0 && variable->name != NULL &&
		       (strlen(variable->name) != len - 2 ||
			   strncmp(template + 2, variable->name, len - 2) != 0))
			variable++;
		if (len == 0 || variable->name == NULL) {
			buf_append_char(&out, *template ++);
			continue;
		}
		if (variable->value == NULL) {
			buf_free(&out);
			return NULL;
		}
		buf_append_text(&out, variable->value);
		template += len + 2;
	}
	return buf_take(&out);
}

/* A name made of a template, or NULL with *error. */
static char *name_from(const char *template, const struct variable *variables, char **error)
{
	char *name = expand(template, variables);
	if (name == NULL) {
		*error = xasprintf("\"%s\" has no value for it", template);
		return NULL;
	}
	const char *refusal = principal_refuse(name, strlen(name));
	if (refusal == NULL && principal_is_reserved(name))
		refusal = PRINCIPAL_RESERVED;
	if (refusal == NULL)
		return name;
	*error = xasprintf("the name that \"%s\" makes of it %s", template, refusal);
	free(name);
	return NULL;
}

static bool name_all(struct identity *identity, const struct iam_mapping *mapping,
    const struct variable *variables, char **error)
{
	identity->user = name_from(mapping->user, variables, error);
	identity->groups = xcalloc(mapping->group_count + 1, sizeof *identity->groups);
	for (size_t i = 0; identity->user != NULL && i < mapping->group_count; i++) {
		identity->groups[i] = name_from(mapping->groups[i], variables, error);
		if (identity->groups[i] == NULL)
			return false;
		identity->group_count++;
	}
	return identity->user != NULL;
}

static bool apply(struct identity *identity, const struct iam_mapping *mapping,
    const struct iam_caller *caller, const char *access_key_id, char **error)
{
	if (mapping->principal_id != NULL &&
	    strcmp(mapping->principal_id, caller->principal_id) != 0) {
		*error = xstrdup("a role or user of that name was made anew: it has another "
				 "principal id than the one that is let in");
		return false;
	}
	bool is_trusted = mapping->trust_session_name && caller->session_name != NULL;
	char *name = is_trusted ? xstrdup(caller->session_name) : NULL;
	for (char *at = name; at != NULL && *at != '\0'; at++) {
		if (*at == '@')
			*at = '-';
	}
	const struct variable variables[] = {
	    {"AccountID", caller->account},
	    {"RoleName", caller->role_name},
	    {"SessionName", name},
	    {"SessionNameRaw", is_trusted ? caller->session_name : NULL},
	    {"AccessKeyID", access_key_id},
	    {NULL, NULL},
	};
	bool is_named = name_all(identity, mapping, variables, error);
	free(name);
	return is_named;
}

static const struct iam_mapping *mapping_of(
    const struct iam_map *map, const struct iam_caller *caller)
{
	for (size_t i = 0; i < map->mapping_count; i++) {
		if (pattern_match(map->mappings[i], caller->arn))
			return &map->login->mappings[i];
	}
	return NULL;
}

struct identity *iam_map_identity(const struct iam_map *map, const struct iam_caller *caller,
    const char *access_key_id, char **error)
{
	*error = NULL;
	if (!is_let_in(map, caller)) {
		*error = xasprintf(
		    "%s is not among the accounts and ARNs that are let in here", caller->arn);
		return NULL;
	}
	struct identity *identity = xcalloc(1, sizeof *identity);
	identity->references = 1;
	identity->source = "iam";
	const struct iam_mapping *mapping = mapping_of(map, caller);
	bool is_named = true;
	if (mapping != NULL)
		is_named = apply(identity, mapping, caller, access_key_id, error);
	else
		identity->user = xstrdup(caller->arn);
	if (!is_named)
		identity_unref(&identity);
	return identity;
}
