/* See the header. Called by the credential sources with what a program printed, an endpoint
 * answered or a file holds. */
#include "common/aws_credentials_json.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"

#define MAX_LIFE_SECONDS (INT64_C(366) * 24 * 3600)

/* One document and where in it the members stand. */
struct source {
	struct json_object *object;
	const char *path; /* of the object, for messages */
	char why[JSON_ERROR_TEXT];
};

static struct json_object *open_document(const char *text, size_t len, char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(text, len, why);
	if (document == NULL) {
		*error = xasprintf("it is not JSON: %s", why);
		return NULL;
	}
	if (json_object_is_type(document, json_type_object))
		return document;
	json_object_put(document);
	*error = xstrdup("it is not a JSON object");
	return NULL;
}

/* A member as a text of its own; NULL when it is missing, empty or no string. */
static char *member(struct source *source, const char *name)
{
	const char *value;
	if (!json_get_string(source->object, source->path, name, &value, source->why))
		return NULL;
	if (*value != '\0')
		return xstrdup(value);
	snprintf(source->why, sizeof source->why, "%s is empty", name);
	return NULL;
}

/* Missing is fine. */
static bool optional_member(struct source *source, const char *name, char **text)
{
	const char *value;
	*text = NULL;
	if (!json_get_optional_string(source->object, source->path, name, &value, source->why))
		return false;
	if (value != NULL && *value != '\0')
		*text = xstrdup(value);
	return true;
}

static bool read_time(
    struct source *source, const char *name, const char *text, struct unix_time *at)
{
	if (unix_time_parse(text, at) && at->ms > 0)
		return true;
	snprintf(source->why, sizeof source->why, "%s is not a time", name);
	return false;
}

/* The set, when nothing is wrong with it; NULL and *error otherwise. */
static struct aws_credentials *checked(
    struct aws_credentials *credentials, bool is_whole, const struct source *source, char **error)
{
	if (!is_whole)
		*error = xstrdup(source->why);
	if (!is_whole || !aws_credentials_are_sound(credentials, error))
		aws_credentials_free(&credentials);
	return credentials;
}

/* --- credential_process ---------------------------------------------------------------------- */

static bool read_process(struct source *source, struct aws_credentials *credentials)
{
	int64_t version;
	char *expiration = NULL;
	if (!json_get_int(source->object, "", "Version", &version, source->why))
		return false;
	if (version != 1) {
		snprintf(source->why, sizeof source->why, "Version is not 1");
		return false;
	}
	bool is_whole =
	    (credentials->access_key_id = member(source, "AccessKeyId")) != NULL &&
	    (credentials->secret_access_key = member(source, "SecretAccessKey")) != NULL &&
	    optional_member(source, "SessionToken", &credentials->session_token) &&
	    optional_member(source, "Expiration", &expiration) &&
	    (expiration == NULL ||
		read_time(source, "Expiration", expiration, &credentials->expires));
	xfree(&expiration);
	return is_whole;
}

struct aws_credentials *aws_parse_process(const char *text, size_t len, char **error)
{
	struct json_object *document = open_document(text, len, error);
	if (document == NULL)
		return NULL;
	struct source source = {.object = document, .path = ""};
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	bool is_whole = read_process(&source, credentials);
	json_object_put(document);
	return checked(credentials, is_whole, &source, error);
}

/* --- containers and instances ---------------------------------------------------------------- */

static bool read_metadata(struct source *source, struct aws_credentials *credentials)
{
	const char *code;
	if (!json_get_optional_string(source->object, "", "Code", &code, source->why))
		return false;
	if (code != NULL && strcmp(code, "Success") != 0) {
		snprintf(source->why, sizeof source->why, "Code is %.60s", code);
		return false;
	}
	char *expiration = NULL;
	bool is_whole =
	    (credentials->access_key_id = member(source, "AccessKeyId")) != NULL &&
	    (credentials->secret_access_key = member(source, "SecretAccessKey")) != NULL &&
	    (credentials->session_token = member(source, "Token")) != NULL &&
	    (expiration = member(source, "Expiration")) != NULL &&
	    read_time(source, "Expiration", expiration, &credentials->expires);
	xfree(&expiration);
	return is_whole;
}

struct aws_credentials *aws_parse_metadata(const char *text, size_t len, char **error)
{
	struct json_object *document = open_document(text, len, error);
	if (document == NULL)
		return NULL;
	struct source source = {.object = document, .path = ""};
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	bool is_whole = read_metadata(&source, credentials);
	json_object_put(document);
	return checked(credentials, is_whole, &source, error);
}

/* --- SSO ------------------------------------------------------------------------------------- */

