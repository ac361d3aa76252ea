/* How fast an identity may call one operation in one region: a token bucket whose rate halves when
 * AWS throttles and grows again while it does not. Pure but for the table; used by aws_call. */
#ifndef EKSGATE_AWS_PACE_H
#define EKSGATE_AWS_PACE_H

#include "common/attr.h"
#include "common/mono.h"

/* Calls a second at first and at most, also the burst; and at least. */
#define AWS_PACE_FASTEST 50.0
#define AWS_PACE_SLOWEST 0.5

struct aws_pace {
	double rate; /* calls a second */
	double tokens; /* below zero: calls that wait for theirs */
	struct mono at; /* when both were true */
	struct mono halved_at; /* 0: never */
};

void aws_pace_init(struct aws_pace *pace, struct mono now);
/* Takes the next turn; returns how long it is until then. */
struct duration aws_pace_take(struct aws_pace *pace, struct mono now) MUST_USE;
/* AWS throttled. Several at once count as one. */
void aws_pace_throttled(struct aws_pace *pace, struct mono now);

struct aws_paces;

struct aws_paces *aws_paces_new(void) MUST_USE;
void aws_paces_free(struct aws_paces **paces);
/* The budget of that identity, region and operation, made when it is new. Borrowed until the next
 * call. */
struct aws_pace *aws_paces_find(struct aws_paces *paces, const char *identity, const char *region,
    const char *operation, struct mono now);

#endif
