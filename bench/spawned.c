/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times fresh processes with one lookup each, which take turns in random order: spawned ROUNDS LOOKUPS (HOSTS NAME CONF)...
 * LOOKUPS is the program lookups; CONF becomes SRVMESH_CONF, "-": none. Prints for each contender the medians: of the call and
 * of the process's life in ns, and of its page faults. */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/timing.h"

#define CONTENDERS_MAX 16
#define WORDS 3 /* of a contender */
#define WARM_UP 3

extern char **environ;

struct contender {
	char **words;
	int64_t *call_ns, *life_ns, *faults; /* for each round */
};

static bool run(const struct contender *contender, char *program, long round)
{
	char one[] = "1", none[] = "0", *argv[] = {program, contender->words[0], one, one, contender->words[1], none, none, NULL};
	char text[128] = "";
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	int ends[2], status = -1;
	int64_t began;
	pid_t pid;

	if (strcmp(contender->words[2], "-") == 0)
		unsetenv("SRVMESH_CONF");
	else
		setenv("SRVMESH_CONF", contender->words[2], 1);
	if (pipe(ends) != 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	began = now_ns();
	if (posix_spawn(&pid, program, &actions, NULL, argv, environ) == 0)
		wait4(pid, &status, 0, &usage);
	began = now_ns() - began;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (read(ends[0], text, sizeof(text) - 1) <= 0)
		status = -1;
	close(ends[0]);
	if (status != 0)
		return false;
	if (round >= 0) {
		contender->call_ns[round] = atol(text);
		contender->life_ns[round] = began;
		contender->faults[round] = usage.ru_minflt;
	}
	return true;
}

static bool run_round(const struct contender *contenders, int n, char *program, uint64_t *dice, long round)
{
	int order[CONTENDERS_MAX];

	for (int i = 0; i < n; i++) {
		int place = (int)draw(dice, 0, i + 1);

		order[i] = order[place];
		order[place] = i;
	}
	for (int i = 0; i < n; i++) {
		const struct contender *contender = &contenders[order[i]];

		if (!run(contender, program, round))
			return fprintf(stderr, "spawned: %s: %s fails\n", contender->words[0], contender->words[1]), false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct contender contenders[CONTENDERS_MAX];
	int n = (argc - 3) / WORDS;
	long rounds = argc > 1 ? atol(argv[1]) : 0;
	uint64_t dice = 1;

	if (rounds < 1 || n < 1 || n > CONTENDERS_MAX || argc != 3 + n * WORDS)
		return fputs("usage: spawned ROUNDS LOOKUPS (HOSTS NAME CONF)...\n", stderr), 2;
	for (int i = 0; i < n; i++) {
		contenders[i].words = argv + 3 + i * WORDS;
		contenders[i].call_ns = calloc((size_t)rounds, sizeof(int64_t));
		contenders[i].life_ns = calloc((size_t)rounds, sizeof(int64_t));
		contenders[i].faults = calloc((size_t)rounds, sizeof(int64_t));
	}
	for (long round = -WARM_UP; round < rounds; round++) {
		if (!run_round(contenders, n, argv[2], &dice, round))
			return 1;
	}
	for (int i = 0; i < n; i++)
		printf("%ld %ld %ld\n", (long)percentile(contenders[i].call_ns, rounds, 50),
		       (long)percentile(contenders[i].life_ns, rounds, 50), (long)percentile(contenders[i].faults, rounds, 50));
	return 0;
}
