/* What the proxy itself answers to its users: which clusters they may use, a kubeconfig for them,
 * and, to whoever asks, what this is. Under /v1/, on connections for which no server name chose a
 * cluster. */
#ifndef EKSGATE_USER_API_H
#define EKSGATE_USER_API_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"

struct caller;
struct exchanges;
struct http_head;
struct identity;

struct user_api_answer {
	unsigned status; /* 200, or with `message` */
	const char *type; /* of the body */
	struct buf body;
	char *message;
};

/* Whether the request is for here and not for a cluster. */
bool user_api_is_asked(const struct exchanges *all, const struct caller *caller,
    const struct http_head *request) MUST_USE;
/* Whether it is answered without knowing who asks. */
bool user_api_is_public(const struct http_head *request) MUST_USE;
/* `identity` may be NULL for what is public. */
void user_api_answer(struct exchanges *all, struct caller *caller, struct identity *identity,
    const struct http_head *request, struct user_api_answer *answer);
void user_api_answer_free(struct user_api_answer *answer);

#endif
