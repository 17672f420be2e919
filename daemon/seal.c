/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter: allows every call except those that shorten files, and those that would bypass the filter. Calls of a
 * foreign architecture kill the process (libseccomp's default). */
#include "daemon/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const int forbidden[] = {
	SCMP_SYS(truncate),  SCMP_SYS(truncate64), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),      SCMP_SYS(fallocate),
	SCMP_SYS(creat),     SCMP_SYS(ptrace),     SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr),
};

/* Too new to have names in the library; their numbers are the same on every architecture. */
#define CALL_FCHMODAT2 452
#define CALL_SETXATTRAT 463

/* These calls fail as if the kernel did not have them. A filter cannot look at the arguments of some, which lie in
 * memory; instead of the others, C libraries use calls that are forbidden or checked here. */
static const int unknown[] = {SCMP_SYS(openat2), SCMP_SYS(io_uring_setup), CALL_FCHMODAT2, CALL_SETXATTRAT};

static int forbid_all(scmp_filter_ctx filter)
{
	int code = 0;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]) && code == 0; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]) && code == 0; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), unknown[i], 0);
	return code;
}

/* Forbids a call if its argument has all bits of `bits`. */
static int forbid_bits(scmp_filter_ctx filter, int call, unsigned argument, uint64_t bits)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1, SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, bits, bits));
}

static int forbid_some(scmp_filter_ctx filter)
{
	/* a user with write permission could shorten the map, so its mode must not be opened to others */
	static const struct { int call; unsigned argument; uint64_t bits; } some[] = {
		{SCMP_SYS(open), 1, O_TRUNC},     {SCMP_SYS(openat), 2, O_TRUNC},   {SCMP_SYS(chmod), 1, S_IWGRP},
		{SCMP_SYS(chmod), 1, S_IWOTH},    {SCMP_SYS(fchmod), 1, S_IWGRP},   {SCMP_SYS(fchmod), 1, S_IWOTH},
		{SCMP_SYS(fchmodat), 2, S_IWGRP}, {SCMP_SYS(fchmodat), 2, S_IWOTH},
	};
	int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(madvise), 1,
	                            SCMP_A2_32(SCMP_CMP_EQ, MADV_REMOVE));

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]) && code == 0; i++)
		code = forbid_bits(filter, some[i].call, some[i].argument, some[i].bits);
	return code;
}

enum sm_status sm_seal(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int code;

	if (!filter)
		return SM_REFUSED;
	code = forbid_all(filter);
	if (code == 0)
		code = forbid_some(filter);
	if (code == 0)
		code = seccomp_load(filter);
	seccomp_release(filter);
	return code == 0 ? SM_OK : SM_REFUSED;
}
