/* Whom a matcher acts as: the own identity, its role, its role in each account of a list, or its
 * role in each account of an organization. Pure. */
#ifndef EKSGATE_ROSTER_H
#define EKSGATE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct aws_matcher;
struct organization;

/* How many identities. `organization` is what the matcher names, as far as it is known; NULL when
 * it names none. */
size_t roster_count(
    const struct aws_matcher *matcher, const struct organization *organization) MUST_USE;
/* The ARN of the role of identity `i` (free()); NULL is the own identity. `partition` is that of
 * roles that are known by name alone: "aws". */
char *roster_role(const struct aws_matcher *matcher, const struct organization *organization,
    const char *partition, size_t i) MUST_USE;
/* The ARN of the role that the matcher would act as in that account (free()); NULL when it would
 * not, as far as its configuration tells, or as the own identity. */
char *roster_role_in(
    const struct aws_matcher *matcher, const char *partition, const char *account_id) MUST_USE;
/* For people: "own identity", "arn:aws:iam::{account}:role/x in 3 accounts" (free()). */
char *roster_text(const struct aws_matcher *matcher) MUST_USE;

#endif
