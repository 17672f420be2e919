/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: fixed_map DIRECTORY COUNT
 *
 * Writes a host map whose answers never change, for the transcripts of the command: run it, and what reads the map, with
 * tests/frozen_clock.so. COUNT more names, n0.many to nCOUNT.many, make it large. */
#include "base/clock.h"
#include "cache/owner.h"
#include "mesh/origin.h"
#include "resolve/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 4

static struct sm_owner *owner;
static struct sm_target targets[TARGETS_MAX];
static struct sm_address addresses[TARGETS_MAX];
static uint64_t ranks[TARGETS_MAX];
static struct sm_mark marks[1];
static struct sm_answer answer;
static uint8_t origin_bytes[SM_ORIGIN_MAX];

static const struct sm_server server = {.address = {SM_IPV4, {127, 0, 0, 53}}, .port = 5300};
static const struct sm_server silent_server = {.address = {SM_IPV4, {127, 0, 0, 54}}, .port = 5300};

static void begin(enum sm_answer_kind kind, const char *owner_name, uint16_t type, uint8_t rcode)
{
	struct sm_origin origin = {.type = type, .rcode = rcode, .server = server, .took_us = 4100};

	answer = (struct sm_answer){.kind = kind, .ttl_s = 30, .targets = targets, .addresses = addresses, .ranks = ranks,
	                            .marks = marks};
	if (owner_name && sm_name_parse(owner_name, strlen(owner_name), &origin.owner) == SM_OK) {
		answer.origin_size = sm_origin_pack(&origin, origin_bytes);
		answer.origin = origin_bytes;
	}
}

/* A target with one address, 192.0.2.LAST. */
static void add(const char *name, uint16_t priority, uint16_t weight, uint16_t port, uint8_t last)
{
	targets[answer.n_targets++] = (struct sm_target){.name = name, .priority = priority, .weight = weight, .port = port,
	                                                 .first_address = answer.n_addresses, .n_addresses = 1};
	ranks[answer.n_addresses] = 1;
	addresses[answer.n_addresses++] = (struct sm_address){SM_IPV4, {192, 0, 2, last}};
}

/* Made so many seconds ago, fresh and stale for so many more. */
static void put(const char *text, int64_t age_s, int64_t left_s, int64_t stale_s)
{
	int64_t now_ns = sm_clock_now_ns();
	const struct sm_times times = {now_ns - age_s * SM_NS_PER_S, now_ns + left_s * SM_NS_PER_S, now_ns,
	                               now_ns + stale_s * SM_NS_PER_S, 0};
	struct sm_name name;
	const void *bytes;
	size_t size;

	if (sm_name_parse(text, strlen(text), &name) != SM_OK ||
	    sm_owner_put(owner, &name, &answer, &times, 0, now_ns, &bytes, &size) != SM_OK)
		exit(1);
}

static void put_services(void)
{
	begin(SM_ANSWER_ADDRESSES, "_api._tcp.mesh", 33, 0);
	add("a.mesh", 10, 60, 8080, 11);
	add("b.mesh", 10, 20, 8080, 12);
	add("c.mesh", 10, 20, 8080, 13);
	add("d.mesh", 20, 1, 8080, 14);
	marks[0] = (struct sm_mark){2, 2, INT64_MAX};
	answer.n_marks = 1;
	put("api.mesh", 12, 18, 86400);
	begin(SM_ANSWER_ADDRESSES, "_one._tcp.mesh", 33, 0);
	add("a.mesh", 0, 0, 80, 11);
	put("one.mesh", 1, 29, 86400);
	put("old.mesh", 100, -70, 3600);
	begin(SM_ANSWER_ADDRESSES, "plain.mesh", 1, 0);
	add("plain.mesh", 0, 0, 0, 50);
	put("plain.mesh", 5, 25, 86400);
	begin(SM_ANSWER_NO_NAME, "_nope._tcp.mesh", 33, 3);
	put("nope.mesh", 2, 8, 8);
	begin(SM_ANSWER_NO_DATA, "_empty._tcp.mesh", 33, 0);
	put("empty.mesh", 2, 8, 8);
	begin(SM_ANSWER_FAILURE, NULL, 0, 0);
	put("fail.mesh", 0, 1, 1);
}

/* One server answers, the other has been silent for 42 seconds. */
static void put_servers(void)
{
	static uint8_t bytes[SM_TABLE_MAX];
	static struct sm_servers servers;
	int64_t now_ns = sm_clock_now_ns();

	sm_servers_init(&servers, 1);
	servers.n = 2;
	servers.known[0] = (struct sm_server_known){.server = server, .srtt_us = 4000, .heard_ns = now_ns, .good_ns = now_ns,
	                                            .changed_ns = now_ns};
	servers.known[1] = (struct sm_server_known){.server = silent_server, .n_failures = 2, .n_names = 2, .backoff_ms = 30000,
	                                            .retry_ns = now_ns + SM_NS_PER_S, .silent_ns = now_ns,
	                                            .since_ns = now_ns - 42 * SM_NS_PER_S, .changed_ns = now_ns};
	if (sm_owner_put_own(owner, SM_MAP_SERVERS, bytes, sm_table_encode(&servers, now_ns, bytes)) != SM_OK)
		exit(1);
}

int main(int argc, char **argv)
{
	char name[32];

	if (argc != 3 || sm_owner_open(argv[1], 256U << 20, 100, &owner) != SM_OK)
		return 1;
	put_services();
	begin(SM_ANSWER_ADDRESSES, "_many._tcp.mesh", 33, 0);
	add("a.mesh", 0, 0, 80, 11);
	for (int i = 0; i < atoi(argv[2]); i++) {
		snprintf(name, sizeof(name), "n%d.many", i);
		put(name, 1, 29, 86400);
	}
	put_servers();
	if (sm_owner_commit(owner) != SM_OK)
		return 1;
	sm_owner_close(owner);
	return 0;
}
