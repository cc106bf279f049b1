/*
 * HOST:PORT, as zabfs.conf(5) has it: a name, an IPv4 address, or an IPv6
 * address in brackets. Used by the configuration and by whoever listens or
 * connects there.
 */
#ifndef ZABFS_LIB_ADDRESS_H
#define ZABFS_LIB_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct addrinfo;

#define ADDRESS_HOST_MAX 255
#define ADDRESS_TEXT_MAX 64 /* bytes that any socket's address takes as text, with the NUL */

struct address {
	char host[ADDRESS_HOST_MAX + 1];
	char port[6]; /* 1 to 65535 */
	bool brackets;
};

/* False: it is none. */
bool address_parse(const char *text, struct address *address);

/*
 * 0 and *found (the caller's, for freeaddrinfo), or a number for
 * gai_strerror(3). numeric: never asks anybody, a name is EAI_NONAME; without
 * it a name may take as long as the resolver likes.
 */
int address_resolve(const struct address *address, bool numeric, struct addrinfo **found);

/* 127.0.0.0/8 and ::1: what is said there stays on the machine. */
bool address_is_loopback(const struct sockaddr *addr);

/* "ADDRESS:PORT" of a socket's address in numbers; "?" for one that is not of the Internet. */
void address_text(const struct sockaddr *addr, socklen_t len, char text[ADDRESS_TEXT_MAX]);

#endif
