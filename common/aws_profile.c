/* Profile resolution after the rules of AWS's SDKs: keys of the credentials file win over those of
 * the config file, role_arn is assumed with what source_profile gives, recursively. What is
 * incomplete or not supported is an error that names profile, key and file: acting as somebody else
 * instead would be worse. Called by the default credential provider at each refresh. */
#include "common/aws_profile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws_endpoint.h"
#include "common/aws_files.h"
#include "common/buf.h"
#include "common/xmem.h"

#define MIN_DURATION 900
#define MAX_DURATION 43200

struct resolver {
	const struct aws_ini *config;
	const struct aws_ini *credentials;
	const char *path[AWS_PROFILE_MAX_DEPTH]; /* the profiles on the way here */
	size_t depth;
	struct aws_plan *plan;
	char **error;
};

static void free_role(struct aws_plan_role *role)
{
	xfree(&role->arn);
	xfree(&role->external_id);
	xfree(&role->session_name);
}

void aws_plan_free(struct aws_plan *plan)
{
	char **const texts[] = {&plan->text, &plan->origin, &plan->token_file, &plan->sso.session,
	    &plan->sso.start_url, &plan->sso.region, &plan->sso.account, &plan->sso.role,
	    &plan->metadata.endpoint, &plan->looked, &plan->region};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		xfree(texts[i]);
	xfree_secret(&plan->command);
	aws_credentials_free(&plan->credentials);
	free_role(&plan->web_role);
	for (size_t i = 0; i < plan->role_count; i++)
		free_role(&plan->roles[i]);
	xfree(&plan->roles);
	plan->role_count = 0;
}

static struct aws_setting setting_in(
    const struct aws_ini *ini, const char *profile, const char *key)
{
	const struct aws_ini_property *property = aws_ini_get(ini, profile, key);
	if (property == NULL)
		return (struct aws_setting){0};
	return (struct aws_setting){property->value, ini->file, property->line};
}

static struct aws_setting setting_of(
    const struct resolver *resolver, const char *profile, const char *key)
{
	return aws_setting_of(resolver->config, resolver->credentials, profile, key);
}

static enum aws_profile_result refuse(
    struct resolver *resolver, const char *profile, struct aws_setting at, char *what)
{
	*resolver->error = at.file != NULL
			       ? xasprintf("%s:%u: profile %s: %s", at.file, at.line, profile, what)
			       : xasprintf("profile %s: %s", profile, what);
	xfree(&what);
	return AWS_PROFILE_ERROR;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Key, secret and token of one file: never a key of one with the token of the other. */
static enum aws_profile_result take_keys(
    struct resolver *resolver, const char *profile, const struct aws_ini *ini)
{
	struct aws_setting key = setting_in(ini, profile, "aws_access_key_id");
	struct aws_setting secret = setting_in(ini, profile, "aws_secret_access_key");
	struct aws_setting token = setting_in(ini, profile, "aws_session_token");
	if (key.value == NULL && secret.value == NULL)
		return AWS_PROFILE_EMPTY;
	if (key.value == NULL || *key.value == '\0')
		return refuse(resolver, profile, secret,
		    xstrdup("aws_secret_access_key without aws_access_key_id"));
	if (secret.value == NULL || *secret.value == '\0')
		return refuse(resolver, profile, key,
		    xstrdup("aws_access_key_id without aws_secret_access_key"));
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xstrdup(key.value);
	credentials->secret_access_key = xstrdup(secret.value);
	if (token.value != NULL && *token.value != '\0')
		credentials->session_token = xstrdup(token.value);
	credentials->source = xasprintf("profile %s", profile);
	resolver->plan->base = AWS_BASE_KEYS;
	resolver->plan->credentials = credentials;
	char *why = NULL;
	if (aws_credentials_are_sound(credentials, &why))
		return AWS_PROFILE_OK;
	return refuse(resolver, profile, key, why);
}

static enum aws_profile_result take_static_keys(struct resolver *resolver, const char *profile)
{
	enum aws_profile_result result = take_keys(resolver, profile, resolver->credentials);
	return result != AWS_PROFILE_EMPTY ? result
					   : take_keys(resolver, profile, resolver->config);
}

/* --- other bases ----------------------------------------------------------------------------- */

static enum aws_profile_result set_base(
    struct resolver *resolver, enum aws_base base, const char *profile, struct aws_setting at)
{
	resolver->plan->base = base;
	resolver->plan->origin = xasprintf("%s:%u: profile %s", at.file, at.line, profile);
	return AWS_PROFILE_OK;
}

static enum aws_profile_result take_named_source(
    struct resolver *resolver, const char *profile, struct aws_setting source)
{
	static const struct {
		const char *name;
		enum aws_base base;
	} sources[] = {{"Environment", AWS_BASE_ENVIRONMENT},
	    {"Ec2InstanceMetadata", AWS_BASE_METADATA}, {"EcsContainer", AWS_BASE_CONTAINER}};
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (strcasecmp(source.value, sources[i].name) == 0)
			return set_base(resolver, sources[i].base, profile, source);
	}
	return refuse(resolver, profile, source,
	    xstrdup("credential_source must be Environment, Ec2InstanceMetadata or EcsContainer"));
}

