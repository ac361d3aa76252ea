/* The source of credentials of an EC2 instance: the role of its instance profile, by the instance
 * metadata service. With a session token (version 2); without one (version 1) only where the
 * service has none to give and the configuration does not forbid it. One attempt of a second for
 * each request, never through a proxy. Made by the default chain, which takes the set beyond its
 * end when AWS is late with the next (is_lasting). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_context.h"
#include "common/aws_credentials_json.h"
#include "common/aws_profile.h"
#include "common/aws_provider.h"
#include "common/buf.h"
#include "common/fetch.h"
#include "common/xmem.h"

#define TIMEOUT	     duration_ms(1000)
#define TOKEN_LIFE   "21600" /* seconds */
#define MAX_BYTES    ((size_t)64 * 1024)
#define MAX_TOKEN    1024
#define MAX_ROLE     64
#define ROLES_PATH   "/latest/meta-data/iam/security-credentials/"
#define HOP_LIMIT_IS "in a container, the instance's metadata hop limit must be 2 or more"

enum step { STEP_TOKEN, STEP_ROLE, STEP_KEYS };

struct metadata {
	struct aws_context *aws;
	struct aws_provider *provider; /* whose source this is; no reference */
	char *endpoint;
	bool is_v1_forbidden;
	enum step step;
	char *token; /* NULL: version 1 */
	char *role;
	bool has_renewed; /* the token, in this fetch */
	bool has_timed_out; /* the request for a token */
	struct fetch *fetch;
};

static void go(struct metadata *metadata, enum step step);

static void fail(struct metadata *metadata, const char *why)
{
	char *error = xasprintf("instance metadata (%s): %s", metadata->endpoint, why);
	aws_provider_done(metadata->provider, NULL, error);
	xfree(&error);
}

static void fail_absent(struct metadata *metadata, const char *why)
{
	char *text =
	    xasprintf("not there: %s%s", why, metadata->has_timed_out ? " (" HOP_LIMIT_IS ")" : "");
	fail(metadata, text);
	xfree(&text);
}

static void fail_status(struct metadata *metadata, const struct fetch_reply *reply)
{
	if (reply->status == 404 && metadata->step != STEP_TOKEN) {
		fail(metadata, "the instance has no role: attach an instance profile to it");
		return;
	}
	bool is_tokenless = reply->status == 401 && metadata->token == NULL;
	char *text = xasprintf("HTTP %d%s", reply->status,
	    !is_tokenless	      ? ""
	    : metadata->has_timed_out ? ": a session token is required, and the answer to the "
					"request for one did not arrive; " HOP_LIMIT_IS
				      : ": a session token is required, and there was none");
	fail(metadata, text);
	xfree(&text);
}

/* --- the three steps ------------------------------------------------------------------------- */

static bool is_role_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("_+=,.@-", text[i]) == NULL)
			return false;
	}
	return len > 0 && len <= MAX_ROLE && text[0] != '.';
}

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return len > 0 && len <= MAX_TOKEN;
}

/* No token: the service is of version 1, or its answer died on the way. */
static void go_without_token(struct metadata *metadata, const char *why)
{
	if (!metadata->is_v1_forbidden) {
		go(metadata, STEP_ROLE);
		return;
	}
	char *text = xasprintf("%s, and version 1 is disabled (AWS_EC2_METADATA_V1_DISABLED)", why);
	fail_absent(metadata, text);
	xfree(&text);
}

static void on_token(struct metadata *metadata, const struct fetch_reply *reply)
{
	if (reply->error == NULL && reply->status == 200) {
		if (!is_token(reply->body, reply->body_len)) {
			fail(metadata, "the session token is no token");
			return;
		}
		metadata->token = xstrdup(reply->body);
		go(metadata, STEP_ROLE);
		return;
	}
	metadata->has_timed_out = reply->timed_out;
	if (reply->error != NULL && !reply->timed_out) {
		fail_absent(metadata, reply->error);
	} else if (reply->error != NULL) {
		go_without_token(metadata, reply->error);
	} else if (reply->status == 403 || reply->status == 404 || reply->status == 405) {
		char *why = xasprintf("HTTP %d for a session token", reply->status);
		go_without_token(metadata, why);
		xfree(&why);
	} else {
		fail_status(metadata, reply);
	}
}

