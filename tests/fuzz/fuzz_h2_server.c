/* What an HTTP/2 client may send to the engine, behind SETTINGS. The input begins with two bytes:
 * bit 0 of the first, the engine's owner acts between pieces, or nghttp2 hears the same; the
 * others, how many bytes come at a time; the second, what the owner does. */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/h2_duel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	size_t piece = data[0] >> 1;
	if ((data[0] & 1) != 0)
		duel_act(true, data + 2, len - 2, piece, data[1]);
	else
		duel_run(true, data + 2, len - 2, piece);
	return 0;
}