/* The session's settings, or those of the profile itself, the older way; NULL when not set. */
static const char *sso_setting(
    const struct resolver *resolver, const char *profile, const char *session, const char *key)
{
	if (session == NULL)
		return setting_of(resolver, profile, key).value;
	const struct aws_ini_property *property =
	    aws_ini_get_in(resolver->config, AWS_INI_SSO_SESSION, session, key);
	return property != NULL && *property->value != '\0' ? property->value : NULL;
}

static enum aws_profile_result check_sso(
    struct resolver *resolver, const char *profile, struct aws_setting at)
{
	const struct aws_plan_sso *sso = &resolver->plan->sso;
	const char *const names[] = {
	    "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"};
	const char *const values[] = {sso->start_url, sso->region, sso->account, sso->role};
	for (size_t i = 0; i < 4; i++) {
		bool is_of_session = sso->session != NULL && i < 2;
		if (values[i] == NULL)
			return refuse(resolver, profile, at,
			    xasprintf("%s is missing%s%s", names[i],
				is_of_session ? " in sso-session " : "",
				is_of_session ? sso->session : ""));
	}
	if (!aws_region_is_valid(sso->region))
		return refuse(resolver, profile, at, xstrdup("sso_region is no region"));
	return set_base(resolver, AWS_BASE_SSO, profile, at);
}

static enum aws_profile_result take_sso(
    struct resolver *resolver, const char *profile, struct aws_setting at, const char *session)
{
	struct aws_plan_sso *sso = &resolver->plan->sso;
	if (session != NULL && !aws_ini_has(resolver->config, AWS_INI_SSO_SESSION, session))
		return refuse(resolver, profile, at,
		    xasprintf("there is no section [sso-session %s]", session));
	sso->session = xstrdup_or_null(session);
	sso->start_url = xstrdup_or_null(sso_setting(resolver, profile, session, "sso_start_url"));
	sso->region = xstrdup_or_null(sso_setting(resolver, profile, session, "sso_region"));
	sso->account = xstrdup_or_null(setting_of(resolver, profile, "sso_account_id").value);
	sso->role = xstrdup_or_null(setting_of(resolver, profile, "sso_role_name").value);
	return check_sso(resolver, profile, at);
}

