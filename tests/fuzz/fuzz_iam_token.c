/* AWS tokens, as the text of the token or as the URL in it, and STS's answers: what is accepted
 * leads to STS alone and asks for nothing but who signed it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/credential.h"
#include "kubeproxyd/gate/iam_caller.h"
#include "kubeproxyd/gate/iam_token.h"
#include "kubeproxyd/http/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1767323045000)

static void require(int holds)
{
	if (!holds)
		abort();
}

static void parse(const char *text, size_t len)
{
	struct iam_token token;
	const char *error = NULL;
	if (!iam_token_parse(text, len, "aws", (struct unix_time){NOW}, &token, &error)) {
		require(error != NULL);
		return;
	}
	size_t host = strlen(token.host);
	char *query = iam_token_query(&token);
	require(strncmp(token.host, "sts", 3) == 0);
	require((host > 14 && strcmp(token.host + host - 14, ".amazonaws.com") == 0) ||
		(host > 8 && strcmp(token.host + host - 8, ".api.aws") == 0));
	require(strncmp(query, "Action=GetCallerIdentity&Version=2011-06-15&", 44) == 0);
	require(strpbrk(query, " \r\n#/?") == NULL);
	xfree_secret(&query);
	iam_token_free(&token);
}

static void find_in_field(const char *text)
{
	struct http_fields fields = {0};
	struct credential credential;
	const char *error = NULL;
	fields_add_text(&fields, "Sec-WebSocket-Protocol", text);
	if (credential_find(&fields, &credential, &error) && credential.token != NULL)
		require(strlen(credential.token) == credential.len);
	credential_free(&credential);
	struct buf stripped = {0};
	credential_strip(text, &stripped);
	require(strcasestr(buf_text(&stripped), ", base64url.bearer.authorization.k8s.io") == NULL);
	buf_free(&stripped);
	fields_free(&fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *error = NULL;
	struct buf token = {0};
	struct iam_caller caller;
	parse(text, strlen(text));
	buf_append_text(&token, IAM_TOKEN_PREFIX);
	base64url_encode(text, strlen(text), &token);
	parse(buf_text(&token), token.len);
	enum iam_outcome outcome = iam_caller_read(200, text, strlen(text), "aws", &caller, &error);
	require((outcome == IAM_CALLER) == (error == NULL));
	iam_caller_free(&caller);
	find_in_field(text);
	buf_free(&token);
	free(error);
	free(text);
	return 0;
}
