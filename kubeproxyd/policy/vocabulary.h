/* The kinds, groups and subresources that the rules of a policy name, as small numbers: a request's
 * are looked up once, and rules then compare integers. */
#ifndef EKSGATE_VOCABULARY_H
#define EKSGATE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define VOCABULARY_UNKNOWN 0u

/* {0} is empty. Open addressing; at most half full. */
struct vocabulary {
	struct vocabulary_entry {
		char *text;
		uint64_t hash;
		uint32_t number;
	} * slots;
	size_t size, count;
};

/* From 1. */
uint32_t vocabulary_add(struct vocabulary *vocabulary, const char *text);
/* VOCABULARY_UNKNOWN when no rule names it. */
uint32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text) MUST_USE;
void vocabulary_free(struct vocabulary *vocabulary);

#endif