/* SSO and credential_process; EMPTY when the profile has neither. */
static enum aws_profile_result take_login(struct resolver *resolver, const char *profile)
{
	struct aws_setting session = setting_of(resolver, profile, "sso_session");
	if (session.value != NULL)
		return take_sso(resolver, profile, session, session.value);
	struct aws_setting start = setting_of(resolver, profile, "sso_start_url");
	if (start.value != NULL)
		return take_sso(resolver, profile, start, NULL);
	struct aws_setting login = setting_of(resolver, profile, "login_session");
	if (login.value != NULL)
		return refuse(resolver, profile, login,
		    xstrdup("login_session is not supported; use sso_session, "
			    "credential_process or a role"));
	struct aws_setting command = setting_of(resolver, profile, "credential_process");
	if (command.value == NULL)
		return AWS_PROFILE_EMPTY;
	resolver->plan->command = xstrdup(command.value);
	return set_base(resolver, AWS_BASE_PROCESS, profile, command);
}

/* --- roles ----------------------------------------------------------------------------------- */

static enum aws_profile_result resolve(struct resolver *resolver, const char *profile);

static char *path_text(const struct resolver *resolver, const char *last)
{
	struct buf text = {0};
	for (size_t i = 0; i < resolver->depth; i++)
		buf_printf(&text, "%s -> ", resolver->path[i]);
	buf_append_text(&text, last);
	return buf_take(&text);
}

/* Refuses loops and chains that are too long; else goes into the source. */
static enum aws_profile_result resolve_source(
    struct resolver *resolver, const char *profile, struct aws_setting source)
{
	for (size_t i = 0; i < resolver->depth; i++) {
		if (strcmp(resolver->path[i], source.value) != 0)
			continue;
		char *path = path_text(resolver, source.value);
		char *what = xasprintf("source_profile goes in a circle: %s", path);
		xfree(&path);
		return refuse(resolver, profile, source, what);
	}
	if (resolver->depth == AWS_PROFILE_MAX_DEPTH)
		return refuse(resolver, profile, source,
		    xasprintf("source_profile leads through more than %d profiles",
			AWS_PROFILE_MAX_DEPTH));
	enum aws_profile_result result = resolve(resolver, source.value);
	if (result != AWS_PROFILE_EMPTY)
		return result;
	return refuse(resolver, profile, source,
	    xasprintf("source_profile names %s, which has no credentials", source.value));
}

static bool read_duration(const char *text, unsigned *seconds)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*text == '-' || end == text || *end != '\0' || value < MIN_DURATION ||
	    value > MAX_DURATION)
		return false;
	*seconds = (unsigned)value;
	return true;
}

static enum aws_profile_result read_role(
    struct resolver *resolver, const char *profile, const char *arn, struct aws_plan_role *role)
{
	struct aws_setting duration = setting_of(resolver, profile, "duration_seconds");
	unsigned seconds = 0;
	if (duration.value != NULL && !read_duration(duration.value, &seconds))
		return refuse(resolver, profile, duration,
		    xasprintf("duration_seconds must be a number from %d to %d", MIN_DURATION,
			MAX_DURATION));
	*role = (struct aws_plan_role){.arn = xstrdup(arn),
	    .external_id = xstrdup_or_null(setting_of(resolver, profile, "external_id").value),
	    .session_name =
		xstrdup_or_null(setting_of(resolver, profile, "role_session_name").value),
	    .duration_seconds = seconds};
	return AWS_PROFILE_OK;
}

static enum aws_profile_result add_role(
    struct resolver *resolver, const char *profile, const char *arn)
{
	struct aws_plan *plan = resolver->plan;
	struct aws_plan_role role;
	enum aws_profile_result result = read_role(resolver, profile, arn, &role);
	if (result != AWS_PROFILE_OK)
		return result;
	plan->roles = xreallocarray(plan->roles, plan->role_count + 1, sizeof *plan->roles);
	plan->roles[plan->role_count++] = role;
	return AWS_PROFILE_OK;
}

