/* How much memory is allocated, for tests of what stays within a bound. Pages that a module maps
 * for itself (kubeproxyd/filter/carry.h) are not in it. */
#ifndef EKSGATE_ALLOCATED_H
#define EKSGATE_ALLOCATED_H

#include <malloc.h>
#include <stddef.h>

/* Of AddressSanitizer, where it is there. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static inline size_t allocated(void)
{
	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}

#endif
