/* One signed AWS API call: credentials, signature, transport, retries (SDK standard mode), error
 * classification, and the clock offset learned from Date headers. Every AWS service module builds a
 * request and parses a reply with this. */
#ifndef EKSGATE_AWS_CALL_H
#define EKSGATE_AWS_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_credentials.h"
#include "common/mono.h"

struct loop;
struct fetcher;

/* What all calls of a process share. Owned by main; outlives every call and provider. */
struct aws_context;
struct aws_context *aws_context_new(struct loop *loop, struct fetcher *fetcher) MUST_USE;
void aws_context_free(struct aws_context **aws);
/* AWS's clock minus ours, learned from Date headers; 0 until known or when below 4 minutes. */
struct duration aws_clock_offset(const struct aws_context *aws);
struct unix_time aws_now(const struct aws_context *aws);
/* The region that the environment or the profile names; NULL: none. Borrowed. */
const char *aws_home_region(const struct aws_context *aws);

/* Copied by aws_call_start(). */
struct aws_request {
	const char *service; /* signing name and endpoint: "eks", "sts", "account" */
	const char *region; /* signing region */
	const char *operation; /* "eks:ListClusters", for messages and metrics */
	const char *method;
	const char *path; /* percent-encoded */
	const char *query; /* percent-encoded, NULL for none */
	const char *target; /* X-Amz-Target of the JSON protocol, NULL for none */
	const char *header_name; /* one more header, not signed; NULL for none */
	const char *header_value;
	const char *content_type; /* NULL when there is no body */
	const char *body;
	size_t body_len;
	bool is_paced; /* one budget per identity, region and operation (common/aws_pace.h) */
};

enum aws_outcome {
	AWS_OK,
	AWS_DENIED, /* AccessDenied and kin: a permission is missing */
	AWS_NOT_FOUND, /* ResourceNotFoundException */
	AWS_THROTTLED, /* still so after the retries */
	AWS_CREDENTIALS, /* no credentials, or refused: expired, invalid, clock */
	AWS_REGION_OFF, /* the region is not enabled for the account */
	AWS_UNREACHABLE, /* no answer: DNS, connect, TLS, time-out */
	AWS_BAD_REPLY, /* an answer that is not what the API says */
	AWS_FAILED, /* everything else: 5xx, validation */
};
const char *aws_outcome_text(enum aws_outcome outcome);

/* Valid during the callback. */
struct aws_reply {
	enum aws_outcome outcome;
	int status;
	const char *code; /* "AccessDeniedException"; NULL when ok or unknown */
	const char *message; /* for people; NULL when ok */
	const char *body; /* NUL-terminated, never NULL */
	size_t body_len;
	unsigned attempts;
	unsigned throttles;
	const char *identity; /* who asked: "role arn:… (from environment)"; NULL when unsigned */
	const char *region;
};

typedef void aws_call_fn(void *arg, const struct aws_reply *reply);
struct aws_call;

/* `provider` NULL sends unsigned. fn is called once, never before this returned. */
struct aws_call *aws_call_start(struct aws_context *aws, struct aws_provider *provider,
    const struct aws_request *request, aws_call_fn *fn, void *arg);
void aws_call_cancel(struct aws_call **call);

/* An error to keep: copied out of a reply. */
struct aws_error {
	enum aws_outcome outcome;
	char *operation;
	char *code;
	char *message;
	char *remedy; /* what to do: "add eks:ListClusters to role …" */
};
void aws_error_set(struct aws_error *error, const char *operation, const struct aws_reply *reply);
void aws_error_copy(struct aws_error *to, const struct aws_error *from);
void aws_error_free(struct aws_error *error);

#endif
