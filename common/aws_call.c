/* The life of one AWS call: credentials, signature, request, and then done, or once more: with
 * fresh credentials (ExpiredToken), with a corrected clock, or after a pause (throttling, trouble,
 * no answer). Owned by whoever started it until its callback ran. Nothing here knows a service. */
#include "common/aws_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_context.h"
#include "common/aws_endpoint_config.h"
#include "common/aws_error.h"
#include "common/aws_pace.h"
#include "common/buf.h"
#include "common/fetch.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sigv4.h"
#include "common/xmem.h"

#define MAX_HEADERS   8
#define REQUEST_TEXTS 10 /* in struct aws_request, besides the body */
#define USER_AGENT    "eksgate/" EKSGATE_VERSION

struct aws_call {
	struct aws_context *aws;
	struct aws_provider *provider;
	struct aws_request request; /* the strings are copies: */
	char *copies[REQUEST_TEXTS];
	size_t copy_count;
	char *body;
	char *endpoint_error; /* there is nowhere to send it */
	char *host; /* as signed; NULL then, as are the next two */
	char *base; /* what stands before the path in the URL: "https://host" */
	char *path; /* with the path of AWS_ENDPOINT_URL */
	aws_call_fn *fn;
	void *arg;

	struct aws_wait *wait;
	struct fetch *fetch;
	struct timer *timer;
	bool is_finishing;
	bool has_turn; /* waits for the turn it took, not before another attempt */

	/* Of the attempt under way. */
	char *access_key_id; /* NULL when unsigned */
	struct duration offset;

	unsigned attempts, retries, throttles;
	unsigned paid; /* to the quota, for the last retry */
	bool has_renewed, has_reset_clock;
};

static void start_attempt(struct aws_call *call);
static void go_on(struct aws_call *call);

/* --- the request ----------------------------------------------------------------------------- */

/* "http://host:80/base" -> host without the scheme's own port, as curl will send it; and "/base".
 */
static void split_endpoint(struct aws_call *call, const char *url)
{
	const char *scheme_end = strstr(url, "://");
	const char *start = scheme_end != NULL ? scheme_end + 3 : url;
	size_t len = strcspn(start, "/");
	call->base = xstrndup(url, (size_t)(start + len - url));
	call->path = xasprintf("%s%s", start + len, call->request.path);
	const char *own_port = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
	size_t port_len = strlen(own_port);
	if (len > port_len && memcmp(start + len - port_len, own_port, port_len) == 0)
		len -= port_len;
	call->host = xstrndup(start, len);
}

/* A copy that lives as long as the call; NULL stays NULL. */
static const char *keep(struct aws_call *call, const char *text)
{
	if (text == NULL)
		return NULL;
	call->copies[call->copy_count] = xstrdup(text);
	return call->copies[call->copy_count++];
}

static void copy_request(struct aws_call *call, const struct aws_request *request)
{
	call->request = *request;
	call->request.service = keep(call, request->service);
	call->request.region = keep(call, request->region);
	call->request.operation = keep(call, request->operation);
	call->request.method = keep(call, request->method);
	call->request.path = keep(call, request->path);
	call->request.query = keep(call, request->query);
	call->request.target = keep(call, request->target);
	call->request.header_name = keep(call, request->header_name);
	call->request.header_value = keep(call, request->header_value);
	call->request.content_type = keep(call, request->content_type);
	if (request->body != NULL)
		call->request.body = call->body = xstrndup(request->body, request->body_len);
}

static void free_request(struct aws_call *call)
{
	for (size_t i = 0; i < call->copy_count; i++)
		xfree_secret(&call->copies[i]);
	xfree_secret(&call->body);
}

static void free_call(struct aws_call *call)
{
	timer_free(&call->timer);
	free_request(call);
	xfree(&call->endpoint_error);
	xfree(&call->host);
	xfree(&call->base);
	xfree(&call->path);
	xfree(&call->access_key_id);
	aws_provider_unref(&call->provider);
	free(call);
}

