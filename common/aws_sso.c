/* The source of credentials of people who ran "aws sso login": the token that it left in the cache
 * buys credentials of a role at the SSO portal. A token near its end is renewed where the login
 * allows it and written back. The cache is read at each fetch. Made by the default chain. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/aws_call.h"
#include "common/aws_context.h"
#include "common/aws_credentials_json.h"
#include "common/aws_files.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/json.h"
#include "common/log.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define MAX_CACHE     ((size_t)256 * 1024)
#define RENEW_WITHIN  (INT64_C(15) * 60 * 1000)
#define SHA1_HEX_SIZE 41

struct sso {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *origin, *session, *start_url, *region, *account, *role;
	char *path; /* of the cached token */
	struct aws_sso_token token;
	struct aws_call *call;
};

static void fail(struct sso *sso, const char *why, bool is_for_login)
{
	bool has_session = is_for_login && sso->session != NULL;
	char *error = xasprintf("%s: SSO: %s%s%s%s", sso->origin, why,
	    is_for_login ? "; run aws sso login" : "", has_session ? " --sso-session " : "",
	    has_session ? sso->session : "");
	aws_sso_token_free(&sso->token);
	aws_provider_done(sso->provider, NULL, error);
	xfree(&error);
}

/* --- the cache ------------------------------------------------------------------------------- */

/* ~/.aws/sso/cache/ and the SHA-1 of the session's name, or of the start URL. */
static char *cache_path(const struct sso *sso)
{
	const char *key = sso->session != NULL ? sso->session : sso->start_url;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[SHA1_HEX_SIZE];
	unsigned len = 0;
	if (EVP_Digest(key, strlen(key), digest, &len, EVP_sha1(), NULL) != 1 || len != 20)
		abort();
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + (size_t)i * 2, 3, "%02x", digest[i]);
	char *relative = xasprintf("~/.aws/sso/cache/%s.json", hex);
	char *path = aws_expanded_path(relative);
	xfree(&relative);
	return path;
}

static bool read_cache(struct sso *sso, char **error)
{
	struct buf text = {0};
	char *why = NULL;
	bool is_read = aws_read_file(sso->path, MAX_CACHE, &text);
	if (!is_read)
		*error = xasprintf("no token in %s: %m", sso->path);
	else if (!aws_sso_token_parse(buf_text(&text), text.len, &sso->token, &why))
		*error = xasprintf("the token in %s cannot be read: %s", sso->path, why);
	is_read = *error == NULL;
	buf_free_secret(&text);
	xfree(&why);
	return is_read;
}

static bool write_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		ssize_t written = write(fd, text, left);
		if (written < 0 && errno != EINTR)
			return false;
		if (written < 0)
			continue;
		text += written;
		left -= (size_t)written;
	}
	return true;
}

/* Replaces the file as a whole, 0600: the CLI may read it at any time. */
static void write_cache(const struct sso *sso)
{
	char *temporary = xasprintf("%s.XXXXXX", sso->path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	const char *text = json_object_to_json_string_ext(
	    sso->token.document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool is_written = fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, text) &&
			  fsync(fd) == 0 && rename(temporary, sso->path) == 0;
	if (!is_written)
		log_warn("aws", "sso-token-not-kept", LOG_S("file", sso->path),
		    LOG_S("error", strerror(errno)));
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !is_written)
		unlink(temporary);
	xfree(&temporary);
}

/* --- the role's credentials ------------------------------------------------------------------ */

static void on_credentials(void *arg, const struct aws_reply *reply)
{
	struct sso *sso = arg;
	char *error = NULL;
	sso->call = NULL;
	if (reply->outcome != AWS_OK) {
		char *text = aws_refusal_text(reply);
		bool is_over = reply->status == 401;
		char *why = xasprintf("no credentials for role %s in account %s: %s%s", sso->role,
		    sso->account, text,
		    reply->status == 403 ? "; assign the permission set to this user" : "");
		fail(sso, why, is_over);
		xfree(&text);
		xfree(&why);
		return;
	}
	struct aws_credentials *credentials =
	    aws_parse_sso_role(reply->body, reply->body_len, &error);
	if (credentials == NULL) {
		fail(sso, error, false);
	} else {
		aws_sso_token_free(&sso->token);
		credentials->source = xstrdup(aws_provider_text(sso->provider));
		aws_provider_done(sso->provider, credentials, NULL);
	}
	xfree(&error);
}

