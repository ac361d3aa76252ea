/* What AWS says when it refuses, and what that means: error codes out of answers (rest-json, query
 * protocol) and their classification. Pure. */
#ifndef EKSGATE_AWS_ERROR_H
#define EKSGATE_AWS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"

/* An error document. Either may be NULL: the answer did not have it. {0} initialises. */
struct aws_fault {
	char *code; /* without namespace and URL: "AccessDeniedException" */
	char *message;
};

/* `type_header` is the value of x-amzn-ErrorType or NULL. A body that is no error document gives a
 * fault without code. */
void aws_fault_parse(
    const char *type_header, const char *body, size_t len, struct aws_fault *fault);
void aws_fault_free(struct aws_fault *fault);

/* Of an answer that is not 2xx; `code` may be NULL. */
enum aws_outcome aws_fault_outcome(int status, const char *code) MUST_USE;

/* Worth trying again: throttled; a server's passing trouble. */
bool aws_fault_is_throttle(int status, const char *code) MUST_USE;
bool aws_fault_is_transient(int status, const char *code) MUST_USE;
/* Temporary credentials that ran out. */
bool aws_code_is_expired(const char *code) MUST_USE;
/* Codes that a wrong clock provokes (and other things, too). */
bool aws_code_is_clock(const char *code) MUST_USE;
/* The access key is not known there: wrong, or the region is not enabled for its account. */
bool aws_code_is_unknown_key(const char *code) MUST_USE;

#endif