static bool read_sso_role(struct source *source, struct aws_credentials *credentials)
{
	struct json_object *role;
	if (!json_get_object(source->object, "", "roleCredentials", &role, source->why))
		return false;
	source->object = role;
	source->path = "roleCredentials";
	return (credentials->access_key_id = member(source, "accessKeyId")) != NULL &&
	       (credentials->secret_access_key = member(source, "secretAccessKey")) != NULL &&
	       (credentials->session_token = member(source, "sessionToken")) != NULL &&
	       json_get_int(
		   role, source->path, "expiration", &credentials->expires.ms, source->why);
}

struct aws_credentials *aws_parse_sso_role(const char *text, size_t len, char **error)
{
	struct json_object *document = open_document(text, len, error);
	if (document == NULL)
		return NULL;
	struct source source = {.object = document, .path = ""};
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	bool is_whole = read_sso_role(&source, credentials);
	if (is_whole && credentials->expires.ms <= 0) {
		snprintf(
		    source.why, sizeof source.why, "roleCredentials: expiration is not a time");
		is_whole = false;
	}
	json_object_put(document);
	return checked(credentials, is_whole, &source, error);
}

/* --- the SSO token --------------------------------------------------------------------------- */

/* Old versions of the CLI end their times in "UTC" instead of "Z". */
static bool read_cache_time(
    struct source *source, const char *name, bool is_required, struct unix_time *at)
{
	const char *value;
	*at = (struct unix_time){0};
	if (!json_get_optional_string(source->object, "", name, &value, source->why))
		return false;
	if (value == NULL && is_required)
		snprintf(source->why, sizeof source->why, "%s is missing", name);
	if (value == NULL)
		return !is_required;
	size_t len = strlen(value);
	bool is_old = len > 3 && strcmp(value + len - 3, "UTC") == 0;
	char *text = is_old ? xasprintf("%.*sZ", (int)(len - 3), value) : xstrdup(value);
	bool is_read = read_time(source, name, text, at);
	xfree(&text);
	return is_read;
}

/* It goes into a header. */
static bool is_header_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool read_token(struct source *source, struct aws_sso_token *token)
{
	struct json_object *object = source->object;
	if (!json_get_string(object, "", "accessToken", &token->access_token, source->why) ||
	    !json_get_optional_string(
		object, "", "refreshToken", &token->refresh_token, source->why) ||
	    !json_get_optional_string(object, "", "clientId", &token->client_id, source->why) ||
	    !json_get_optional_string(
		object, "", "clientSecret", &token->client_secret, source->why) ||
	    !read_cache_time(source, "expiresAt", true, &token->expires) ||
	    !read_cache_time(source, "registrationExpiresAt", false, &token->registration_expires))
		return false;
	if (*token->access_token != '\0' && is_header_text(token->access_token))
		return true;
	snprintf(source->why, sizeof source->why, "accessToken is no token");
	return false;
}

bool aws_sso_token_parse(const char *text, size_t len, struct aws_sso_token *token, char **error)
{
	*token = (struct aws_sso_token){.document = open_document(text, len, error)};
	if (token->document == NULL)
		return false;
	struct source source = {.object = token->document, .path = ""};
	if (read_token(&source, token))
		return true;
	*error = xstrdup(source.why);
	aws_sso_token_free(token);
	return false;
}

/* False: source->why. */
static bool merge_answer(struct source *source, struct aws_sso_token *token,
    struct json_object *answer, struct unix_time now)
{
	const char *access, *refresh;
	int64_t life;
	char expires[UNIX_TIME_TEXT];
	if (!json_get_string(answer, "", "accessToken", &access, source->why) ||
	    !json_get_optional_string(answer, "", "refreshToken", &refresh, source->why) ||
	    !json_get_int(answer, "", "expiresIn", &life, source->why))
		return false;
	if (life <= 0 || life > MAX_LIFE_SECONDS) {
		snprintf(source->why, sizeof source->why, "expiresIn is out of range");
		return false;
	}
	now.ms -= now.ms % 1000;
	unix_time_text(unix_add(now, duration_seconds(life)), expires);
	char *fraction = strchr(expires, '.');
	fraction[0] = 'Z'; /* as the CLI writes it: whole seconds */
	fraction[1] = '\0';
	json_add_string(token->document, "accessToken", access);
	json_add_string(token->document, "expiresAt", expires);
	json_add_string(token->document, "refreshToken", refresh);
	source->object = token->document;
	return read_token(source, token);
}

bool aws_sso_token_renew(
    struct aws_sso_token *token, const char *answer, size_t len, struct unix_time now, char **error)
{
	struct json_object *document = open_document(answer, len, error);
	if (document == NULL)
		return false;
	struct source source = {.object = document, .path = ""};
	bool is_merged = merge_answer(&source, token, document, now);
	json_object_put(document);
	if (!is_merged)
		*error = xstrdup(source.why);
	return is_merged;
}

void aws_sso_token_free(struct aws_sso_token *token)
{
	if (token->document != NULL)
		json_object_put(token->document);
	*token = (struct aws_sso_token){0};
}
