/* Reads answers of STS. An identity counts only when every part of it agrees with the others: the
 * account with the ARN, the session with the user id. Called by iam.c. */
#include "kubeproxyd/gate/iam_caller.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"

#define ACCOUNT_DIGITS 12
#define ARN_COLONS     5 /* of what has none in its last part */
#define CODE_MAX       64

/* --- parts of an ARN ------------------------------------------------------------------------- */

/* Takes "WORD" and what follows it off *text; false when it does not begin so. */
static bool skip(const char **text, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* "assumed-role/NAME/SESSION": *rest. Without a path, STS never tells one. */
static bool read_session(struct iam_caller *caller, const char *partition, const char *rest)
{
	const char *slash = strrchr(rest, '/');
	if (slash == NULL || slash == rest || slash[1] == '\0')
		return false;
	caller->role_name = xstrndup(rest, (size_t)(slash - rest));
	caller->session_name = xstrdup(slash + 1);
	caller->arn =
	    xasprintf("arn:%s:iam::%s:role/%s", partition, caller->account, caller->role_name);
	return true;
}

/* Behind "arn:PARTITION:SERVICE::ACCOUNT:". */
static bool read_resource(struct iam_caller *caller, const char *partition, bool is_sts,
    const char *arn, const char *rest)
{
	if (is_sts && skip(&rest, "assumed-role/"))
		return read_session(caller, partition, rest);
	bool is_known = is_sts ? strncmp(rest, "federated-user/", 15) == 0
			       : strncmp(rest, "user/", 5) == 0 || strcmp(rest, "root") == 0;
	if (is_known)
		caller->arn = xstrdup(arn);
	return is_known;
}

static bool read_arn(struct iam_caller *caller, const char *partition, const char *arn)
{
	const char *rest = arn;
	if (!skip(&rest, "arn:") || !skip(&rest, partition) || *rest++ != ':')
		return false;
	bool is_sts = skip(&rest, "sts::");
	if (!is_sts && !skip(&rest, "iam::"))
		return false;
	return skip(&rest, caller->account) && skip(&rest, ":") &&
	       read_resource(caller, partition, is_sts, arn, rest);
}

/* "AROA…:SESSION" for sessions, the id alone otherwise. */
static bool read_user_id(struct iam_caller *caller, const char *id)
{
	size_t len = strcspn(id, ":");
	bool is_session = id[len] == ':';
	if (len == 0 || (is_session && strchr(id + len + 1, ':') != NULL))
		return false;
	if (caller->session_name != NULL &&
	    (!is_session || strcmp(id + len + 1, caller->session_name) != 0))
		return false;
	caller->principal_id = xstrndup(id, len);
	return true;
}

/* --- answers --------------------------------------------------------------------------------- */

static bool read_identity(
    struct json_object *document, const char *partition, struct iam_caller *caller)
{
	struct json_object *response, *result;
	const char *account, *arn, *id;
	char problem[JSON_ERROR_TEXT];
	if (!json_get_object(document, "", "GetCallerIdentityResponse", &response, problem) ||
	    !json_get_object(response, "", "GetCallerIdentityResult", &result, problem) ||
	    !json_get_string(result, "", "Account", &account, problem) ||
	    !json_get_string(result, "", "Arn", &arn, problem) ||
	    !json_get_string(result, "", "UserId", &id, problem))
		return false;
	if (strlen(account) != ACCOUNT_DIGITS || strspn(account, "0123456789") != ACCOUNT_DIGITS)
		return false;
	caller->account = xstrdup(account);
	return read_arn(caller, partition, arn) && read_user_id(caller, id);
}

/* "ExpiredToken" of an error document, or "" (free()). */
static char *error_code(const char *body, size_t len)
{
	struct json_object *error;
	const char *code = "";
	char problem[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, problem);
	if (document == NULL || !json_get_object(document, "", "Error", &error, problem) ||
	    !json_get_string(error, "", "Code", &code, problem) || strlen(code) > CODE_MAX ||
	    strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.") != strlen(code))
		code = "";
	char *copy = xstrdup(code);
	json_object_put(document);
	return copy;
}

static enum iam_outcome read_error(int status, const char *body, size_t len, char **error)
{
	char *code = error_code(body, len);
	enum iam_outcome outcome = IAM_UNCLEAR;
	if (status == 429 || strncmp(code, "Throttling", strlen("Throttling")) == 0)
		outcome = IAM_THROTTLED;
	else if (status >= 400 && status < 500 && *code != '\0')
		outcome = IAM_REFUSED;
	if (outcome == IAM_REFUSED)
		*error = xasprintf("STS refuses it (%s)", code);
	else
		*error =
		    xasprintf("STS answered with status %d %s", status, *code != '\0' ? code : "");
	free(code);
	return outcome;
}

/* Paths of users may hold colons: one that looks like the rest of an ARN would meet patterns that
 * are about another account. */
static bool is_ambiguous(const char *arn)
{
	unsigned colons = 0;
	for (const char *at = arn; (at = strchr(at, ':')) != NULL; at++)
		colons++;
	return colons > ARN_COLONS;
}

enum iam_outcome iam_caller_read(int status, const char *body, size_t len, const char *partition,
    struct iam_caller *caller, char **error)
{
	char problem[JSON_ERROR_TEXT];
	*caller = (struct iam_caller){0};
	if (status != 200)
		return read_error(status, body, len, error);
	struct json_object *document = json_parse(body, len, problem);
	bool is_read = document != NULL && read_identity(document, partition, caller);
	json_object_put(document);
	if (is_read && !is_ambiguous(caller->arn))
		return IAM_CALLER;
	iam_caller_free(caller);
	*error = xstrdup(is_read ? "an identity with a colon in its path is not accepted"
				 : "STS answered with what is no identity");
	return is_read ? IAM_REFUSED : IAM_UNCLEAR;
}

void iam_caller_free(struct iam_caller *caller)
{
	free(caller->account);
	free(caller->arn);
	free(caller->principal_id);
	free(caller->session_name);
	free(caller->role_name);
	*caller = (struct iam_caller){0};
}
