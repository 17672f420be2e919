/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of libc, as tests/failing_libc.c makes them. */
#pragma once

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

enum { MEMORY, MAP, OPEN, READ, LOOK, SOCKET, CONNECT, SEND, RECEIVE, WAIT, OPTION, CHANCE, THREAD, KINDS };

extern struct faults {
	const char *begin, *end; /* the code whose calls fail */
	int kind;                /* -1: none fails */
	int n;                   /* which one */
	bool goes_on;            /* from there on all */
	uint64_t dice;           /* 0: not by chance; else of any kind */
	int error;
	int calls, failed;
	int64_t ahead_s; /* of the clocks */
} faults;

/* The code is that of this object. */
void sm_faults_note(const struct dl_phdr_info *info);
