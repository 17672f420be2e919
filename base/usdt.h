/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static probes (USDT) for perf, bpftrace and SystemTap: a nop and a note in the file each. Whoever attaches counts the probe's
 * semaphore up in the process, so what has to be computed for a probe alone costs one load while nobody watches.
 * Built without <sys/sdt.h>, or with --disable-usdt, they are nothing. */
#pragma once

#ifdef SM_HAS_USDT
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* Once for each probe, in the file that has it. */
#define SM_USDT_DEFINE(probe) \
	extern volatile unsigned short srvmesh_##probe##_semaphore; \
	volatile unsigned short srvmesh_##probe##_semaphore __attribute__((section(".probes"), visibility("hidden")))
#define SM_USDT_IS_WATCHED(probe) __builtin_expect(srvmesh_##probe##_semaphore != 0, 0)
#define SM_USDT(probe) DTRACE_PROBE(srvmesh, probe)
#define SM_USDT_1(probe, a) DTRACE_PROBE1(srvmesh, probe, a)
#define SM_USDT_2(probe, a, b) DTRACE_PROBE2(srvmesh, probe, a, b)
#define SM_USDT_3(probe, a, b, c) DTRACE_PROBE3(srvmesh, probe, a, b, c)
#define SM_USDT_4(probe, a, b, c, d) DTRACE_PROBE4(srvmesh, probe, a, b, c, d)
#else
#define SM_USDT_DEFINE(probe) struct sm_usdt_none
#define SM_USDT_IS_WATCHED(probe) 0
#define SM_USDT(probe) ((void)0)
#define SM_USDT_1(probe, a) ((void)(a))
#define SM_USDT_2(probe, a, b) ((void)(a), (void)(b))
#define SM_USDT_3(probe, a, b, c) ((void)(a), (void)(b), (void)(c))
#define SM_USDT_4(probe, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif
