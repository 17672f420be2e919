/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times hosts lines against each other in one process, in blocks that take turns, since two processes differ by more than what
 * is measured (where their pages lie, what else the machine does): paired ROUNDS (HOSTS NAME)... Prints for each contender the
 * median of its blocks' times, in ns a call, and the 99th percentile of the blocks. */
#include <nss.h>

#include "bench/timing.h"

#define BLOCK 200
#define CONTENDERS_MAX 16
#define WORDS 2 /* of a contender */

struct contender {
	const char *hosts, *name;
	int64_t *took_ns; /* of a block, for each round */
};

static bool time_block(const struct contender *contender, int64_t *ret_ns)
{
	bool good;
	int64_t began;

	__nss_configure_lookup("hosts", contender->hosts);
	good = look_up(contender->name, AF_UNSPEC); /* the first call after a change of the line is dearer */
	began = now_ns();
	for (int i = 0; i < BLOCK; i++)
		good &= look_up(contender->name, AF_UNSPEC);
	*ret_ns = now_ns() - began;
	return good;
}

int main(int argc, char **argv)
{
	struct contender contenders[CONTENDERS_MAX];
	int n = (argc - 2) / WORDS;
	long rounds = argc > 1 ? atol(argv[1]) : 0;

	if (rounds < 1 || n < 1 || n > CONTENDERS_MAX || argc != 2 + n * WORDS)
		return fputs("usage: paired ROUNDS (HOSTS NAME)...\n", stderr), 2;
	for (int i = 0; i < n; i++) {
		char **words = argv + 2 + i * WORDS;

		contenders[i] = (struct contender){words[0], words[1], calloc((size_t)rounds, sizeof(int64_t))};
	}
	for (long round = 0; round < rounds; round++) {
		for (int i = 0; i < n; i++) {
			struct contender *contender = &contenders[(round + i) % n];

			if (!time_block(contender, &contender->took_ns[round]))
				return fprintf(stderr, "paired: %s: %s fails\n", contender->hosts, contender->name), 1;
		}
	}
	for (int i = 0; i < n; i++)
		printf("%.1f %.1f\n", (double)percentile(contenders[i].took_ns, rounds, 50) / BLOCK,
		       (double)percentile(contenders[i].took_ns, rounds, 99) / BLOCK);
	return 0;
}
