/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command lives shortly, and keeps nothing that must be put in order: one that gets no memory ends, and says so. So no command
 * takes half of what it has found for the whole. */
#pragma once

/* Ends the program with EXIT_NO. */
_Noreturn void sm_no_memory(void);

/* What malloc and its like have returned: never NULL. */
static inline void *sm_memory(void *memory)
{
	if (!memory)
		sm_no_memory();
	return memory;
}
