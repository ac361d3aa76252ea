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

/* All at once (GCC: Vector Extensions). */
typedef uint8_t bytes __attribute__((vector_size(ID_BYTES)));

static bytes digits_of(bytes nibbles)
{
	return nibbles + '0' + ((bytes)(nibbles > 9) & ('a' - '0' - 10));
}

static void write_hex(char hex[2 * ID_BYTES], const uint8_t id[ID_BYTES])
{
	bytes all;
	memcpy(&all, id, sizeof all);
	const bytes high = digits_of(all >> 4), low = digits_of(all & 15);
	const bytes begin = __builtin_shufflevector(
	    high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	const bytes end = __builtin_shufflevector(
	    high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
	memcpy(hex, &begin, sizeof begin);
	memcpy(hex + sizeof begin, &end, sizeof end);
}

void audit_id_make(char text[AUDIT_ID_TEXT])
{
	uint8_t id[ID_BYTES];
	take_random(id);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	char hex[2 * ID_BYTES];
	write_hex(hex, id);
	memcpy(text, hex, 8);
	text[8] = '-';
	memcpy(text + 9, hex + 8, 4);
	text[13] = '-';
	memcpy(text + 14, hex + 12, 4);
	text[18] = '-';
	memcpy(text + 19, hex + 16, 4);
	text[23] = '-';
	memcpy(text + 24, hex + 20, 12);
	text[36] = '\0';
}
