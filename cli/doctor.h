/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh doctor: findings, and the parts that make them. A part looks at one thing and says what it sees: that it is as it
 * should be, or what is wrong and the remedy. */
#pragma once

#include "cli/config.h"
#include "ipc/frame.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum sm_finding_kind { SM_FINDING_GOOD, SM_FINDING_NOTE, SM_FINDING_WARNING, SM_FINDING_PROBLEM };

#define SM_FINDING_MAX 512
#define SM_FINDINGS_MAX 128

struct sm_finding {
	enum sm_finding_kind kind;
	const char *topic;
	char text[SM_FINDING_MAX];
	char remedy[SM_FINDING_MAX]; /* "": none is needed, or none is known */
};

struct sm_doctor {
	char root[64];               /* in front of every path: "" or "/proc/PID/root" */
	struct sm_config_check check; /* of the files that programs there read */
	char *const *names;          /* whose templates are looked at; besides those that are denied */
	int n_names;
	char release[32];            /* of srvmeshd; "": it does not answer */
	uint32_t n;
	struct sm_finding findings[SM_FINDINGS_MAX];
};

/* Adds a finding. `remedy` may be "". */
void sm_doctor_find(struct sm_doctor *doctor, enum sm_finding_kind kind, const char *topic, const char *remedy,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* "ROOT/path". */
void sm_doctor_path(const struct sm_doctor *doctor, const char *path, char ret[PATH_MAX]);

/* cli/doctor_order.c: by which glibc finds us, and what it asks before us */
void sm_doctor_order(struct sm_doctor *doctor);
void sm_doctor_hosts_file(struct sm_doctor *doctor);

/* cli/doctor_host.c: what is installed, and what may stand in our way */
void sm_doctor_plugin(struct sm_doctor *doctor);
void sm_doctor_config(struct sm_doctor *doctor);
void sm_doctor_nscd(struct sm_doctor *doctor);
void sm_doctor_clock(struct sm_doctor *doctor);
void sm_doctor_denials(struct sm_doctor *doctor);

/* Without a finding: does the services line have srvmesh, does the hosts line, and does "files", before it, have the name? */
bool sm_doctor_gives_ports(void);
bool sm_doctor_is_asked(void);
bool sm_doctor_is_in_hosts_file(const char *name);

/* cli/doctor_daemon.c: srvmeshd, its map, and the servers */
void sm_doctor_daemon(struct sm_doctor *doctor);
void sm_doctor_map(struct sm_doctor *doctor);
void sm_doctor_servers(struct sm_doctor *doctor);
void sm_doctor_templates(struct sm_doctor *doctor);

/* cli/doctor_processes.c: running programs */
void sm_doctor_processes(struct sm_doctor *doctor);
/* One of them. false: there is no such process, or it may not be looked at. */
bool sm_doctor_process(struct sm_doctor *doctor, pid_t pid);