static void on_role(struct metadata *metadata, const struct fetch_reply *reply)
{
	size_t len = strcspn(reply->body, "\r\n");
	if (!is_role_name(reply->body, len)) {
		fail(metadata, "the name of the instance's role is no name of a role: something "
			       "else answers at this address");
		return;
	}
	xfree(&metadata->role);
	metadata->role = xstrndup(reply->body, len);
	go(metadata, STEP_KEYS);
}

static void on_keys(struct metadata *metadata, const struct fetch_reply *reply)
{
	char *error = NULL;
	struct aws_credentials *credentials =
	    aws_parse_metadata(reply->body, reply->body_len, &error);
	if (credentials == NULL) {
		char *why = xasprintf("no credentials for role %s: %s", metadata->role, error);
		fail(metadata, why);
		xfree(&why);
	} else {
		credentials->is_lasting = true;
		credentials->source = xasprintf("instance role %s", metadata->role);
		aws_provider_done(metadata->provider, credentials, NULL);
	}
	xfree(&error);
}

static void on_reply(void *arg, const struct fetch_reply *reply)
{
	struct metadata *metadata = arg;
	metadata->fetch = NULL;
	if (metadata->step == STEP_TOKEN) {
		on_token(metadata, reply);
	} else if (reply->error != NULL) {
		fail_absent(metadata, reply->error);
	} else if (reply->status == 401 && metadata->token != NULL && !metadata->has_renewed) {
		metadata->has_renewed = true;
		go(metadata, STEP_TOKEN);
	} else if (reply->status != 200) {
		fail_status(metadata, reply);
	} else if (metadata->step == STEP_ROLE) {
		on_role(metadata, reply);
	} else {
		on_keys(metadata, reply);
	}
}

/* --- requests -------------------------------------------------------------------------------- */

static void go(struct metadata *metadata, enum step step)
{
	const char *role = step == STEP_KEYS ? metadata->role : "";
	metadata->step = step;
	if (step == STEP_TOKEN)
		xfree_secret(&metadata->token);
	char *url = step == STEP_TOKEN ? xasprintf("%s/latest/api/token", metadata->endpoint)
				       : xasprintf("%s" ROLES_PATH "%s", metadata->endpoint, role);
	struct fetch_header headers[2] = {{"User-Agent", "eksgate/" EKSGATE_VERSION}};
	size_t count = 1;
	if (step == STEP_TOKEN)
		headers[count++] =
		    (struct fetch_header){"X-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE};
	else if (metadata->token != NULL)
		headers[count++] =
		    (struct fetch_header){"X-aws-ec2-metadata-token", metadata->token};
	const struct fetch_request request = {.method = step == STEP_TOKEN ? "PUT" : "GET",
	    .url = url,
	    .headers = headers,
	    .header_count = count,
	    .timeout = TIMEOUT,
	    .max_bytes = MAX_BYTES,
	    .no_proxy = true};
	metadata->fetch = fetch_start(metadata->aws->fetcher, &request, on_reply, metadata);
	xfree(&url);
}

static void start(struct aws_provider *provider, void *source)
{
	struct metadata *metadata = source;
	metadata->provider = provider;
	metadata->has_renewed = metadata->has_timed_out = false;
	go(metadata, STEP_TOKEN);
}

static void stop(void *source)
{
	struct metadata *metadata = source;
	fetch_cancel(&metadata->fetch);
}

static void free_metadata(void *source)
{
	struct metadata *metadata = source;
	xfree(&metadata->endpoint);
	xfree_secret(&metadata->token);
	xfree(&metadata->role);
	free(metadata);
}

static const struct aws_source_class metadata_class = {
    .start = start, .stop = stop, .free = free_metadata};

struct aws_provider *aws_provider_metadata(struct aws_context *aws, const struct aws_plan *plan)
{
	struct metadata *metadata = xcalloc(1, sizeof *metadata);
	metadata->aws = aws;
	metadata->endpoint = xstrdup(plan->metadata.endpoint);
	metadata->is_v1_forbidden = plan->metadata.is_v1_forbidden;
	return aws_provider_new(aws, &metadata_class, metadata, xstrdup("instance metadata"));
}
