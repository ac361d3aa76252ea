/* Makes audit ids (RFC 9562, version 4). Called by exchange.c for each request. */
#include "kubeproxyd/record/audit_id.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void audit_id_make(char text[AUDIT_ID_TEXT])
{
	uint8_t id[16];
	if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
		abort();
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	char *at = text;
	for (size_t i = 0; i < sizeof id; i++) {
		bool has_dash = i == 4 || i == 6 || i == 8 || i == 10;
		at += sprintf(at, has_dash ? "-%02x" : "%02x", id[i]);
	}
}
