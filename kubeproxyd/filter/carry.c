/* The carried bytes. Called by the filters. */
#include "kubeproxyd/filter/carry.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define STEP_LEAST ((size_t)32 * 1024)
#define STEP_MOST  ((size_t)64 * 1024)

static void grow(struct carry *carry, size_t want)
{
	size_t step = want / 8;
	if (step < STEP_LEAST)
		step = STEP_LEAST;
	if (step > STEP_MOST)
		step = STEP_MOST;
	carry->cap = (want + step - 1) / step * step;
	carry->data = xrealloc(carry->data, carry->cap);
}

void carry_append(struct carry *carry, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	if (carry->len + len > carry->cap)
		grow(carry, carry->len + len);
	memcpy(carry->data + carry->len, data, len);
	carry->len += len;
}

void carry_consume(struct carry *carry, size_t len)
{
	if (len >= carry->len) {
		carry_free(carry);
		return;
	}
	if (len == 0)
		return;
	memmove(carry->data, carry->data + len, carry->len - len);
	carry->len -= len;
}

void carry_free(struct carry *carry)
{
	if (carry->data != NULL)
		explicit_bzero(carry->data, carry->cap);
	free(carry->data);
	*carry = (struct carry){0};
}