/* --- the end --------------------------------------------------------------------------------- */

static void tell_failure(const struct aws_call *call, const struct aws_reply *reply)
{
	log_debug("aws", "failed", LOG_S("operation", call->request.operation),
	    LOG_S("region", reply->region), LOG_S("outcome", aws_outcome_text(reply->outcome)),
	    LOG_S("code", reply->code), LOG_S("message", reply->message),
	    LOG_I("attempts", call->attempts));
}

static void finish(struct aws_call *call, struct aws_reply *reply)
{
	reply->attempts = call->attempts;
	reply->throttles = call->throttles;
	reply->region = call->request.region;
	reply->identity = call->provider != NULL ? aws_provider_text(call->provider) : NULL;
	if (reply->body == NULL)
		reply->body = "";
	if (reply->outcome != AWS_OK)
		tell_failure(call, reply);
	call->is_finishing = true;
	call->fn(call->arg, reply);
	free_call(call);
}

/* --- once more ------------------------------------------------------------------------------- */

static void on_pause_over(void *arg)
{
	struct aws_call *call = arg;
	if (call->has_turn)
		go_on(call);
	else
		start_attempt(call);
}

/* False when the attempts or the quota are used up. */
static bool retry_later(struct aws_call *call, bool timed_out, const char *wanted)
{
	if (call->retries + 1 >= AWS_MAX_ATTEMPTS)
		return false;
	call->paid = aws_quota_take(&call->aws->quota, timed_out);
	if (call->paid == 0)
		return false;
	timer_set(call->timer, aws_retry_delay(call->retries, wanted));
	call->retries++;
	return true;
}

static bool renew_credentials(struct aws_call *call, const char *code)
{
	if (call->provider == NULL || call->has_renewed || !aws_code_is_expired(code))
		return false;
	call->has_renewed = true;
	aws_provider_refused(call->provider, call->access_key_id);
	start_attempt(call);
	return true;
}

/* When AWS's clock is not what the request was dated by, that may be why it was refused. */
static bool correct_clock(struct aws_call *call, const char *code, const struct fetch_reply *reply)
{
	struct duration offset;
	if (call->access_key_id == NULL || call->has_reset_clock || !aws_code_is_clock(code))
		return false;
	if (!aws_clock_sample(fetch_reply_header(reply, "date"), &offset))
		return false;
	if (!aws_clock_is_off(duration_ms(offset.ms - call->offset.ms)))
		return false;
	call->has_reset_clock = true;
	aws_clock_reset(call->aws, offset);
	log_warn("aws", "clock-differs", LOG_I("offset_seconds", offset.ms / 1000),
	    LOG_S("region", call->request.region));
	start_attempt(call);
	return true;
}

static struct aws_pace *pace_of(const struct aws_call *call)
{
	const char *identity = call->provider != NULL ? aws_provider_text(call->provider) : "";
	return aws_paces_find(
	    call->aws->paces, identity, call->request.region, call->request.operation, mono_now());
}

/* --- the answer ------------------------------------------------------------------------------ */

static void on_no_answer(struct aws_call *call, const struct fetch_reply *reply)
{
	if (retry_later(call, reply->timed_out, NULL))
		return;
	bool is_cut = reply->status != 0 && !reply->timed_out;
	struct aws_reply failure = {.outcome = is_cut ? AWS_BAD_REPLY : AWS_UNREACHABLE,
	    .status = reply->status,
	    .message = reply->error};
	finish(call, &failure);
}

static void on_success(struct aws_call *call, const struct fetch_reply *reply)
{
	aws_quota_give_back(&call->aws->quota, call->paid);
	if (call->access_key_id != NULL)
		aws_key_accepted(call->aws, call->access_key_id, call->request.region);
	struct aws_reply success = {.outcome = AWS_OK,
	    .status = reply->status,
	    .body = reply->body,
	    .body_len = reply->body_len};
	finish(call, &success);
}

