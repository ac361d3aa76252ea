/* The rules of ID tokens (OpenID Connect Core 1.0, 3.1.3.7) and what becomes of their claims. Every
 * claim is of the type that it must be, or the token is refused; a restriction that cannot be read
 * refuses it too. Called by oidc.c. */
#include "kubeproxyd/gate/oidc_claims.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/principal.h"

/* How far the issuer's clock may be ahead of ours. The end of a token is its end. */
#define SKEW_MS	      60000
#define MAX_AUDIENCES 100
/* An audience of ours with this and a name behind it is for that cluster alone. */
#define SCOPE_INFIX "/clusters/"

/* --- claims ---------------------------------------------------------------------------------- */

static struct json_object *find(struct json_object *claims, const char *name)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(claims, name, &value);
	return value;
}

static bool holds_nul(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value);
}

/* A text that holds a NUL would be another one here than at its issuer. Whatever the claim: roles
 * may ask for each of them. */
static bool check_texts(struct json_object *claims, char **error)
{
	json_object_object_foreach(claims, name, value)
	{
		bool is_list = json_object_is_type(value, json_type_array);
		bool is_bad = holds_nul(value);
		size_t count = is_list ? json_object_array_length(value) : 0;
		for (size_t i = 0; !is_bad && i < count; i++)
			is_bad = holds_nul(json_object_array_get_idx(value, i));
		if (is_bad && *error == NULL)
			*error = xasprintf("its %.64s holds a NUL", name);
	}
	return *error == NULL;
}

