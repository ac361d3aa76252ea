/* Whom a client wants to be (kubectl --as, --as-group, --as-uid, --as-user-extra), decoded. What a
 * role says about it: impersonation.h. */
#ifndef EKSGATE_ACT_AS_H
#define EKSGATE_ACT_AS_H

#include <stddef.h>

#include "kubeproxyd/policy/document.h"

/* Of what the key of an extra is, once it is decoded. */
#define ACT_AS_KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789/-._"

struct act_as_extra {
	char *key; /* decoded, lower case */
	char *value;
};

/* {0}: nobody else. Owns its strings; act_as_free() releases. */
struct act_as {
	char *user; /* NULL: oneself, with some of one's groups */
	struct texts groups;
	char *uid;
	struct act_as_extra *extras;
	size_t extra_count;
};

#endif
