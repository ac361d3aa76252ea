/* metav1.Status documents for what the proxy refuses or cannot do. The reasons are those of
 * Kubernetes' own API (apimachinery StatusReason), so that client-go's error predicates work on our
 * answers as on the API server's. */
#include "kubeproxyd/http/status.h"

#include <stddef.h>
#include <string.h>

#include "common/utf8.h"

static const struct {
	unsigned code;
	const char *reason;
} reasons[] = {
    {400, "BadRequest"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "NotFound"},
    {405, "MethodNotAllowed"},
    {406, "NotAcceptable"},
    {408, "Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "RequestEntityTooLarge"},
    {415, "UnsupportedMediaType"},
    {421, "MisdirectedRequest"},
    {422, "Invalid"},
    {429, "TooManyRequests"},
    {500, "InternalError"},
    {503, "ServiceUnavailable"},
    {504, "Timeout"},
};

const char *status_reason(unsigned code)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].code == code)
			return reasons[i].reason;
	return "";
}

/* One character; returns how many bytes it had. What is not UTF-8 becomes U+FFFD. */
static size_t write_character(struct buf *out, const unsigned char *text, const char *end)
{
	if (text[0] == '"' || text[0] == '\\') {
		buf_append_char(out, '\\');
		buf_append_char(out, (char)text[0]);
		return 1;
	}
	if (text[0] < 0x20 || text[0] == 0x7f) {
		buf_printf(out, "\\u%04x", text[0]);
		return 1;
	}
	if (text[0] < 0x80) {
		buf_append_char(out, (char)text[0]);
		return 1;
	}
	size_t len = utf8_length((const char *)text, end);
	if (len == 0) {
		buf_append_text(out, "\\ufffd");
		return 1;
	}
	buf_append(out, text, len);
	return len;
}

void status_write(struct buf *out, unsigned code, const char *message)
{
	buf_append_text(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			     "\"status\":\"Failure\",\"message\":\"");
	const char *end = message + strlen(message);
	for (const unsigned char *at = (const unsigned char *)message; *at != '\0';)
		at += write_character(out, at, end);
	buf_printf(out, "\",\"reason\":\"%s\",\"code\":%u}\n", status_reason(code), code);
}