/* For an answer that is no error document, or one without text. */
static char *own_message(
    const struct aws_call *call, const struct fetch_reply *reply, const char *code)
{
	if (code != NULL)
		return xasprintf("%s (HTTP %d)", code, reply->status);
	const char *type = fetch_reply_header(reply, "content-type");
	return xasprintf("HTTP %d from %s with %s instead of an AWS error", reply->status,
	    call->host, type != NULL ? type : "no content type");
}

static void finish_refused(
    struct aws_call *call, const struct fetch_reply *reply, const struct aws_fault *fault)
{
	char *message = fault->message != NULL ? xstrdup(fault->message)
					       : own_message(call, reply, fault->code);
	struct aws_reply failure = {.outcome = aws_fault_outcome(reply->status, fault->code),
	    .status = reply->status,
	    .code = fault->code,
	    .message = message,
	    .body = reply->body,
	    .body_len = reply->body_len};
	if (aws_code_is_unknown_key(fault->code) && call->access_key_id != NULL &&
	    aws_key_works_elsewhere(call->aws, call->access_key_id, call->request.region))
		failure.outcome = AWS_REGION_OFF;
	finish(call, &failure);
	xfree(&message);
}

static void on_refusal(struct aws_call *call, const struct fetch_reply *reply)
{
	struct aws_fault fault = {0};
	aws_fault_parse(
	    fetch_reply_header(reply, "x-amzn-errortype"), reply->body, reply->body_len, &fault);
	bool is_throttle = aws_fault_is_throttle(reply->status, fault.code);
	bool is_worth_it = is_throttle || aws_fault_is_transient(reply->status, fault.code);
	call->throttles += is_throttle;
	if (is_throttle && call->request.is_paced)
		aws_pace_throttled(pace_of(call), mono_now());
	bool goes_on =
	    renew_credentials(call, fault.code) || correct_clock(call, fault.code, reply) ||
	    (is_worth_it &&
		retry_later(call, false, fetch_reply_header(reply, "x-amz-retry-after")));
	if (!goes_on)
		finish_refused(call, reply, &fault);
	aws_fault_free(&fault);
}

static void on_reply(void *arg, const struct fetch_reply *reply)
{
	struct aws_call *call = arg;
	struct duration offset;
	call->fetch = NULL;
	call->attempts++;
	if (aws_clock_sample(fetch_reply_header(reply, "date"), &offset))
		aws_clock_learn(call->aws, offset);
	if (reply->error != NULL)
		on_no_answer(call, reply);
	else if (reply->status >= 200 && reply->status < 300)
		on_success(call, reply);
	else
		on_refusal(call, reply);
}

/* --- one attempt ----------------------------------------------------------------------------- */

static void send_request(struct aws_call *call, struct fetch_header *headers, size_t count)
{
	const struct aws_request *request = &call->request;
	headers[count++] = (struct fetch_header){"User-Agent", USER_AGENT};
	headers[count++] = (struct fetch_header){"Accept", "application/json"};
	if (request->target != NULL)
		headers[count++] = (struct fetch_header){"X-Amz-Target", request->target};
	if (request->content_type != NULL)
		headers[count++] = (struct fetch_header){"Content-Type", request->content_type};
	if (request->header_name != NULL)
		headers[count++] =
		    (struct fetch_header){request->header_name, request->header_value};
	bool has_query = request->query != NULL && *request->query != '\0';
	char *url = xasprintf("%s%s%s%s", call->base, call->path, has_query ? "?" : "",
	    has_query ? request->query : "");
	struct fetch_request wire = {.method = request->method,
	    .url = url,
	    .headers = headers,
	    .header_count = count,
	    .body = request->body,
	    .body_len = request->body_len,
	    .ca_file = call->aws->ca_file};
	call->fetch = fetch_start(call->aws->fetcher, &wire, on_reply, call);
	xfree(&url);
}

