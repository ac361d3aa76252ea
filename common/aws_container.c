/* The source of credentials that a container's surroundings offer: ECS (RELATIVE_URI), EKS Pod
 * Identity and other agents (FULL_URI). Their requests carry a token, so plain http goes only to
 * this machine and to AWS's own addresses, checked when the connection is made, and never through a
 * proxy. The environment and the token file are read at each fetch. Made by the default chain. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/aws_context.h"
#include "common/aws_credentials_json.h"
#include "common/aws_files.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/fetch.h"
#include "common/loop.h"
#include "common/xmem.h"

#define ECS_HOST  "http://169.254.170.2"
#define TIMEOUT	  duration_ms(2000)
#define PAUSE	  duration_ms(1000)
#define ATTEMPTS  3
#define MAX_BYTES ((size_t)64 * 1024)
#define MAX_TOKEN ((size_t)64 * 1024)

struct container {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *origin;
	char *url; /* of the fetch under way, as is the token */
	char *token; /* NULL: none is sent */
	unsigned attempts;
	struct fetch *fetch;
	struct timer *timer;
};

static void try_once(struct container *container);

static void fail(struct container *container, const char *why)
{
	char *error = xasprintf("no credentials from the container (%s): %s%s%s", container->origin,
	    container->url != NULL ? container->url : "", container->url != NULL ? ": " : "", why);
	aws_provider_done(container->provider, NULL, error);
	xfree(&error);
}

/* --- where to and with what ------------------------------------------------------------------ */

static bool is_allowed_v4(uint32_t address)
{
	return address >> 24 == 127 || address == UINT32_C(0xa9feaa02) || /* 169.254.170.2 */
	       address == UINT32_C(0xa9feaa17); /* 169.254.170.23 */
}

/* Loopback, and the addresses of ECS and of EKS Pod Identity. */
static bool is_allowed(const struct sockaddr *address)
{
	static const struct in6_addr pod_identity = {
	    .s6_addr = {0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23}}; /* fd00:ec2::23 */
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, address, sizeof v4);
		return is_allowed_v4(ntohl(v4.sin_addr.s_addr));
	}
	if (address->sa_family != AF_INET6)
		return false;
	struct sockaddr_in6 v6;
	memcpy(&v6, address, sizeof v6);
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
	       memcmp(&v6.sin6_addr, &pod_identity, sizeof pod_identity) == 0;
}

static bool is_plain(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0;
}

/* NULL: *error. */
static char *url_of_environment(char **error)
{
	const char *relative = aws_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = aws_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	for (const char *p = relative != NULL ? relative : full; p != NULL && *p != '\0'; p++) {
		if (*p > ' ' && *p <= '~')
			continue;
		*error = xstrdup("the URI holds a space, a control character or something that is "
				 "not ASCII");
		return NULL;
	}
	if (relative != NULL && *relative == '/')
		return xasprintf("%s%s", ECS_HOST, relative);
	if (relative == NULL && full != NULL &&
	    (is_plain(full) || strncasecmp(full, "https://", 8) == 0))
		return xstrdup(full);
	*error = xstrdup(relative != NULL ? "the URI must begin with /"
					  : "the URI must begin with http:// or https://");
	return NULL;
}

/* AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, else _TOKEN, else *token is NULL. As it stands: an agent
 * compares bytes, and a line break in it would begin another header. */
static bool read_token(char **token, char **error)
{
	const char *path = aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *value = aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct buf text = {0};
	*token = NULL;
	if (path != NULL && !aws_read_file(path, MAX_TOKEN, &text)) {
		*error = xasprintf("cannot read the authorization token in %s: %m", path);
		buf_free_secret(&text);
		return false;
	}
	if (path == NULL && value != NULL)
		buf_append_text(&text, value);
	bool is_fine = path == NULL || text.len > 0;
	for (size_t i = 0; i < text.len; i++)
		is_fine = is_fine && text.data[i] >= ' ' && text.data[i] <= '~';
	if (!is_fine)
		*error =
		    xasprintf("the authorization token in %s is empty, or holds a line break or "
			      "another character that a header cannot have",
			path != NULL ? path : "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	else if (text.len > 0)
		*token = xstrdup(buf_text(&text));
	buf_free_secret(&text);
	return is_fine;
}

/* --- the request ----------------------------------------------------------------------------- */

static void on_success(struct container *container, const struct fetch_reply *reply)
{
	char *error = NULL;
	struct aws_credentials *credentials =
	    aws_parse_metadata(reply->body, reply->body_len, &error);
	if (credentials == NULL) {
		char *why = xasprintf("the answer is no set of credentials: %s", error);
		fail(container, why);
		xfree(&why);
	} else {
		credentials->source = xstrdup(aws_provider_text(container->provider));
		aws_provider_done(container->provider, credentials, NULL);
	}
	xfree(&error);
}

static void on_reply(void *arg, const struct fetch_reply *reply)
{
	struct container *container = arg;
	container->fetch = NULL;
	if (reply->error == NULL && reply->status == 200) {
		on_success(container, reply);
		return;
	}
	bool is_passing = reply->error != NULL || reply->status >= 500 || reply->status == 429;
	if (is_passing && ++container->attempts < ATTEMPTS) {
		timer_set(container->timer, PAUSE);
		return;
	}
	char *why =
	    reply->error != NULL
		? xstrdup(reply->error)
		: xasprintf("HTTP %d%s", reply->status,
		      reply->status == 401 || reply->status == 403
			  ? "; check the authorization token and which role the pod or task "
			    "may have"
			  : "");
	fail(container, why);
	xfree(&why);
}

static void on_pause_over(void *arg)
{
	try_once(arg);
}

static void try_once(struct container *container)
{
	const struct fetch_header headers[] = {{"Accept", "application/json"},
	    {"User-Agent", "eksgate/" EKSGATE_VERSION}, {"Authorization", container->token}};
	const struct fetch_request request = {.method = "GET",
	    .url = container->url,
	    .headers = headers,
	    .header_count = container->token != NULL ? 3 : 2,
	    .timeout = TIMEOUT,
	    .max_bytes = MAX_BYTES,
	    .ca_file = container->aws->ca_file,
	    .no_proxy = true,
	    .may_connect = is_plain(container->url) ? is_allowed : NULL};
	container->fetch = fetch_start(container->aws->fetcher, &request, on_reply, container);
}

static void start(struct aws_provider *provider, void *source)
{
	struct container *container = source;
	char *error = NULL;
	container->provider = provider;
	container->attempts = 0;
	xfree_secret(&container->token);
	xfree(&container->url);
	container->url = url_of_environment(&error);
	if (container->url != NULL && read_token(&container->token, &error)) {
		try_once(container);
		return;
	}
	fail(container, error);
	xfree(&error);
}

static void stop(void *source)
{
	struct container *container = source;
	fetch_cancel(&container->fetch);
	timer_cancel(container->timer);
}

static void free_container(void *source)
{
	struct container *container = source;
	timer_free(&container->timer);
	xfree(&container->origin);
	xfree(&container->url);
	xfree_secret(&container->token);
	free(container);
}

static const struct aws_source_class container_class = {
    .start = start, .stop = stop, .free = free_container};

struct aws_provider *aws_provider_container(struct aws_context *aws, const struct aws_plan *plan)
{
	struct container *container = xcalloc(1, sizeof *container);
	container->aws = aws;
	container->origin = xstrdup(plan->origin);
	container->timer = timer_new(aws->loop, on_pause_over, container);
	return aws_provider_new(aws, &container_class, container, xstrdup("container"));
}
