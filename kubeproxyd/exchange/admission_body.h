/* What can be decided only with the body of the request at hand: the name of what is created, when
 * rules ask for names, whether an update could create, and reviews of one's own access. The second
 * half of admission.h. */
#ifndef EKSGATE_ADMISSION_BODY_H
#define EKSGATE_ADMISSION_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/exchange/admission.h"

/* A SelfSubjectAccessReview or a SelfSubjectRulesReview. */
bool admission_has_review(const struct request_info *info) MUST_USE;
/* A write to a name creates what is not there: a PUT for some kinds, a server-side apply for all
 * (apiserver registry/store.go, Update). The API server asks its RBAC for "create" then, and so
 * are roles here. Of a request that is allowed as it stands; false: it is refused. */
bool admission_check_creation(
    struct admission *admission, const struct http_head *request) MUST_USE;
/* All of the body, after admission_decide() said that it is needed. False: status and message, or
 * the document, are what to answer. */
bool admission_decide_body(struct admission *admission, struct exchanges *all,
    struct caller *caller, struct identity *identity, const struct http_head *request,
    const void *body, size_t len) MUST_USE;

#endif
