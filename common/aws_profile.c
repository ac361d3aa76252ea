/* Profile resolution after the rules of AWS's SDKs: keys of the credentials file win over those of
 * the config file, role_arn is assumed with what source_profile gives, recursively. Kinds of
 * sources that are not supported yet are errors that name profile, key and file: acting as somebody
 * else instead would be worse. Called by the default credential provider at each refresh. */
#include "common/aws_profile.h"

#include <stdlib.h>
#include <string.h>

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

/* A value and the file it stands in. */
struct setting {
	const char *value; /* NULL: not set */
	const char *file;
	unsigned line;
};

static const char *const unsupported_keys[] = {"web_identity_token_file", "sso_session",
    "sso_start_url", "credential_process", "credential_source", "login_session"};

void aws_plan_free(struct aws_plan *plan)
{
	aws_credentials_free(&plan->credentials);
	for (size_t i = 0; i < plan->role_count; i++) {
		xfree(&plan->roles[i].arn);
		xfree(&plan->roles[i].external_id);
		xfree(&plan->roles[i].session_name);
	}
	xfree(&plan->roles);
	plan->role_count = 0;
	xfree(&plan->region);
}

static struct setting setting_in(const struct aws_ini *ini, const char *profile, const char *key)
{
	const struct aws_ini_property *property = aws_ini_get(ini, profile, key);
	if (property == NULL)
		return (struct setting){0};
	return (struct setting){property->value, ini->file, property->line};
}

/* The credentials file wins; an empty value counts as none. */
static struct setting setting_of(
    const struct resolver *resolver, const char *profile, const char *key)
{
	struct setting setting = setting_in(resolver->credentials, profile, key);
	if (setting.value == NULL)
		setting = setting_in(resolver->config, profile, key);
	if (setting.value != NULL && *setting.value == '\0')
		setting.value = NULL;
	return setting;
}

static enum aws_profile_result refuse(
    struct resolver *resolver, const char *profile, struct setting at, char *what)
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
	struct setting key = setting_in(ini, profile, "aws_access_key_id");
	struct setting secret = setting_in(ini, profile, "aws_secret_access_key");
	struct setting token = setting_in(ini, profile, "aws_session_token");
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

static enum aws_profile_result refuse_unsupported(struct resolver *resolver, const char *profile)
{
	for (size_t i = 0; i < sizeof unsupported_keys / sizeof unsupported_keys[0]; i++) {
		struct setting setting = setting_of(resolver, profile, unsupported_keys[i]);
		if (setting.value != NULL)
			return refuse(resolver, profile, setting,
			    xasprintf("%s is not supported by this version; use keys, or role_arn "
				      "with source_profile",
				unsupported_keys[i]));
	}
	return AWS_PROFILE_EMPTY;
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
    struct resolver *resolver, const char *profile, struct setting source)
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

static enum aws_profile_result add_role(
    struct resolver *resolver, const char *profile, const char *arn)
{
	struct setting duration = setting_of(resolver, profile, "duration_seconds");
	unsigned seconds = 0;
	if (duration.value != NULL && !read_duration(duration.value, &seconds))
		return refuse(resolver, profile, duration,
		    xasprintf("duration_seconds must be a number from %d to %d", MIN_DURATION,
			MAX_DURATION));
	struct aws_plan *plan = resolver->plan;
	plan->roles = xreallocarray(plan->roles, plan->role_count + 1, sizeof *plan->roles);
	plan->roles[plan->role_count++] = (struct aws_plan_role){.arn = xstrdup(arn),
	    .external_id = xstrdup_or_null(setting_of(resolver, profile, "external_id").value),
	    .session_name =
		xstrdup_or_null(setting_of(resolver, profile, "role_session_name").value),
	    .duration_seconds = seconds};
	return AWS_PROFILE_OK;
}

static enum aws_profile_result resolve_role(
    struct resolver *resolver, const char *profile, struct setting arn)
{
	struct setting source = setting_of(resolver, profile, "source_profile");
	struct setting other = setting_of(resolver, profile, "credential_source");
	struct setting mfa = setting_of(resolver, profile, "mfa_serial");
	if (source.value != NULL && other.value != NULL)
		return refuse(resolver, profile, other,
		    xstrdup("credential_source and source_profile exclude each other"));
	if (mfa.value != NULL)
		return refuse(resolver, profile, mfa,
		    xstrdup("mfa_serial asks for a code at each refresh: a daemon cannot"));
	enum aws_profile_result result = refuse_unsupported(resolver, profile);
	if (result == AWS_PROFILE_ERROR)
		return result;
	if (source.value == NULL)
		return refuse(resolver, profile, arn, xstrdup("role_arn needs source_profile"));
	if (strcmp(source.value, profile) != 0)
		result = resolve_source(resolver, profile, source);
	else
		result = take_static_keys(resolver, profile);
	if (result == AWS_PROFILE_EMPTY)
		return refuse(resolver, profile, source,
		    xstrdup("source_profile names the profile itself, which has no keys"));
	return result == AWS_PROFILE_OK ? add_role(resolver, profile, arn.value) : result;
}

static enum aws_profile_result resolve(struct resolver *resolver, const char *profile)
{
	resolver->path[resolver->depth++] = profile;
	struct setting arn = setting_of(resolver, profile, "role_arn");
	if (arn.value != NULL)
		return resolve_role(resolver, profile, arn);
	enum aws_profile_result result = take_static_keys(resolver, profile);
	if (result != AWS_PROFILE_EMPTY)
		return result;
	struct setting source = setting_of(resolver, profile, "source_profile");
	if (source.value != NULL)
		return resolve_source(resolver, profile, source);
	return refuse_unsupported(resolver, profile);
}

enum aws_profile_result aws_profile_resolve(const struct aws_ini *config,
    const struct aws_ini *credentials, const char *profile, struct aws_plan *plan, char **error)
{
	struct resolver resolver = {
	    .config = config, .credentials = credentials, .plan = plan, .error = error};
	*plan = (struct aws_plan){0};
	*error = NULL;
	enum aws_profile_result result = resolve(&resolver, profile);
	if (result == AWS_PROFILE_OK)
		plan->region = xstrdup_or_null(setting_of(&resolver, profile, "region").value);
	else
		aws_plan_free(plan);
	return result;
}
