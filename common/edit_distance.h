/* How far one word is from another: for "did you mean". Pure. */
#ifndef EKSGATE_EDIT_DISTANCE_H
#define EKSGATE_EDIT_DISTANCE_H

#include <stddef.h>

#include "common/attr.h"

/* Longer words get no suggestion. */
#define EDIT_DISTANCE_MAX 40

/* How many letters must be changed, added, left out or swapped with their neighbour to make one of
 * the other (optimal string alignment); EDIT_DISTANCE_MAX when either is longer than that. */
size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len) MUST_USE;

#endif
