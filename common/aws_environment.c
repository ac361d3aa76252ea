/* The outer half of aws_profile.h: which source the environment and the shared files configure, and
 * what was looked at when there is none. Called by the default credential provider at each refresh,
 * so that changed files count without a restart. */
#include <string.h>
#include <strings.h>

#include "common/aws_files.h"
#include "common/aws_profile.h"
#include "common/buf.h"
#include "common/xmem.h"

#define METADATA_IPV4 "http://169.254.169.254"
#define METADATA_IPV6 "http://[fd00:ec2::254]"

const char *aws_profile_name(void)
{
	const char *name = aws_variable("AWS_PROFILE");
	if (name == NULL)
		name = aws_variable("AWS_DEFAULT_PROFILE");
	return name != NULL ? name : "default";
}

static bool is_on(const char *name)
{
	const char *value = aws_variable(name);
	return value != NULL && strcasecmp(value, "true") == 0;
}

/* --- the environment ------------------------------------------------------------------------- */

static bool has_keys(void)
{
	return aws_variable("AWS_ACCESS_KEY_ID") != NULL ||
	       aws_variable("AWS_SECRET_ACCESS_KEY") != NULL;
}

static bool take_environment(struct aws_plan *plan, char **error)
{
	const char *key = aws_variable("AWS_ACCESS_KEY_ID");
	const char *secret = aws_variable("AWS_SECRET_ACCESS_KEY");
	if (key == NULL || secret == NULL) {
		*error = xasprintf("%s is set but %s is not: both are needed",
		    key != NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
		    key != NULL ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
		return false;
	}
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = xstrdup(key);
	credentials->secret_access_key = xstrdup(secret);
	credentials->session_token = xstrdup_or_null(aws_variable("AWS_SESSION_TOKEN"));
	credentials->source = xstrdup("environment");
	plan->base = AWS_BASE_KEYS;
	plan->credentials = credentials;
	if (plan->text == NULL)
		plan->text = xstrdup("environment");
	char *why = NULL;
	if (aws_credentials_are_sound(credentials, &why))
		return true;
	*error = xasprintf("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: %s", why);
	xfree(&why);
	return false;
}

static bool take_web_identity(struct aws_plan *plan, char **error)
{
	const char *arn = aws_variable("AWS_ROLE_ARN");
	if (arn == NULL) {
		*error = xstrdup("AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not: both "
				 "are needed");
		return false;
	}
	plan->base = AWS_BASE_WEB_IDENTITY;
	plan->text = xasprintf("role %s (by web identity)", arn);
	plan->origin = xstrdup("AWS_WEB_IDENTITY_TOKEN_FILE");
	plan->token_file = aws_expanded_path(aws_variable("AWS_WEB_IDENTITY_TOKEN_FILE"));
	plan->web_role = (struct aws_plan_role){.arn = xstrdup(arn),
	    .session_name = xstrdup_or_null(aws_variable("AWS_ROLE_SESSION_NAME"))};
	return true;
}

static const char *container_variable(void)
{
	static const char *const names[] = {
	    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
	for (size_t i = 0; i < 2; i++) {
		if (aws_variable(names[i]) != NULL)
			return names[i];
	}
	return NULL;
}

/* --- instance metadata ----------------------------------------------------------------------- */

/* The variable, else the key of the profile in use. */
static const char *either(const struct aws_files *files, const char *variable, const char *key)
{
	const char *value = aws_variable(variable);
	if (value != NULL)
		return value;
	return aws_setting_of(files->config.ini, files->credentials.ini, aws_profile_name(), key)
	    .value;
}

static bool set_endpoint(struct aws_plan *plan, const struct aws_files *files, char **error)
{
	const char *url =
	    either(files, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
	const char *mode = either(
	    files, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
	bool is_v6 = mode != NULL && strcasecmp(mode, "IPv6") == 0;
	if (mode != NULL && !is_v6 && strcasecmp(mode, "IPv4") != 0) {
		*error = xasprintf("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (or "
				   "ec2_metadata_service_endpoint_mode of profile %s) is %.40s; it "
				   "must be IPv4 or IPv6",
		    aws_profile_name(), mode);
		return false;
	}
	if (url == NULL)
		url = is_v6 ? METADATA_IPV6 : METADATA_IPV4;
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
		*error = xasprintf("AWS_EC2_METADATA_SERVICE_ENDPOINT (or "
				   "ec2_metadata_service_endpoint of profile %s) is %.80s; it must "
				   "begin with http://",
		    aws_profile_name(), url);
		return false;
	}
	size_t len = strlen(url);
	while (url[len - 1] == '/')
		len--;
	plan->metadata.endpoint = xstrndup(url, len);
	return true;
}

static bool set_metadata(struct aws_plan *plan, const struct aws_files *files, char **error)
{
	if (is_on("AWS_EC2_METADATA_DISABLED")) {
		*error = xasprintf("%s%sAWS_EC2_METADATA_DISABLED is true",
		    plan->looked != NULL ? plan->looked : plan->origin,
		    plan->looked != NULL ? "; instance metadata: "
					 : ": credential_source is Ec2InstanceMetadata, but ");
		return false;
	}
	const char *forbidden =
	    either(files, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");
	plan->metadata.is_v1_forbidden = forbidden != NULL && strcasecmp(forbidden, "true") == 0;
	return set_endpoint(plan, files, error);
}

/* --- the last resorts ------------------------------------------------------------------------ */

static const char *absence(const struct aws_file *file)
{
	return file->is_missing ? " (no such file)" : "";
}

/* What was looked at, for the one who has to set something. */
static char *nothing_text(const struct aws_files *files)
{
	const struct aws_file *credentials = &files->credentials, *config = &files->config;
	const char *profile = aws_profile_name();
	bool exists = aws_ini_find(credentials->ini, profile) != NULL ||
		      aws_ini_find(config->ini, profile) != NULL;
	char *text = xasprintf(
	    "no AWS credentials: AWS_ACCESS_KEY_ID is not set, and profile %s %s %s%s %s %s%s; nor "
	    "are AWS_WEB_IDENTITY_TOKEN_FILE or AWS_CONTAINER_CREDENTIALS_FULL_URI set; set "
	    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE%s%s%s",
	    profile, exists ? "has none in" : "is neither in", credentials->path,
	    absence(credentials), exists ? "and" : "nor in", config->path, absence(config),
	    credentials->ini != NULL && credentials->ini->note_count > 0 ? "; " : "",
	    credentials->ini != NULL ? buf_text(&credentials->ini->notes) : "",
	    config->ini != NULL ? buf_text(&config->ini->notes) : "");
	for (char *p = text + strlen(text); p > text && p[-1] == '\n';)
		*--p = '\0';
	return text;
}

/* Neither keys nor a profile. A profile that somebody named is meant: no other identity instead. */
static bool take_surroundings(struct aws_plan *plan, const struct aws_files *files, char **error)
{
	const char *container = container_variable();
	if (aws_variable("AWS_PROFILE") != NULL || aws_variable("AWS_DEFAULT_PROFILE") != NULL) {
		*error = nothing_text(files);
		return false;
	}
	plan->base = container != NULL ? AWS_BASE_CONTAINER : AWS_BASE_METADATA;
	plan->text = xstrdup(container != NULL ? "container" : "instance metadata");
	if (container != NULL)
		plan->origin = xstrdup(container);
	else
		plan->looked = nothing_text(files);
	return true;
}

/* --- the plan -------------------------------------------------------------------------------- */

static bool take_files(struct aws_plan *plan, const struct aws_files *files, char **error)
{
	switch (aws_profile_resolve(
	    files->config.ini, files->credentials.ini, aws_profile_name(), plan, error)) {
	case AWS_PROFILE_OK:
		return true;
	case AWS_PROFILE_ERROR:
		return false;
	case AWS_PROFILE_EMPTY:
		break;
	}
	return take_surroundings(plan, files, error);
}

/* Adds what the profile alone cannot know. */
static bool complete(struct aws_plan *plan, const struct aws_files *files, char **error)
{
	if (plan->base == AWS_BASE_METADATA)
		return set_metadata(plan, files, error);
	if (plan->base == AWS_BASE_ENVIRONMENT && has_keys())
		return take_environment(plan, error);
	if (plan->base == AWS_BASE_ENVIRONMENT) {
		*error = xasprintf(
		    "%s: credential_source is Environment, but AWS_ACCESS_KEY_ID is not set",
		    plan->origin);
		return false;
	}
	if (plan->base == AWS_BASE_CONTAINER && container_variable() == NULL) {
		*error = xasprintf("%s: credential_source is EcsContainer, but "
				   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set",
		    plan->origin);
		return false;
	}
	return true;
}

static bool make_plan(struct aws_plan *plan, struct aws_files *files, char **error)
{
	if (has_keys())
		return take_environment(plan, error);
	if (aws_variable("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL)
		return take_web_identity(plan, error);
	return aws_files_load(files, error) && take_files(plan, files, error) &&
	       complete(plan, files, error);
}

static void set_region(struct aws_plan *plan)
{
	const char *region = aws_variable("AWS_REGION");
	if (region == NULL)
		region = aws_variable("AWS_DEFAULT_REGION");
	if (region == NULL)
		return;
	xfree(&plan->region);
	plan->region = xstrdup(region);
}

bool aws_plan_make(struct aws_plan *plan, char **error)
{
	struct aws_files files = {0};
	*plan = (struct aws_plan){0};
	*error = NULL;
	bool is_made = make_plan(plan, &files, error);
	if (is_made)
		set_region(plan);
	else
		aws_plan_free(plan);
	aws_files_free(&files);
	return is_made;
}
