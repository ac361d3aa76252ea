/* HTTP/1 requests: one byte that says how they are cut, then their bytes. */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_h1(H1_REQUESTS, data, len);
	return 0;
}
