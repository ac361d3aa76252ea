/* Finds bearer tokens in header fields. A token that is not understood is an error, never "none":
 * whoever sends one means to be known by it. The subprotocol's grammar is that of Kubernetes'
 * authenticator (base64url.bearer.authorization.k8s.io.TOKEN, beside at least one other protocol).
 * Called by identity_resolve.c and, to keep tokens from the API server, by headers.c. */
#include "kubeproxyd/gate/credential.h"

#include <string.h>
#include <strings.h>

#include "common/base64url.h"
#include "kubeproxyd/http/fields.h"

/* Everything that begins so is taken for a token, whatever follows. */
#define BEARER_STEM   "base64url.bearer.authorization.k8s.io"
#define BEARER_PREFIX BEARER_STEM "."

/* --- elements of a list ---------------------------------------------------------------------- */

struct element {
	const char *text;
	size_t len;
};

/* The next element of a comma-separated list, without spaces around it; false at the end. */
static bool next_element(const char **list, struct element *element)
{
	*list += strspn(*list, ", \t");
	if (**list == '\0')
		return false;
	element->text = *list;
	element->len = strcspn(*list, ",");
	*list += element->len;
	while (element->len > 0 && strchr(" \t", element->text[element->len - 1]) != NULL)
		element->len--;
	return true;
}

static bool carries_token(const struct element *element)
{
	return element->len >= strlen(BEARER_STEM) &&
	       strncasecmp(element->text, BEARER_STEM, strlen(BEARER_STEM)) == 0;
}

void credential_strip(const char *list, struct buf *out)
{
	struct element element;
	size_t before = out->len;
	while (next_element(&list, &element)) {
		if (carries_token(&element))
			continue;
		if (out->len > before)
			buf_append_text(out, ", ");
		buf_append(out, element.text, element.len);
	}
}

/* --- one token ------------------------------------------------------------------------------- */

/* RFC 6750, 2.1: letters, digits and "-._~+/", then '='. */
static bool is_token(const char *text, size_t len)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "-._~+/";
	size_t body = strspn(text, set);
	return body > 0 && body + strspn(text + body, "=") == len;
}

static bool take(struct credential *credential, const char *token, size_t len, const char **error)
{
	if (len > CREDENTIAL_MAX_BYTES) {
		*error = "the bearer token is longer than 16384 bytes";
		return false;
	}
	if (!is_token(token, len)) {
		*error = "the bearer token is empty or holds other characters than a token can";
		return false;
	}
	bool is_other = credential->token != NULL &&
			(credential->len != len || memcmp(credential->token, token, len) != 0);
	if (is_other) {
		*error = "the request carries two different bearer tokens";
		return false;
	}
	credential->token = token;
	credential->len = len;
	return true;
}

static bool take_authorization(struct credential *credential, const char *value, const char **error)
{
	size_t scheme = strcspn(value, " \t");
	if (scheme != strlen("Bearer") || strncasecmp(value, "Bearer", scheme) != 0) {
		*error = "the Authorization field is not accepted: only \"Bearer TOKEN\" is";
		return false;
	}
	const char *token = value + scheme + strspn(value + scheme, " \t");
	return take(credential, token, strlen(token), error);
}

static bool take_element(
    struct credential *credential, const struct element *element, const char **error)
{
	size_t prefix = strlen(BEARER_PREFIX);
	if (element->len <= prefix || memcmp(element->text, BEARER_PREFIX, prefix) != 0 ||
	    !base64url_decode(
		element->text + prefix, element->len - prefix, &credential->decoded) ||
	    memchr(credential->decoded.data, '\0', credential->decoded.len) != NULL) {
		*error =
		    "the bearer subprotocol of the WebSocket is not "
		    "base64url.bearer.authorization.k8s.io.TOKEN with TOKEN in unpadded base64url";
		return false;
	}
	return take(credential, credential->decoded.data, credential->decoded.len, error);
}

static bool take_protocols(
    struct credential *credential, const struct http_fields *fields, const char **error)
{
	size_t tokens = 0, others = 0;
	for (size_t i = 0; i < fields->count; i++) {
		const char *list = fields_value(fields, i);
		struct element element;
		while (fields_is(fields, i, FIELD_PROTOCOLS) && next_element(&list, &element)) {
			if (!carries_token(&element)) {
				others++;
				continue;
			}
			if (tokens++ > 0) {
				*error = "the WebSocket offers more than one bearer subprotocol";
				return false;
			}
			if (!take_element(credential, &element, error))
				return false;
		}
	}
	if (tokens == 0 || others > 0)
		return true;
	*error = "the WebSocket offers no subprotocol besides the bearer's: name one, such as "
		 "v5.channel.k8s.io";
	return false;
}

bool credential_find(
    const struct http_fields *fields, struct credential *credential, const char **error)
{
	*credential = (struct credential){0};
	if ((fields->traits & (FIELD_AUTHORIZATION | FIELD_PROTOCOLS)) == 0)
		return true;
	size_t count = 0;
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields_is(fields, i, FIELD_AUTHORIZATION))
			continue;
		if (count++ > 0) {
			*error = "the request has more than one Authorization field";
			return false;
		}
		if (!take_authorization(credential, fields_value(fields, i), error))
			return false;
	}
	return take_protocols(credential, fields, error);
}

void credential_free(struct credential *credential)
{
	buf_free_secret(&credential->decoded);
	*credential = (struct credential){0};
}
