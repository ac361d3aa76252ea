/* The bearer token that an EKS API server takes: a presigned GetCallerIdentity URL in disguise.
 * Minting is offline and takes microseconds. Pure but for what it is given; both daemons call it.
 */
#include "common/eks_token.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/buf.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define PREFIX		"k8s-aws-v1."
#define EXPIRES_SECONDS 60 /* by convention: the token is good for 15 minutes whatever it says */

/* base64url without padding; the text becomes the caller's. */
static char *encode_token(const struct buf *url)
{
	struct buf token = {0};
	buf_append_text(&token, PREFIX);
	char *text = buf_reserve(&token, url->len / 3 * 4 + 8);
	int len =
	    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)url->data, (int)url->len);
	while (len > 0 && text[len - 1] == '=')
		len--;
	for (int i = 0; i < len; i++)
		text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	buf_commit(&token, (size_t)len);
	return buf_take(&token);
}

char *eks_token_mint(const struct aws_credentials *credentials, const char *cluster,
    const char *region, const char *sts_host, struct unix_time now, char **error)
{
	char *host = sts_host != NULL ? xstrdup(sts_host) : aws_sts_token_host(region);
	const struct sigv4_header id = {"x-k8s-aws-id", cluster};
	const struct sigv4_request request = {.method = "GET",
	    .host = host,
	    .path = "/",
	    .query = "Action=GetCallerIdentity&Version=2011-06-15",
	    .headers = &id,
	    .header_count = 1,
	    .region = region,
	    .service = "sts"};
	struct sigv4_result result = {0};
	struct buf url = {0};
	sigv4_presign(&request, credentials, now, EXPIRES_SECONDS, &result);
	buf_printf(&url, "https://%s/?%s", host, buf_text(&result.query));
	char *token = encode_token(&url);
	size_t len = strlen(token);
	if (len > EKS_TOKEN_MAX) {
		*error = xasprintf("the token would have %zu bytes and API servers take %d: the "
				   "session token of %s is too "
				   "long, assume the role with fewer session tags or policies",
		    len, EKS_TOKEN_MAX,
		    credentials->source != NULL ? credentials->source : "the credentials");
		xfree_secret(&token);
	}
	buf_free_secret(&url);
	sigv4_result_free(&result);
	xfree(&host);
	return token;
}
