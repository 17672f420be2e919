/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fuzz target: one function that takes any bytes. tests/fuzz/replay.c is linked to it and replays its corpus, the files of
 * tests/fuzz/corpus/TARGET, whole and altered; in `./dev fuzz` libFuzzer
 * may take its place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* false ends the program, and names what does not hold. */
#define HOLDS(claim)                                                             \
	do {                                                                     \
		if (!(claim)) {                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			abort();                                                 \
		}                                                                \
	} while (0)
