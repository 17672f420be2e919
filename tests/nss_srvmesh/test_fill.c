/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss_srvmesh/fill.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define POISON 0xa5
#define AROUND 64

static struct sm_found found;
static unsigned char space[4096 + 2 * AROUND + 8];

static void find(uint32_t n, uint8_t family)
{
	found.name = name_of("api.mesh");
	found.choice.n_addresses = n;
	for (uint32_t i = 0; i < n; i++)
		found.choice.addresses[i] = (struct sm_address){family, {[3] = (uint8_t)(i + 1)}};
}

static void poison(void)
{
	memset(space, POISON, sizeof(space));
}

static void assert_poison_around(const char *buffer, size_t size)
{
	const unsigned char *end = (const unsigned char *)buffer + size;

	for (const unsigned char *at = space; at < (const unsigned char *)buffer; at++)
		assert_int_equal(*at, POISON);
	for (const unsigned char *at = end; at < space + sizeof(space); at++)
		assert_int_equal(*at, POISON);
}

static void assert_inside(const void *place, size_t length, const char *buffer, size_t size)
{
	assert_true((const char *)place >= buffer && (const char *)place + length <= buffer + size);
}

static const char *canonical(void)
{
	return found.canonical.length > 0 ? found.canonical.text : "api.mesh";
}

/* true: it fitted, and all of it is inside the buffer. */
static bool tuples_fit(char *buffer, size_t size)
{
	struct gaih_addrtuple *tuples = NULL;
	uint32_t n = 0;

	if (sm_fill_tuples(&found, &tuples, buffer, size) != SM_OK) {
		assert_null(tuples);
		return false;
	}
	for (struct gaih_addrtuple *tuple = tuples; tuple; tuple = tuple->next, n++) {
		assert_inside(tuple, sizeof(*tuple), buffer, size);
		assert_inside(tuple->name, 9, buffer, size);
		assert_string_equal(tuple->name, canonical());
		assert_memory_equal(tuple->addr, found.choice.addresses[n].bytes, 16);
	}
	assert_int_equal(n, found.choice.n_addresses);
	return true;
}

static bool hostent_fits(char *buffer, size_t size)
{
	struct hostent host = {.h_name = (char *)"untouched"};
	uint32_t n = 0;

	if (sm_fill_hostent(&found, AF_INET, &host, buffer, size) != SM_OK) {
		assert_string_equal(host.h_name, "untouched");
		return false;
	}
	assert_string_equal(host.h_name, canonical());
	if (found.canonical.length > 0) {
		assert_inside(host.h_aliases[0], 9, buffer, size);
		assert_string_equal(host.h_aliases[0], "api.mesh");
	}
	assert_null(host.h_aliases[found.canonical.length > 0]);
	for (; host.h_addr_list[n]; n++) {
		assert_inside(host.h_addr_list[n], 4, buffer, size);
		assert_memory_equal(host.h_addr_list[n], found.choice.addresses[n].bytes, 4);
	}
	assert_int_equal(n, found.choice.n_addresses);
	return true;
}

/* Tries every length, aligned and unaligned, with poison around: too small up to some length, right from there on. */
static void sweep(bool (*fits)(char *buffer, size_t size))
{
	for (size_t shift = 0; shift < 8; shift++) {
		char *buffer = (char *)space + AROUND + shift;
		bool did_fit = false;

		for (size_t size = 0; size <= 4096; size++) {
			poison();
			if (!fits(buffer, size))
				assert_false(did_fit);
			else
				did_fit = true;
			assert_poison_around(buffer, size);
		}
		assert_true(did_fit);
	}
}

static void tuples_never_leave_the_buffer(void **state)
{
	(void)state;
	find(1, SM_IPV4);
	sweep(tuples_fit);
	find(8, SM_IPV6);
	sweep(tuples_fit);
	find(SM_ANSWERS_MAX, SM_IPV4);
	sweep(tuples_fit);
}

static void a_hostent_never_leaves_the_buffer(void **state)
{
	(void)state;
	find(1, SM_IPV4);
	sweep(hostent_fits);
	find(SM_ANSWERS_MAX, SM_IPV4);
	sweep(hostent_fits);
}

static void a_plain_hosts_canonical_name_is_told_and_what_was_asked_is_its_alias(void **state)
{
	(void)state;
	find(1, SM_IPV4);
	found.canonical = name_of("host.mesh");
	sweep(tuples_fit);
	sweep(hostent_fits);
	found.canonical.length = 0;
}

static struct sm_found_service service;

static bool servent_fits(char *buffer, size_t size)
{
	struct servent entry = {.s_name = (char *)"untouched"};

	if (sm_fill_servent(&service, &entry, buffer, size) != SM_OK) {
		assert_string_equal(entry.s_name, "untouched");
		return false;
	}
	assert_inside(entry.s_name, 9, buffer, size);
	assert_inside(entry.s_proto, 4, buffer, size);
	assert_string_equal(entry.s_name, "api.mesh");
	assert_string_equal(entry.s_proto, "tcp");
	assert_null(entry.s_aliases[0]);
	assert_int_equal(entry.s_port, htons(8080));
	return true;
}

static void a_servent_never_leaves_the_buffer(void **state)
{
	(void)state;
	service = (struct sm_found_service){.name = name_of("api.mesh"), .proto = "tcp", .port = 8080};
	sweep(servent_fits);
}

static void the_callers_own_first_tuple_is_filled_only_when_all_fits(void **state)
{
	struct gaih_addrtuple own = {.family = 77}, *first = &own;
	char buffer[1024];

	(void)state;
	find(3, SM_IPV4);
	assert_int_equal(sm_fill_tuples(&found, &first, buffer, 20), SM_FULL);
	assert_int_equal(own.family, 77);
	assert_ptr_equal(first, &own);
	assert_int_equal(sm_fill_tuples(&found, &first, buffer, sizeof(buffer)), SM_OK);
	assert_ptr_equal(first, &own);
	assert_int_equal(own.family, AF_INET);
	assert_non_null(own.next->next);
	assert_null(own.next->next->next);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tuples_never_leave_the_buffer),
	cmocka_unit_test(a_hostent_never_leaves_the_buffer),
	cmocka_unit_test(a_plain_hosts_canonical_name_is_told_and_what_was_asked_is_its_alias),
	cmocka_unit_test(a_servent_never_leaves_the_buffer),
	cmocka_unit_test(the_callers_own_first_tuple_is_filled_only_when_all_fits),
};

TESTS_MAIN(tests)
