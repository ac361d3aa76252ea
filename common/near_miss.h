/* Whether two texts are likely to be meant the same: what tells them apart, for people who look for
 * the reason why something does not match. Pure. */
#ifndef EKSGATE_NEAR_MISS_H
#define EKSGATE_NEAR_MISS_H

#include "common/attr.h"
#include "common/pattern.h"

/* "differs in upper and lower case only", "differs in white space at its ends only", …, "is one
 * letter away"; NULL when they are the same or not close. */
const char *near_miss(const char *wanted, const char *found) MUST_USE;
/* The same for a pattern; NULL when `found` matches it. */
const char *near_miss_pattern(const struct pattern *wanted, const char *found) MUST_USE;

#endif
