/* See the header. STS answers XML unless it is asked for JSON, which we do; both are read, since
 * not everything that speaks for STS honours Accept. Called by the credential providers and by
 * discoveryd's account module. */
#include "common/aws_sts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/aws_xml.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define SESSION_NAME_MAX 64

/* One answer, whatever its format: reads members of one object by name. */
struct answer {
	struct json_object *document; /* NULL: XML */
	const char *xml;
	size_t xml_len;
	const char *operation; /* "AssumeRole" */
};

char *sts_session_name(const char *text)
{
	struct buf name = {0};
	for (const char *p = text; *p != '\0' && name.len < SESSION_NAME_MAX; p++) {
		bool is_fine = isalnum((unsigned char)*p) || strchr("_+=,.@-", *p) != NULL;
		buf_append_char(&name, (char)(is_fine ? *p : '-'));
	}
	while (name.len < 2)
		buf_append_char(&name, '-');
	return buf_take(&name);
}

static void add_field(struct buf *body, const char *name, const char *value)
{
	buf_printf(body, "&%s=", name);
	sigv4_encode(body, value, strlen(value));
}

char *sts_assume_role_body(const struct sts_role *role)
{
	struct buf body = {0};
	buf_append_text(&body, "Action=AssumeRole&Version=2011-06-15");
	add_field(&body, "RoleArn", role->arn);
	add_field(&body, "RoleSessionName", role->session_name);
	if (role->external_id != NULL)
		add_field(&body, "ExternalId", role->external_id);
	if (role->duration_seconds > 0)
		buf_printf(&body, "&DurationSeconds=%u", role->duration_seconds);
	return buf_take(&body);
}

char *sts_web_identity_body(const struct sts_role *role, const char *token)
{
	struct buf body = {0};
	buf_append_text(&body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
	add_field(&body, "RoleArn", role->arn);
	add_field(&body, "RoleSessionName", role->session_name);
	if (role->duration_seconds > 0)
		buf_printf(&body, "&DurationSeconds=%u", role->duration_seconds);
	add_field(&body, "WebIdentityToken", token);
	return buf_take(&body);
}

/* --- answers --------------------------------------------------------------------------------- */

static bool answer_open(
    struct answer *answer, const char *operation, const char *body, size_t len, char **error)
{
	*answer = (struct answer){.operation = operation};
	if (body[strspn(body, " \t\r\n")] == '<') {
		answer->xml = body;
		answer->xml_len = len;
		return true;
	}
	char why[JSON_ERROR_TEXT];
	answer->document = json_parse(body, len, why);
	if (answer->document == NULL)
		*error = xasprintf("the answer to %s is not JSON: %s", operation, why);
	return answer->document != NULL;
}

static void answer_close(struct answer *answer)
{
	if (answer->document != NULL)
		json_object_put(answer->document);
}

/* {"AssumeRoleResponse": {"AssumeRoleResult": {…}}} down to `inner` ("" for the result itself). */
static bool find_object(const struct answer *answer, const char *inner, struct json_object **object,
    char why[JSON_ERROR_TEXT])
{
	char response[64], result[64];
	snprintf(response, sizeof response, "%sResponse", answer->operation);
	snprintf(result, sizeof result, "%sResult", answer->operation);
	if (!json_object_is_type(answer->document, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "it is not an object");
		return false;
	}
	if (!json_get_object(answer->document, "answer", response, object, why) ||
	    !json_get_object(*object, response, result, object, why))
		return false;
	return *inner == '\0' || json_get_object(*object, result, inner, object, why);
}

/* A member that must be there and must not be empty (the caller's); NULL: *error is set. */
static char *read_member(struct answer *answer, const char *inner, const char *name, char **error)
{
	char why[JSON_ERROR_TEXT];
	char *text = NULL;
	if (answer->document == NULL) {
		text = aws_xml_text(answer->xml, answer->xml_len, name);
		snprintf(why, sizeof why, "%s is missing", name);
	} else {
		struct json_object *object;
		const char *value = NULL;
		if (find_object(answer, inner, &object, why) &&
		    json_get_string(
			object, *inner != '\0' ? inner : answer->operation, name, &value, why))
			text = xstrdup(value);
	}
	if (text != NULL && *text == '\0') {
		xfree(&text);
		snprintf(why, sizeof why, "%s is empty", name);
	}
	if (text == NULL && *error == NULL)
		*error = xasprintf("the answer to %s: %s", answer->operation, why);
	return text;
}

static bool read_expiration(struct answer *answer, struct unix_time *at, char **error)
{
	char *text = read_member(answer, "Credentials", "Expiration", error);
	bool is_read = false;
	if (text != NULL) {
		is_read = unix_time_parse(text, at);
		if (!is_read)
			*error = xasprintf("the answer to %s: Expiration is not a time: %.40s",
			    answer->operation, text);
	}
	xfree(&text);
	return is_read;
}

static struct aws_credentials *parse_credentials(
    const char *operation, const char *body, size_t len, char **error)
{
	struct answer answer;
	*error = NULL;
	if (!answer_open(&answer, operation, body, len, error))
		return NULL;
	struct aws_credentials *credentials = xcalloc(1, sizeof *credentials);
	credentials->access_key_id = read_member(&answer, "Credentials", "AccessKeyId", error);
	credentials->secret_access_key =
	    read_member(&answer, "Credentials", "SecretAccessKey", error);
	credentials->session_token = read_member(&answer, "Credentials", "SessionToken", error);
	if (*error != NULL || !read_expiration(&answer, &credentials->expires, error) ||
	    !aws_credentials_are_sound(credentials, error))
		aws_credentials_free(&credentials);
	answer_close(&answer);
	return credentials;
}

struct aws_credentials *sts_parse_assume_role(const char *body, size_t len, char **error)
{
	return parse_credentials("AssumeRole", body, len, error);
}

struct aws_credentials *sts_parse_web_identity(const char *body, size_t len, char **error)
{
	return parse_credentials("AssumeRoleWithWebIdentity", body, len, error);
}

bool sts_parse_identity(const char *body, size_t len, struct sts_identity *identity, char **error)
{
	struct answer answer;
	*error = NULL;
	*identity = (struct sts_identity){0};
	if (!answer_open(&answer, "GetCallerIdentity", body, len, error))
		return false;
	identity->account = read_member(&answer, "", "Account", error);
	identity->arn = read_member(&answer, "", "Arn", error);
	identity->user_id = read_member(&answer, "", "UserId", error);
	answer_close(&answer);
	if (*error == NULL)
		return true;
	sts_identity_free(identity);
	return false;
}

void sts_identity_free(struct sts_identity *identity)
{
	xfree(&identity->account);
	xfree(&identity->arn);
	xfree(&identity->user_id);
}
