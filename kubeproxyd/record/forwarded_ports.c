/* Gathers the "port" headers of the streams that a client opens (Kubernetes: portforward
 * constants.go). Called by the exchange for the audit event of a port-forward. */
#include "kubeproxyd/record/forwarded_ports.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/json_line.h"
#include "kubeproxyd/record/spdy.h"
#include "kubeproxyd/record/websocket.h"

#define PORTS_MAX     64
#define PORT_TEXT_MAX 5
/* In place of those that could not be read, or are too many. */
#define OTHERS "?"

struct forwarded_ports {
	struct spdy_reader *spdy;
	struct websocket_reader websocket;
	bool is_websocket;
	bool is_lost; /* what the client sends cannot be followed any more */
	char ports[PORTS_MAX][PORT_TEXT_MAX + 1];
	size_t count;
	struct buf text;
};

static bool is_number(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return len > 0 && len <= PORT_TEXT_MAX;
}

static void add_port(struct forwarded_ports *ports, const char *text, size_t len)
{
	char port[PORT_TEXT_MAX + 1] = "";
	if (ports->count + 1 == PORTS_MAX) {
		text = OTHERS;
		len = strlen(OTHERS);
	}
	memcpy(port, text, len);
	for (size_t i = 0; i < ports->count; i++) {
		if (strcmp(ports->ports[i], port) == 0)
			return;
	}
	if (ports->count == PORTS_MAX)
		return;
	memcpy(ports->ports[ports->count++], port, sizeof port);
	if (ports->text.len > 0)
		ports->text.data[--ports->text.len] = '\0';
	buf_append_char(&ports->text, ports->count == 1 ? '[' : ',');
	json_line_string(&ports->text, port, len);
	buf_append_char(&ports->text, ']');
}

static void on_header(void *arg, uint32_t stream, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	(void)stream;
	if (name_len == strlen("port") && memcmp(name, "port", name_len) == 0 &&
	    is_number(value, value_len))
		add_port(arg, value, value_len);
}

static void on_message(void *arg, const uint8_t *data, size_t len, bool is_first, bool is_last)
{
	struct forwarded_ports *ports = arg;
	(void)is_first;
	(void)is_last;
	ports->is_lost |= !spdy_feed(ports->spdy, data, len);
}

struct forwarded_ports *forwarded_ports_new(const char *upgrade)
{
	static const struct spdy_events events = {.on_header = on_header};
	bool is_websocket = strcasecmp(upgrade, "websocket") == 0;
	if (!is_websocket && strcasecmp(upgrade, "SPDY/3.1") != 0)
		return NULL;
	struct forwarded_ports *ports = xcalloc(1, sizeof *ports);
	ports->spdy = spdy_reader_new(&events, ports);
	ports->is_websocket = is_websocket;
	ports->websocket = (struct websocket_reader){.fn = on_message, .arg = ports};
	return ports;
}

void forwarded_ports_free(struct forwarded_ports **ports)
{
	if (*ports == NULL)
		return;
	spdy_reader_free(&(*ports)->spdy);
	buf_free(&(*ports)->text);
	xfree(ports);
}

void forwarded_ports_feed(struct forwarded_ports *ports, const uint8_t *data, size_t len)
{
	if (ports->is_lost)
		return;
	if (ports->is_websocket)
		ports->is_lost |= !websocket_feed(&ports->websocket, data, len);
	else
		ports->is_lost = !spdy_feed(ports->spdy, data, len);
	if (ports->is_lost)
		add_port(ports, OTHERS, strlen(OTHERS));
}

const char *forwarded_ports_text(const struct forwarded_ports *ports)
{
	return ports != NULL && ports->count > 0 ? buf_text(&ports->text) : NULL;
}
