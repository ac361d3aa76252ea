/* The memory of nghttp2's sessions, from a pool, counted. */
#ifndef EKSGATE_H2_MEMORY_H
#define EKSGATE_H2_MEMORY_H

#include <nghttp2/nghttp2.h>
#include <stdint.h>

#include "common/attr.h"

/* For nghttp2_session_*_new3(). */
nghttp2_mem *h2_memory(void);
/* Allocations since the process began. */
uint64_t h2_memory_count(void) MUST_USE;

#endif
