/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One name looked up as a program would, by the very same code (find/), with all that the lookup saw. */
#pragma once

#include "base/arena.h"
#include "cli/exit.h"
#include "conf/conf.h"
#include "find/find.h"
#include "mesh/origin.h"
#include "resolve/servers.h"

struct sm_inquiry {
	const char *asked; /* as the user wrote it; borrowed */
	uint8_t families;
	struct sm_conf *conf;
	const struct sm_rule *rule; /* of conf; NULL: no section has the name */
	struct sm_name name;        /* in full, where a short one was asked for */
	enum sm_verdict verdict;
	int64_t now_ns, took_ns;
	bool has_answer;            /* the fields below are filled */
	enum sm_place place;
	struct sm_answer answer;    /* judged */
	struct sm_times times;
	struct sm_choice choice;
	bool has_origin;
	struct sm_origin origin;

	struct sm_arena arena;
	void *record;
	size_t record_size;
};

/* To be cleared. */
void sm_inquire(const char *asked, uint8_t families, struct sm_inquiry *ret);
/* The same with a record that was read from the map, as `cache show` does: nothing is looked up. false: it is damaged. */
bool sm_inquiry_open(struct sm_inquiry *inquiry);
/* Of an answer from the map: took_ns becomes what it takes in a program that has the map open: the shortest of a few. */
void sm_inquiry_time_again(struct sm_inquiry *inquiry);
void sm_inquiry_clear(struct sm_inquiry *inquiry);

/* Of a name that was not found: why, without the name, in a line. */
#define SM_INQUIRY_WHY_MAX 512
void sm_inquiry_why_not(const struct sm_inquiry *inquiry, char ret[SM_INQUIRY_WHY_MAX]);
/* By which line a section is switched off: "enabled = no (/etc/srvmesh.conf:7)". */
void sm_inquiry_switch(const struct sm_conf *conf, const struct sm_rule *rule, char ret[SM_INQUIRY_WHY_MAX]);
enum exit_code sm_inquiry_exit(const struct sm_inquiry *inquiry);
/* "found", "no_name", "no_data", "try_again", "not_ours". */
const char *sm_inquiry_verdict(enum sm_verdict verdict);
/* "map", "memory", "srvmeshd", "dns"; NULL: nowhere. */
const char *sm_inquiry_place(enum sm_place place);

/* What is known against a server, as the rest of a sentence: "is silent for 5 s"; "" where nothing is. `known` may be NULL. */
#define SM_INQUIRY_FAULT_MAX 80
void sm_inquiry_fault(const struct sm_server_known *known, int64_t now_ns, char ret[SM_INQUIRY_FAULT_MAX]);
