/* Socket addresses as text and back, for the logs and for listen addresses. No look-ups here: see
 * resolver.c. */
#include "kubeproxyd/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
		snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(in.sin_port));
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof in6);
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
		snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(in6.sin6_port));
	} else {
		snprintf(text, ADDRESS_TEXT_MAX, "local");
	}
}

bool address_parse(
    const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char bare[INET6_ADDRSTRLEN];
	size_t host_len = strlen(host);
	if (host_len > 2 && host_len - 2 < sizeof bare && host[0] == '[' &&
	    host[host_len - 1] == ']') {
		memcpy(bare, host + 1, host_len - 2);
		bare[host_len - 2] = '\0';
		if (strchr(bare, ':') == NULL)
			return false;
		host = bare;
	}
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		memcpy(address, &in, sizeof in);
		*len = sizeof in;
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return false;
	memcpy(address, &in6, sizeof in6);
	*len = sizeof in6;
	return true;
}
