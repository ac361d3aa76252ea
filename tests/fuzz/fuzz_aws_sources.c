/* What the sources of credentials read: the first byte of the input chooses who reads the rest:
 * credential_process, containers and instances, SSO's role, the cached SSO token and its renewal, a
 * command line. Each must say yes with whole results or no with an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_credentials_json.h"
#include "common/aws_words.h"
#include "common/xmem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef struct aws_credentials *parse_fn(const char *text, size_t len, char **error);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void check_set(parse_fn *parse, const char *text, size_t len)
{
	char *error = NULL, *flaw = NULL;
	struct aws_credentials *credentials = parse(text, len, &error);
	expect((credentials != NULL) == (error == NULL));
	if (credentials != NULL)
		expect(*credentials->access_key_id != '\0' &&
		       *credentials->secret_access_key != '\0' && credentials->expires.ms >= 0 &&
		       aws_credentials_are_sound(credentials, &flaw));
	aws_credentials_free(&credentials);
	xfree(&error);
}

static void check_token(const char *text, size_t len)
{
	struct aws_sso_token token;
	char *error = NULL;
	bool is_read = aws_sso_token_parse(text, len, &token, &error);
	expect(is_read == (error == NULL));
	if (is_read)
		expect(token.expires.ms > 0 && strpbrk(token.access_token, "\r\n ") == NULL);
	aws_sso_token_free(&token);
	xfree(&error);
}

static void check_renewal(const char *text, size_t len)
{
	static const char cached[] =
	    "{\"accessToken\":\"a\",\"expiresAt\":\"2026-01-02T03:04:05Z\",\"refreshToken\":\"r\"}";
	struct aws_sso_token token;
	char *error = NULL;
	expect(aws_sso_token_parse(cached, sizeof cached - 1, &token, &error));
	const struct unix_time now = {INT64_C(1767323045000)};
	bool is_renewed = aws_sso_token_renew(&token, text, len, now, &error);
	expect(is_renewed == (error == NULL));
	expect(!is_renewed || token.expires.ms > now.ms);
	aws_sso_token_free(&token);
	xfree(&error);
}

static void check_words(const char *text)
{
	const char *error = NULL;
	char **words = aws_words_split(text, &error);
	expect((words != NULL) == (error == NULL));
	expect(words == NULL || *words[0] != '\0');
	aws_words_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static parse_fn *const parsers[] = {
	    aws_parse_process, aws_parse_metadata, aws_parse_sso_role};
	if (len == 0)
		return 0;
	char *text = xstrndup((const char *)data + 1, len - 1);
	switch (data[0] % 6) {
	case 3:
		check_token(text, len - 1);
		break;
	case 4:
		check_renewal(text, len - 1);
		break;
	case 5:
		check_words(text);
		break;
	default:
		check_set(parsers[data[0] % 6], text, len - 1);
		break;
	}
	xfree(&text);
	return 0;
}
