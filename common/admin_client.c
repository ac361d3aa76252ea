/* The client half of the admin interface, for the command line: one blocking request to a daemon's
 * socket. */
#include "common/admin.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/xmem.h"

#define TIMEOUT_SECONDS 30L
#define MAX_ANSWER	(256u * 1024 * 1024)

static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
	struct buf *answer = arg;
	if (answer->len + size * count > MAX_ANSWER)
		return 0;
	buf_append(answer, data, size * count);
	return size * count;
}

static CURLcode perform(const char *socket_path, const char *method, const char *target,
    struct buf *answer, long *status)
{
	CURL *curl = curl_easy_init();
	if (curl == NULL)
		abort();
	char *url = xasprintf("http://localhost%s", target);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	if (strcmp(method, "GET") != 0)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(curl);
	free(url);
	return code;
}

static char *explain_failure(const char *socket_path, CURLcode code)
{
	if (access(socket_path, F_OK) != 0 && errno == ENOENT)
		return xasprintf("no daemon is running here (no socket %s)", socket_path);
	if (access(socket_path, W_OK) != 0)
		return xasprintf("cannot use %s: %s (try as root)", socket_path, strerror(errno));
	if (code == CURLE_COULDNT_CONNECT)
		return xasprintf("nobody answers on %s: its daemon was killed, or does not get to "
				 "it: start it again, or delete the file",
		    socket_path);
	return xasprintf("no answer on %s: %s", socket_path, curl_easy_strerror(code));
}

bool admin_call(const char *socket_path, const char *method, const char *target, int *status,
    struct json_object **document, char **error)
{
	struct buf answer = {0};
	long http_status = 0;
	CURLcode code = perform(socket_path, method, target, &answer, &http_status);
	if (code != CURLE_OK) {
		*error = explain_failure(socket_path, code);
		buf_free(&answer);
		return false;
	}
	char reason[JSON_ERROR_TEXT];
	*document = json_parse(buf_text(&answer), answer.len, reason);
	buf_free(&answer);
	if (*document == NULL) {
		*error = xasprintf("an unreadable answer on %s: %s", socket_path, reason);
		return false;
	}
	*status = (int)http_status;
	return true;
}