/* The text of a value, or NULL; check_texts() went before. */
static const char *text_of(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* Seconds since 1970, whole or not (RFC 7519, 2). */
static bool time_of(struct json_object *value, struct unix_time *at)
{
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return false;
	double seconds = json_object_get_double(value);
	if (!isfinite(seconds) || seconds <= 0 || seconds > 1e11)
		return false;
	at->ms = (int64_t)(seconds * 1000);
	return true;
}

/* --- when ------------------------------------------------------------------------------------ */

static bool check_end(
    struct json_object *claims, struct unix_time now, struct unix_time *expires, char **error)
{
	char at[UNIX_TIME_TEXT];
	if (!time_of(find(claims, "exp"), expires))
		*error = xstrdup("its exp is missing or no time");
	else if (now.ms >= expires->ms)
		*error = xasprintf("it expired at %s: log in again", unix_time_text(*expires, at));
	return *error == NULL;
}

static bool check_begin(
    struct json_object *claims, const char *name, struct unix_time now, char **error)
{
	struct json_object *value = find(claims, name);
	struct unix_time begin;
	if (value == NULL)
		return true;
	if (!time_of(value, &begin))
		*error = xasprintf("its %s is no time", name);
	else if (begin.ms > now.ms + SKEW_MS)
		*error = xasprintf("its %s lies in the future: the clocks of the issuer and of "
				   "this proxy differ",
		    name);
	return *error == NULL;
}

static bool check_times(
    struct json_object *claims, struct unix_time now, struct unix_time *expires, char **error)
{
	return check_end(claims, now, expires, error) && check_begin(claims, "nbf", now, error) &&
	       check_begin(claims, "iat", now, error);
}

/* --- for whom -------------------------------------------------------------------------------- */

static bool check_issuer(const struct oidc_login *login, struct json_object *claims, char **error)
{
	const char *issuer = text_of(find(claims, "iss"));
	if (issuer != NULL && strcmp(issuer, login->issuer) == 0)
		return true;
	*error = xasprintf("its iss is not %s", login->issuer);
	return false;
}

/* The cluster's name in "OURS/clusters/NAME"; NULL when `audience` is nothing of the kind. */
static const char *scope_in(const struct oidc_login *login, const char *audience)
{
	for (size_t i = 0; i < login->audience_count; i++) {
		size_t len = strlen(login->audiences[i]);
		if (strncmp(audience, login->audiences[i], len) == 0 &&
		    strncmp(audience + len, SCOPE_INFIX, strlen(SCOPE_INFIX)) == 0)
			return audience + len + strlen(SCOPE_INFIX);
	}
	return NULL;
}

static bool is_ours(const struct oidc_login *login, const char *audience)
{
	for (size_t i = 0; i < login->audience_count; i++) {
		if (strcmp(login->audiences[i], audience) == 0)
			return true;
	}
	return false;
}

static bool set_scope(struct identity *identity, const char *name, char **error)
{
	if (!kube_cluster_name_is_valid(name))
		*error = xstrdup("it is restricted to something that is no name of a cluster");
	else if (identity->cluster != NULL && strcmp(identity->cluster, name) != 0)
		*error = xstrdup("it is restricted to more than one cluster");
	else if (identity->cluster == NULL)
		identity->cluster = xstrdup(name);
	return *error == NULL;
}

static bool take_audience(const struct oidc_login *login, struct json_object *value,
    struct identity *identity, bool *is_found, char **error)
{
	const char *audience = text_of(value);
	if (audience == NULL) {
		*error = xstrdup("its aud is neither a text nor a list of texts");
		return false;
	}
	const char *scope = scope_in(login, audience);
	*is_found = *is_found || scope != NULL || is_ours(login, audience);
	return scope == NULL || set_scope(identity, scope, error);
}

static bool check_audience(const struct oidc_login *login, struct json_object *claims,
    struct identity *identity, char **error)
{
	struct json_object *list = find(claims, "aud");
	bool is_list = json_object_is_type(list, json_type_array);
	size_t count = is_list ? json_object_array_length(list) : 1;
	bool is_found = false;
	if (count > MAX_AUDIENCES)
		*error = xasprintf("it has more than %d audiences", MAX_AUDIENCES);
	for (size_t i = 0; *error == NULL && i < count; i++) {
		struct json_object *value = is_list ? json_object_array_get_idx(list, i) : list;
		if (!take_audience(login, value, identity, &is_found, error))
			return false;
	}
	if (*error == NULL && !is_found)
		*error =
		    xasprintf("it is for somebody else: its aud is not %s", login->audiences[0]);
	return *error == NULL;
}

static bool check_cluster(const struct oidc_login *login, struct json_object *claims,
    struct identity *identity, char **error)
{
	struct json_object *value = NULL;
	if (login->cluster_claim == NULL ||
	    !json_object_object_get_ex(claims, login->cluster_claim, &value))
		return true;
	const char *name = text_of(value);
	return set_scope(identity, name != NULL ? name : "", error);
}

static bool check_required(const struct oidc_login *login, struct json_object *claims, char **error)
{
	for (size_t i = 0; i < login->required_claim_count; i++) {
		const char *pair = login->required_claims[i];
		const char *equals = strchr(pair, '=');
		char *name = xstrndup(pair, (size_t)(equals - pair));
		const char *value = text_of(find(claims, name));
		if (value == NULL || strcmp(value, equals + 1) != 0)
			*error = xasprintf("its %s is not what is required here", name);
		free(name);
		if (*error != NULL)
			return false;
	}
	return true;
}

/* --- who ------------------------------------------------------------------------------------- */

/* `prefix` and `text` as a name, or NULL with *error, which calls it `what`. */
static char *name_of(const char *what, const char *prefix, const char *text, char **error)
{
	char *name = xasprintf("%s%s", prefix != NULL ? prefix : "", text);
	const char *refusal = principal_refuse(name, strlen(name));
	if (*text == '\0')
		refusal = "is empty";
	if (refusal == NULL)
		return name;
	*error = xasprintf("%s that it names %s", what, refusal);
	free(name);
	return NULL;
}

/* Whoever may write any address into an account must not become its owner. */
static bool is_email_verified(
    const struct oidc_login *login, struct json_object *claims, char **error)
{
	struct json_object *verified = NULL;
	if (strcmp(login->username_claim, "email") != 0 ||
	    !json_object_object_get_ex(claims, "email_verified", &verified))
		return true;
	if (json_object_is_type(verified, json_type_boolean) && json_object_get_boolean(verified))
		return true;
	*error = xstrdup("its email is not verified");
	return false;
}

static bool read_user(const struct oidc_login *login, struct json_object *claims,
    struct identity *identity, char **error)
{
	const char *text = text_of(find(claims, login->username_claim));
	if (text == NULL) {
		*error = xasprintf("its %s, which names the user, is missing or no text (what "
				   "issuers put there, kubeconfigs ask for by "
				   "eksgate.proxy.login.oidc[].scopes)",
		    login->username_claim);
		return false;
	}
	identity->user = name_of("the user", login->username_prefix, text, error);
	if (identity->user == NULL || !is_email_verified(login, claims, error))
		return false;
	if (principal_is_reserved(identity->user))
		*error = xstrdup("the user that it names " PRINCIPAL_RESERVED);
	else if (principal_is_arn(identity->user))
		*error =
		    xstrdup("the user that it names " PRINCIPAL_ARN
			    " (eksgate.proxy.login.oidc[].username_prefix makes another name)");
	return *error == NULL;
}

static bool add_group(const struct oidc_login *login, struct json_object *value,
    struct identity *identity, char **error)
{
	const char *text = text_of(value);
	if (text == NULL) {
		*error =
		    xasprintf("its %s are neither a text nor a list of texts", login->groups_claim);
		return false;
	}
	char *group = name_of("a group", login->groups_prefix, text, error);
	if (group != NULL)
		identity->groups[identity->group_count++] = group;
	return group != NULL;
}

static bool read_groups(const struct oidc_login *login, struct json_object *claims,
    struct identity *identity, char **error)
{
	struct json_object *value = find(claims, login->groups_claim);
	bool is_list = json_object_is_type(value, json_type_array);
	size_t count = is_list ? json_object_array_length(value) : value != NULL;
	if (count > OIDC_MAX_GROUPS) {
		*error = xasprintf("it names more than %d groups", OIDC_MAX_GROUPS);
		return false;
	}
	identity->groups = xcalloc(count + 1, sizeof *identity->groups);
	for (size_t i = 0; i < count; i++) {
		if (!add_group(login, is_list ? json_object_array_get_idx(value, i) : value,
			identity, error))
			return false;
	}
	return true;
}

static bool add_traits(const char *name, struct json_object *value, struct identity *identity)
{
	bool is_list = json_object_is_type(value, json_type_array);
	size_t count = is_list ? json_object_array_length(value) : 1;
	bool has_room = true;
	for (size_t i = 0; has_room && i < count; i++) {
		const char *text = text_of(is_list ? json_object_array_get_idx(value, i) : value);
		has_room = text == NULL || traits_add(&identity->traits, name, text);
	}
	return has_room;
}

/* Texts and lists of texts, for the templates and expressions of roles. All of them, or the token
 * is refused: a role may deny by one that was left out. */
static bool read_traits(struct json_object *claims, struct identity *identity, char **error)
{
	json_object_object_foreach(claims, name, value)
	{
		if (*error == NULL && !add_traits(name, value, identity))
			*error = xasprintf("it has too many claims, or values of %.64s", name);
	}
	return *error == NULL;
}

struct identity *oidc_identity(
    const struct oidc_login *login, struct json_object *claims, struct unix_time now, char **error)
{
	struct identity *identity = xcalloc(1, sizeof *identity);
	identity->references = 1;
	identity->source = "oidc";
	*error = NULL;
	if (check_texts(claims, error) && check_issuer(login, claims, error) &&
	    check_audience(login, claims, identity, error) &&
	    check_times(claims, now, &identity->expires, error) &&
	    check_cluster(login, claims, identity, error) && check_required(login, claims, error) &&
	    read_user(login, claims, identity, error) &&
	    read_groups(login, claims, identity, error) && read_traits(claims, identity, error))
		return identity;
	identity_unref(&identity);
	return NULL;
}
