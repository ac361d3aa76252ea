/* The answer to a deletecollection that was done object by object: a list of what was deleted, or a
 * Status that says how many were not, which and why. Pure. */
#ifndef EKSGATE_DELETE_ANSWER_H
#define EKSGATE_DELETE_ANSWER_H

#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

struct delete_object;
struct json_object;

/* How many failures are told in full, and after how many nothing more is tried. */
#define DELETE_CAUSES_MAX 50

struct delete_failures {
	struct json_object *causes; /* NULL: none */
	size_t count;
	unsigned status; /* of the first */
	char *first; /* "pods "a": why" */
};

/* `answer` is the API server's or the proxy's, or empty; `resource` is "pods". */
void delete_failures_add(struct delete_failures *failures, const char *resource,
    const struct delete_object *object, unsigned status, const char *answer, size_t len);
void delete_failures_free(struct delete_failures *failures);

/* The message of a Status; "" when `answer` is none (free()). */
char *delete_answer_message(const char *answer, size_t len) MUST_USE;

/* PartialObjectMetadataList: begin, each object, end. `next` is the token of the page behind. */
void delete_list_begin(struct buf *out, const char *next);
void delete_list_add(struct buf *out, const struct delete_object *object);
void delete_list_end(struct buf *out);

struct delete_tally {
	size_t deleted, total, untried;
};

/* "2 of 5 pods were deleted, 3 could not be …" (free()). */
char *delete_failures_sentence(const struct delete_failures *failures, const char *resource,
    const struct delete_tally *tally) MUST_USE;
void delete_failures_write(struct buf *out, const struct delete_failures *failures,
    const char *api_group, const char *resource, const char *message);

#endif
