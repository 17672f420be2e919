/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Over a reboot: srvmeshd writes its answers to a file when it stops, and every five minutes where something has changed,
 * and takes them back when it starts: as old ones, never as fresh. So hosts that are powered on while DNS is down have
 * answers.
 *
 * The file is read by nobody else, and trusted only as far as it is one of ours. Little endian:
 *
 *   16 bytes "srvmesh answers\n", u32 version 1, u64 wall clock, u64 time since boot, both in nanoseconds when it was written
 *   of each answer: u32 size of the record, u64 key of its rule (mesh/rule.h), the record (mesh/record.h) with its checksum */
#pragma once

#include "conf/value.h"
#include "daemon/flush.h"
#include "daemon/loop.h"
#include "daemon/surroundings.h"

#define SM_PERSIST_FILE "answers"

struct sm_persist {
	uv_loop_t *loop; /* set by main.c, as all up to `around` */
	struct sm_owner *owner;
	const struct sm_reload *reload;
	const struct sm_flush_work *flush_work; /* knows by which rules answers were made */
	struct sm_surroundings *around;

	char path[SM_PATH_MAX + sizeof("/" SM_PERSIST_FILE)]; /* empty: nothing is kept */
	int fd;              /* of the file that is being written; -1: none is */
	bool has_begun;      /* with its records, */
	struct sm_name at;   /* and this was the last one */
	uint64_t n_commits;  /* of the owner, when the file was written last */
	bool has_failed;     /* the last time; it is in the log */
	bool is_half_read;   /* a file of the configuration was left out: what its names had is still to be taken back */
	uint64_t future_ns;  /* the wall clock says that the file was written later: it stays until then; 0: it does not */
	uv_timer_t timer;
	uv_idle_t writing;
};

/* Finds the file: in the first directory of $STATE_DIRECTORY, or in /var/lib/srvmeshd where the host map is in its usual
 * place; else nothing is kept. Takes back what it holds. */
void sm_persist_start(struct sm_persist *persist);
/* Writes the file, and waits for it. */
void sm_persist_now(struct sm_persist *persist);
void sm_persist_stop(struct sm_persist *persist);
