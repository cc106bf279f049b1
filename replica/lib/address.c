/*
 * Addresses (address.h). The configuration's syntax is decided here alone; the
 * rest is getaddrinfo(3) and getnameinfo(3).
 */
#include "replica/lib/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

static bool
parse_port(const char *text, char port[6])
{
	size_t len = strspn(text, "0123456789");
	long number;

	if (len == 0 || len > 5 || text[len] != '\0')
		return false;
	number = strtol(text, NULL, 10);
	if (number < 1 || number > PORT_MAX)
		return false;
	snprintf(port, 6, "%ld", number);
	return true;
}

bool
address_parse(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, address->port))
		return false;
	len = (size_t)(colon - text);
	address->brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (address->brackets) {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL || memchr(text, '[', len) != NULL) {
		return false; /* where an IPv6 address ends nobody can tell */
	}
	if (len == 0 || len > ADDRESS_HOST_MAX)
		return false;
	memcpy(address->host, text, len);
	address->host[len] = '\0';
	return true;
}

int
address_resolve(const struct address *address, bool numeric, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	hints.ai_family = address->brackets ? AF_INET6 : AF_UNSPEC;
	hints.ai_flags = AI_NUMERICSERV;
	if (numeric || address->brackets)
		hints.ai_flags |= AI_NUMERICHOST;
	return getaddrinfo(address->host, address->port, &hints, found);
}

bool
address_is_loopback(const struct sockaddr *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->sa_family == AF_INET) {
		memcpy(&v4, addr, sizeof v4);
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (addr->sa_family != AF_INET6)
		return false;
	memcpy(&v6, addr, sizeof v6);
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

void
address_text(const struct sockaddr *addr, socklen_t len, char text[ADDRESS_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX - 10], port[6];
	bool v6 = addr->sa_family == AF_INET6;

	if ((!v6 && addr->sa_family != AF_INET) ||
	    getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(text, ADDRESS_TEXT_MAX, "?");
		return;
	}
	snprintf(text, ADDRESS_TEXT_MAX, v6 ? "[%s]:%s" : "%s:%s", host, port);
}
