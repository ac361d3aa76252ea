/* Bytes that are carried from one piece of a body to the next. They grow by steps, not by doubling:
 * what a filter holds is little more than its largest item. */
#ifndef EKSGATE_CARRY_H
#define EKSGATE_CARRY_H

#include <stddef.h>
#include <stdint.h>

/* {0} is empty. */
struct carry {
	uint8_t *data;
	size_t len, cap;
};

void carry_append(struct carry *carry, const uint8_t *data, size_t len);
/* Drops the first `len` bytes; when none are left, its memory, too. */
void carry_consume(struct carry *carry, size_t len);
/* Wipes and frees: objects may be Secrets. */
void carry_free(struct carry *carry);

#endif
