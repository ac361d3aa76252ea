/* SelfSubjectAccessReview: what a client asks, and how it is answered from here when the policy
 * says no, or alone decides (the API server answers the rest of what the policy would let pass). In
 * JSON, YAML and protobuf. Pure. */
#ifndef EKSGATE_ACCESS_REVIEW_H
#define EKSGATE_ACCESS_REVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/policy/object_name.h"
#include "kubeproxyd/policy/request_info.h"

/* spec of a review. {0} initialises; access_review_free() releases. */
struct access_review {
	bool is_resource;
	char *verb, *path, *group, *version, *resource, *subresource, *namespace, *name;
};

/* False: *error (static) says why it cannot be read. */
bool access_review_read(enum body_format format, const void *body, size_t len,
    struct access_review *review, const char **error) MUST_USE;
/* The request that it asks about; borrows from the review. */
struct request_info access_review_request(const struct access_review *review);
/* The review with a status that says yes or no, and `reason`. BODY_JSON or BODY_PROTOBUF. */
void access_review_answer(const struct access_review *review, bool is_allowed, const char *reason,
    enum body_format format, struct buf *out);
void access_review_free(struct access_review *review);

/* What a client wants by its Accept: BODY_PROTOBUF where that comes before JSON, else BODY_JSON. */
enum body_format body_format_wanted(const char *accept) MUST_USE;
/* "application/json" and so on. */
const char *body_format_type(enum body_format format);

#endif