static void ask_for_credentials(struct sso *sso)
{
	struct buf query = {0};
	buf_append_text(&query, "account_id=");
	sigv4_encode(&query, sso->account, strlen(sso->account));
	buf_append_text(&query, "&role_name=");
	sigv4_encode(&query, sso->role, strlen(sso->role));
	const struct aws_request request = {.service = "portal.sso",
	    .region = sso->region,
	    .operation = "sso:GetRoleCredentials",
	    .method = "GET",
	    .path = "/federation/credentials",
	    .query = buf_text(&query),
	    .header_name = "x-amz-sso_bearer_token",
	    .header_value = sso->token.access_token};
	sso->call = aws_call_start(sso->aws, NULL, &request, on_credentials, sso);
	buf_free(&query);
}

/* --- the token ------------------------------------------------------------------------------- */

static int64_t token_life(const struct sso *sso)
{
	return sso->token.expires.ms - aws_now(sso->aws).ms;
}

static bool can_renew(const struct sso *sso)
{
	const struct aws_sso_token *token = &sso->token;
	return sso->session != NULL && token->refresh_token != NULL && token->client_id != NULL &&
	       token->client_secret != NULL &&
	       (token->registration_expires.ms == 0 ||
		   token->registration_expires.ms > aws_now(sso->aws).ms);
}

static void on_renewed(void *arg, const struct aws_reply *reply)
{
	struct sso *sso = arg;
	char *error = NULL;
	sso->call = NULL;
	bool is_renewed = false;
	if (reply->outcome != AWS_OK)
		error = aws_refusal_text(reply);
	else
		is_renewed = aws_sso_token_renew(
		    &sso->token, reply->body, reply->body_len, aws_now(sso->aws), &error);
	if (is_renewed)
		write_cache(sso);
	else
		log_warn("aws", "sso-token-not-renewed", LOG_S("file", sso->path),
		    LOG_S("error", error));
	if (is_renewed || token_life(sso) > 0) {
		ask_for_credentials(sso);
	} else {
		char *why = xasprintf("the token has expired and cannot be renewed: %s", error);
		fail(sso, why, true);
		xfree(&why);
	}
	xfree(&error);
}

static void renew(struct sso *sso)
{
	struct json_object *document = json_object_new_object();
	json_add_string(document, "grantType", "refresh_token");
	json_add_string(document, "clientId", sso->token.client_id);
	json_add_string(document, "clientSecret", sso->token.client_secret);
	json_add_string(document, "refreshToken", sso->token.refresh_token);
	const char *body = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
	const struct aws_request request = {.service = "oidc",
	    .region = sso->region,
	    .operation = "sso-oidc:CreateToken",
	    .method = "POST",
	    .path = "/token",
	    .content_type = "application/json",
	    .body = body,
	    .body_len = strlen(body)};
	sso->call = aws_call_start(sso->aws, NULL, &request, on_renewed, sso);
	json_object_put(document);
}

static void start(struct aws_provider *provider, void *source)
{
	struct sso *sso = source;
	char *error = NULL;
	sso->provider = provider;
	aws_sso_token_free(&sso->token);
	if (!read_cache(sso, &error)) {
		fail(sso, error, true);
		xfree(&error);
	} else if (token_life(sso) < RENEW_WITHIN && can_renew(sso)) {
		renew(sso);
	} else if (token_life(sso) <= 0) {
		fail(sso, "the token has expired", true);
	} else {
		ask_for_credentials(sso);
	}
}

static void stop(void *source)
{
	struct sso *sso = source;
	aws_call_cancel(&sso->call);
}

static void free_sso(void *source)
{
	struct sso *sso = source;
	xfree(&sso->origin);
	xfree(&sso->session);
	xfree(&sso->start_url);
	xfree(&sso->region);
	xfree(&sso->account);
	xfree(&sso->role);
	xfree(&sso->path);
	aws_sso_token_free(&sso->token);
	free(sso);
}

static const struct aws_source_class sso_class = {.start = start, .stop = stop, .free = free_sso};

struct aws_provider *aws_provider_sso(struct aws_context *aws, const struct aws_plan *plan)
{
	struct sso *sso = xcalloc(1, sizeof *sso);
	sso->aws = aws;
	sso->origin = xstrdup(plan->origin);
	sso->session = xstrdup_or_null(plan->sso.session);
	sso->start_url = xstrdup(plan->sso.start_url);
	sso->region = xstrdup(plan->sso.region);
	sso->account = xstrdup(plan->sso.account);
	sso->role = xstrdup(plan->sso.role);
	sso->path = cache_path(sso);
	return aws_provider_new(
	    aws, &sso_class, sso, xasprintf("%s (SSO role %s)", plan->text, sso->role));
}
