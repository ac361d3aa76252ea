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

static bool is_private_v4(uint32_t address)
{
	static const struct {
		uint32_t network, mask;
	} ranges[] = {
	    {0x0a000000, 0xff000000}, /* 10.0.0.0/8 */
	    {0xac100000, 0xfff00000}, /* 172.16.0.0/12 */
	    {0xc0a80000, 0xffff0000}, /* 192.168.0.0/16 */
	    {0x64400000, 0xffc00000}, /* 100.64.0.0/10 */
	};
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if ((address & ranges[i].mask) == ranges[i].network)
			return true;
	}
	return false;
}

bool address_is_private(const struct sockaddr *address)
{
	struct sockaddr_storage copy = {0};
	if (address->sa_family == AF_INET) {
		memcpy(&copy, address, sizeof(struct sockaddr_in));
		return is_private_v4(ntohl(((struct sockaddr_in *)&copy)->sin_addr.s_addr));
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&copy, address, sizeof(struct sockaddr_in6));
	return (((struct sockaddr_in6 *)&copy)->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}