static enum aws_profile_result take_web_identity(
    struct resolver *resolver, const char *profile, struct aws_setting file, struct aws_setting arn)
{
	if (arn.value == NULL)
		return refuse(resolver, profile, file,
		    xstrdup("web_identity_token_file needs role_arn beside it"));
	resolver->plan->token_file = aws_expanded_path(file.value);
	enum aws_profile_result result =
	    read_role(resolver, profile, arn.value, &resolver->plan->web_role);
	if (result != AWS_PROFILE_OK)
		return result;
	return set_base(resolver, AWS_BASE_WEB_IDENTITY, profile, file);
}

/* What the role of a profile is assumed with, when source_profile says it. */
static enum aws_profile_result take_source_profile(
    struct resolver *resolver, const char *profile, struct aws_setting source)
{
	if (strcmp(source.value, profile) != 0)
		return resolve_source(resolver, profile, source);
	enum aws_profile_result result = take_static_keys(resolver, profile);
	if (result != AWS_PROFILE_EMPTY)
		return result;
	return refuse(resolver, profile, source,
	    xstrdup("source_profile names the profile itself, which has no keys"));
}

static enum aws_profile_result resolve_role(
    struct resolver *resolver, const char *profile, struct aws_setting arn)
{
	struct aws_setting source = setting_of(resolver, profile, "source_profile");
	struct aws_setting other = setting_of(resolver, profile, "credential_source");
	struct aws_setting mfa = setting_of(resolver, profile, "mfa_serial");
	struct aws_setting web = setting_of(resolver, profile, "web_identity_token_file");
	if (source.value != NULL && other.value != NULL)
		return refuse(resolver, profile, other,
		    xstrdup("credential_source and source_profile exclude each other"));
	if (mfa.value != NULL)
		return refuse(resolver, profile, mfa,
		    xstrdup("mfa_serial asks for a code at each refresh: a daemon cannot"));
	if (web.value != NULL && source.value == NULL && other.value == NULL)
		return take_web_identity(resolver, profile, web, arn);
	enum aws_profile_result result;
	if (source.value != NULL)
		result = take_source_profile(resolver, profile, source);
	else if (other.value != NULL)
		result = take_named_source(resolver, profile, other);
	else
		result = take_login(resolver, profile);
	if (result == AWS_PROFILE_EMPTY)
		return refuse(resolver, profile, arn,
		    xstrdup("role_arn needs source_profile, credential_source or "
			    "web_identity_token_file beside it"));
	return result == AWS_PROFILE_OK ? add_role(resolver, profile, arn.value) : result;
}

static enum aws_profile_result resolve(struct resolver *resolver, const char *profile)
{
	resolver->path[resolver->depth++] = profile;
	struct aws_setting arn = setting_of(resolver, profile, "role_arn");
	if (arn.value != NULL)
		return resolve_role(resolver, profile, arn);
	enum aws_profile_result result = take_static_keys(resolver, profile);
	if (result != AWS_PROFILE_EMPTY)
		return result;
	struct aws_setting source = setting_of(resolver, profile, "source_profile");
	if (source.value != NULL)
		return resolve_source(resolver, profile, source);
	struct aws_setting named = setting_of(resolver, profile, "credential_source");
	if (named.value != NULL)
		return take_named_source(resolver, profile, named);
	struct aws_setting web = setting_of(resolver, profile, "web_identity_token_file");
	if (web.value != NULL)
		return take_web_identity(resolver, profile, web, arn);
	return take_login(resolver, profile);
}

enum aws_profile_result aws_profile_resolve(const struct aws_ini *config,
    const struct aws_ini *credentials, const char *profile, struct aws_plan *plan, char **error)
{
	struct resolver resolver = {
	    .config = config, .credentials = credentials, .plan = plan, .error = error};
	*plan = (struct aws_plan){0};
	*error = NULL;
	enum aws_profile_result result = resolve(&resolver, profile);
	if (result != AWS_PROFILE_OK) {
		aws_plan_free(plan);
		return result;
	}
	plan->text = xasprintf("profile %s", profile);
	plan->region = xstrdup_or_null(setting_of(&resolver, profile, "region").value);
	return result;
}
