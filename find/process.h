/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state that the plugin keeps in a process between calls: the configuration, its memory cache, and the random
 * state. It has no descriptor, no thread and no handler; any number of threads may use it, and the process may fork
 * at any moment. */
#pragma once

#include "base/inside.h"
#include "cache/memory.h"
#include "cache/reader.h"
#include "conf/conf.h"
#include "find/ready.h"
#include "ipc/client.h"
#include "mesh/format.h"
#include "resolve/servers.h"

#define SM_VIEW_UNSEEN UINT32_MAX

/* One mapping of the host map. */
struct sm_view {
	struct sm_mapped mapped;
	/* 0: srvmeshd is in this process's network namespace. Else ranks mean nothing here, and these are the families that this
	 * process has addresses of. SM_VIEW_UNSEEN: nobody has had to know it yet. */
	_Atomic uint32_t other_families;
	_Atomic int64_t learnt_ns; /* when they were learnt */
	struct sm_view *next; /* retired, waiting for the last user */
};

/* One configuration in force, with its own cache; what it takes over of the one before: find/inherit.h. */
struct sm_generation {
	struct sm_conf *conf; /* NULL: the plugin is switched off in this process */
	bool is_conf_private; /* a configuration of the user's own */
	struct sm_memory memory;
	_Atomic(struct sm_view *) view; /* NULL: there is no host map */
	_Atomic int64_t socket_looked_ns; /* 0: never; then is this true: */
	_Atomic int64_t socket_owner;     /* a uid; -1: nobody who could be trusted; -2: there is no such directory */
	bool is_traced; /* SRVMESH=trace: a line for each lookup */
	bool is_quiet;  /* it is switched on, and nobody is told of a lookup */
	struct sm_watch watch;
	struct sm_generation *next; /* retired, waiting for the last user */
};

/* Begins a use, by the thread whose `stay` it is: returns the generation in force, valid with all its views until
 * sm_process_leave, or NULL: none is loaded yet. */
struct sm_generation *sm_process_step_in(struct sm_stay *stay);
/* The generation to go by, within a use. The first call loads the configuration and maps the host map; later calls look for
 * changes at most once a second. NULL: no memory. */
struct sm_generation *sm_process_settle(struct sm_stay *stay, int64_t now_ns);
void sm_process_leave(struct sm_stay *stay);
/* Within a use: has sm_process_settle nothing to look at? */
bool sm_process_is_settled(int64_t now_ns);
/* The same by a clock that is cheaper, and late by some milliseconds; and after a suspend by up to a second awake. */
bool sm_process_is_settled_by_ticks(void);

/* The answers of the last names; with what its keeper needs to know. */
struct sm_ready *sm_process_ready(void);

/* Looks at the host map's path at once, because nothing is mapped, or it has grown beyond what is; true: another try may find the
 * record. */
bool sm_process_look_at_map(struct sm_generation *generation);

/* Should the daemon be asked? If it does not listen or does not answer, it is not asked for a while. */
bool sm_process_has_daemon(const struct sm_generation *generation, int64_t now_ns);
/* Its socket, as far as it can be trusted: the directory is looked at once a second at most, and only where there is something to
 * ask. SM_REFUSED: there is none. SM_INVALID: it cannot be trusted. */
enum sm_status sm_process_socket(struct sm_generation *generation, int64_t now_ns, struct sm_client_socket *ret) SM_MUST_CHECK;
void sm_process_give_daemon_up(int64_t until_ns);

/* The format that the daemon was last heard in; the newest where that was ten seconds ago. */
enum sm_format sm_process_format(int64_t now_ns);
void sm_process_set_format(enum sm_format format, int64_t now_ns);

/* The process has passed over the host map or srvmeshd: srvmeshd hears why, once a minute at most, with the next request or hint
 * that reaches it. */
void sm_process_note_bypass(enum sm_bypass why);
/* What to tell it now; SM_BYPASS_NONE: nothing. */
enum sm_bypass sm_process_take_bypass(int64_t now_ns);

/* May a hint be sent for this record (`record` identifies it, for example its checksum)? true once, then not again
 * for ten seconds; never true for many records in a short time. */
bool sm_process_takes_hint(uint64_t record, int64_t now_ns);
/* The hint was not sent. */
void sm_process_untake_hint(uint64_t record);

/* What this process knows of servers, to be given to one lookup, and to be taken back after it. Where another thread is at
 * it, nothing is known, or kept. */
void sm_process_get_servers(struct sm_servers *ret);
void sm_process_put_servers(const struct sm_servers *servers);

/* When it was noticed that the machine had been suspended; 0: never. */
int64_t sm_process_jumped_ns(void);

/* A random number for drawing; different in every process, also in forked ones. The first one asks the kernel for it, where a
 * thread can be cancelled. */
uint64_t sm_process_draw(void);
bool sm_process_has_drawn(void);
