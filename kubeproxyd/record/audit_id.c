/* Makes audit ids (RFC 9562, version 4). Called by exchange.c for each request. Random bytes come
 * from the kernel for many ids at a time; each is used once and wiped. */
#include "kubeproxyd/record/audit_id.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ID_BYTES 16
/* What getrandom() gives whole whatever the signals (getrandom(2)). */
#define POOL_BYTES 256

static void take_random(uint8_t id[ID_BYTES])
{
	static uint8_t pool[POOL_BYTES];
	static size_t left;
	if (left == 0) {
		if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool)
			abort();
		left = sizeof pool;
	}
	left -= ID_BYTES;
	memcpy(id, pool + left, ID_BYTES);
	explicit_bzero(pool + left, ID_BYTES);
}

void audit_id_make(char text[AUDIT_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t id[ID_BYTES];
	take_random(id);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof id; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[id[i] >> 4];
		*text++ = digits[id[i] & 15];
	}
	*text = '\0';
}
