/*
 * HOST:PORT: what is one, what is none, and that an address in numbers is
 * found without asking anybody.
 */
#include "replica/lib/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void
test_what_is_one(void **state)
{
	static const struct {
		const char *text, *host, *port;
		bool brackets;
	} good[] = {
		{ "127.0.0.1:7400", "127.0.0.1", "7400", false },
		{ "node-1.example.com:1", "node-1.example.com", "1", false },
		{ "[::1]:65535", "::1", "65535", true },
		{ "[fe80::1%lo]:80", "fe80::1%lo", "80", true },
		{ "h:0080", "h", "80", false },
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(address_parse(good[i].text, &address));
		assert_string_equal(address.host, good[i].host);
		assert_string_equal(address.port, good[i].port);
		assert_int_equal(address.brackets, good[i].brackets);
	}
}

static void
test_what_is_none(void **state)
{
	static const char *const bad[] = { "", ":", "h", "h:", ":80", "h:0", "h:65536", "h:000080",
		"h: 80", "h:+80", "h:-1", "h:80 ", "h:80x", "::1:80", "::1", "[]:80", "[::1]",
		"[::1]80", "[::1:80", "[:80" };
	char longest[300];
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse(bad[i], &address))
			fail_msg("\"%s\" was taken", bad[i]);

	memset(longest, 'h', sizeof(longest));
	strcpy(longest + ADDRESS_HOST_MAX, ":80");
	assert_true(address_parse(longest, &address));
	assert_int_equal(strlen(address.host), ADDRESS_HOST_MAX);
	memset(longest, 'h', sizeof(longest));
	strcpy(longest + ADDRESS_HOST_MAX + 1, ":80");
	assert_false(address_parse(longest, &address));
}

static int
family(const char *text, bool numeric, char found[ADDRESS_TEXT_MAX])
{
	struct addrinfo *list;
	struct address address;
	int af;

	assert_true(address_parse(text, &address));
	if (address_resolve(&address, numeric, &list) != 0)
		return -1;
	af = list->ai_family;
	address_text(list->ai_addr, list->ai_addrlen, found);
	freeaddrinfo(list);
	return af;
}

static void
test_numbers_are_found_without_asking(void **state)
{
	struct sockaddr local = { .sa_family = AF_UNIX };
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(family("127.1.2.3:7400", true, text), AF_INET);
	assert_string_equal(text, "127.1.2.3:7400");
	assert_int_equal(family("[::1]:7400", true, text), AF_INET6);
	assert_string_equal(text, "[::1]:7400");
	assert_int_equal(family("localhost:7400", true, text), -1);
	assert_true(family("localhost:7400", false, text) >= 0);
	assert_int_equal(family("[localhost]:7400", false, text), -1);
	assert_int_equal(family("[127.0.0.1]:7400", false, text), -1);
	address_text(&local, sizeof(local), text);
	assert_string_equal(text, "?");
}

static void
test_loopback(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} known[] = { { "127.0.0.1:1", true }, { "127.255.255.254:1", true }, { "[::1]:1", true },
		{ "126.255.255.255:1", false }, { "128.0.0.1:1", false }, { "0.0.0.0:1", false },
		{ "10.0.0.127:1", false }, { "[::]:1", false }, { "[::2]:1", false },
		{ "[fe80::1]:1", false } };
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct addrinfo *found;
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_true(address_parse(known[i].text, &address));
		assert_int_equal(address_resolve(&address, true, &found), 0);
		if (address_is_loopback(found->ai_addr) != known[i].loopback)
			fail_msg("%s", known[i].text);
		freeaddrinfo(found);
	}
	assert_false(address_is_loopback(&other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_one),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_numbers_are_found_without_asking),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
