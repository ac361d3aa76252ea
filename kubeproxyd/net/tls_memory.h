/* OpenSSL's memory, from a pool, counted. */
#ifndef EKSGATE_TLS_MEMORY_H
#define EKSGATE_TLS_MEMORY_H

#include <stdint.h>

#include "common/attr.h"

/* Before OpenSSL is used for the first time; afterwards nothing changes. */
void tls_memory_use_pool(void);
/* Allocations since then. */
uint64_t tls_memory_count(void) MUST_USE;

#endif
