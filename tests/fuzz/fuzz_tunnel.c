/* What a client sends through an upgraded connection, to the readers that observe it: the first
 * byte chooses SPDY alone or within a WebSocket, the second the size of the pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kubeproxyd/record/forwarded_ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct forwarded_ports *ports =
	    forwarded_ports_new((data[0] & 1) != 0 ? "websocket" : "SPDY/3.1");
	size_t piece = data[1] + 1u;
	for (size_t at = 2; at < size; at += piece)
		forwarded_ports_feed(ports, data + at, size - at < piece ? size - at : piece);
	const char *text = forwarded_ports_text(ports);
	if (text != NULL && (text[0] != '[' || text[strlen(text) - 1] != ']'))
		abort();
	forwarded_ports_free(&ports);
	return 0;
}
