/* The verbs of roles as bits. Pure. */
#ifndef EKSGATE_VERBS_H
#define EKSGATE_VERBS_H

#include <stdint.h>

#include "common/attr.h"

enum verb_bit {
	VERB_GET = 1 << 0,
	VERB_LIST = 1 << 1,
	VERB_WATCH = 1 << 2,
	VERB_CREATE = 1 << 3,
	VERB_UPDATE = 1 << 4,
	VERB_PATCH = 1 << 5,
	VERB_DELETE = 1 << 6,
	VERB_DELETECOLLECTION = 1 << 7,
	VERB_EXEC = 1 << 8, /* exec and attach */
	VERB_PORTFORWARD = 1 << 9,
	/* No request has these: an API server asks its RBAC for them, and reviews may. */
	VERB_ESCALATE = 1 << 10,
	VERB_BIND = 1 << 11,
	VERB_APPROVE = 1 << 12,
	VERB_SIGN = 1 << 13,
	VERB_USE = 1 << 14,
	VERB_OTHER = 1 << 15, /* what no list names */
};

/* What "*" means for one kind of objects: Teleport's verbs. The rest are rights of their own. */
#define VERBS_USUAL ((uint32_t)VERB_PORTFORWARD * 2 - 1)
/* What "*" means for every kind. */
#define VERBS_ALL ((uint32_t)VERB_OTHER * 2 - 1)

/* VERB_OTHER when no list names it. */
uint32_t verb_bit(const char *verb) MUST_USE;
/* The names, "*" first, NULL-terminated. */
extern const char *const verb_names[];

#endif