static void sign_and_send(struct aws_call *call, const struct aws_credentials *credentials)
{
	const struct aws_request *request = &call->request;
	struct sigv4_header signed_headers[2];
	size_t signed_count = 0;
	if (request->content_type != NULL)
		signed_headers[signed_count++] =
		    (struct sigv4_header){"content-type", request->content_type};
	if (request->target != NULL)
		signed_headers[signed_count++] =
		    (struct sigv4_header){"x-amz-target", request->target};
	struct sigv4_request to_sign = {.method = request->method,
	    .host = call->host,
	    .path = call->path,
	    .query = request->query,
	    .headers = signed_headers,
	    .header_count = signed_count,
	    .body = request->body,
	    .body_len = request->body_len,
	    .region = request->region,
	    .service = request->service};
	struct sigv4_result signature = {0};
	struct fetch_header headers[MAX_HEADERS];
	size_t count = 0;
	sigv4_sign(&to_sign, credentials, unix_add(unix_now(), call->offset), &signature);
	headers[count++] = (struct fetch_header){"X-Amz-Date", signature.amz_date};
	headers[count++] =
	    (struct fetch_header){"Authorization", buf_text(&signature.authorization)};
	if (credentials->session_token != NULL)
		headers[count++] =
		    (struct fetch_header){"X-Amz-Security-Token", credentials->session_token};
	send_request(call, headers, count);
	sigv4_result_free(&signature);
}

static void on_credentials(void *arg, const struct aws_credentials *credentials, const char *error)
{
	struct aws_call *call = arg;
	call->wait = NULL;
	if (credentials == NULL) {
		struct aws_reply failure = {.outcome = AWS_CREDENTIALS, .message = error};
		finish(call, &failure);
		return;
	}
	xfree(&call->access_key_id);
	call->access_key_id = xstrdup(credentials->access_key_id);
	call->offset = aws_clock_offset(call->aws);
	sign_and_send(call, credentials);
}

static void go_on(struct aws_call *call)
{
	struct fetch_header headers[MAX_HEADERS];
	call->has_turn = false;
	if (call->endpoint_error != NULL) {
		struct aws_reply failure = {.outcome = AWS_FAILED, .message = call->endpoint_error};
		finish(call, &failure);
		return;
	}
	if (call->provider != NULL)
		call->wait = aws_provider_get(call->provider, on_credentials, call);
	else
		send_request(call, headers, 0);
}

static void start_attempt(struct aws_call *call)
{
	struct duration wait = duration_ms(0);
	if (call->request.is_paced)
		wait = aws_pace_take(pace_of(call), mono_now());
	call->has_turn = wait.ms > 0;
	if (call->has_turn)
		timer_set(call->timer, wait);
	else
		go_on(call);
}

struct aws_call *aws_call_start(struct aws_context *aws, struct aws_provider *provider,
    const struct aws_request *request, aws_call_fn *fn, void *arg)
{
	struct aws_call *call = xcalloc(1, sizeof *call);
	call->aws = aws;
	call->provider = provider != NULL ? aws_provider_ref(provider) : NULL;
	call->fn = fn;
	call->arg = arg;
	call->timer = timer_new(aws->loop, on_pause_over, call);
	copy_request(call, request);
	char *url = aws_endpoint_config_url(
	    aws->endpoints, request->service, request->region, &call->endpoint_error);
	if (url != NULL) {
		split_endpoint(call, url);
		start_attempt(call);
	} else {
		timer_set(call->timer, duration_ms(0));
	}
	xfree(&url);
	/* It lives: with a URL there is no endpoint_error, and credentials come in a later turn.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return call;
}

void aws_call_cancel(struct aws_call **handle)
{
	struct aws_call *call = *handle;
	*handle = NULL;
	if (call == NULL || call->is_finishing)
		return;
	aws_wait_cancel(&call->wait);
	fetch_cancel(&call->fetch);
	free_call(call);
}
