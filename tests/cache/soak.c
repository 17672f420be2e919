/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readers run beside an owner that commits as fast as it can, is killed and starts again. Readers are stopped in the
 * middle of their walks. Every name asked for is always in the map, so that a miss is a fault, as is a wrong answer.
 *
 *     soak DIRECTORY SECONDS
 *
 * prints the numbers of lookups, faults, walks given up (which is allowed), commits and kills. It is built a second
 * time, with a reader that accepts the result of every walk; this one must find faults. */
#include "base/clock.h"
#include "base/random.h"
#include "cache/owner.h"
#include "cache/reader.h"
#include "tests/answer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES 64
#define READERS 2
#define THREADS 2
#define SIZE (4U << 20)

static struct {
	_Atomic uint64_t lookups, faults, given_up, commits;
} *shared;
static const char *directory;
static const char *const kinds_of_fault[] = {"miss", "wrong"};
static _Atomic uint64_t *faults_by_kind;

static struct sm_name name_at(uint64_t i)
{
	struct sm_name name;

	name.length = (uint8_t)snprintf(name.text, sizeof(name.text), "name-%03u.mesh", (unsigned)(i % NAMES));
	return name;
}

/* ---- the owner */

static void put_one(struct sm_owner *owner, uint64_t i, uint64_t draw)
{
	ROOMY_ANSWER(answer);
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times = {now_ns, now_ns + 3600 * SM_NS_PER_S, now_ns, now_ns + 7200 * SM_NS_PER_S, 0};
	struct sm_name name = name_at(i);
	const void *bytes;
	size_t size;

	answer.kind = SM_ANSWER_ADDRESSES;
	answer.ttl_s = (uint32_t)draw;
	answer.n_targets = answer.n_addresses = (uint16_t)(draw % 8 ? draw % 12 : draw % 256);
	for (uint16_t k = 0; k < answer.n_targets; k++) {
		answer.targets[k] = (struct sm_target){name.text, 1, 1, (uint16_t)draw, k, 1, .metadata = NULL};
		answer.addresses[k].family = SM_IPV4;
		memcpy(answer.addresses[k].bytes, &draw, 4);
	}
	if (sm_owner_put(owner, &name, &answer, &times, 1, now_ns, &bytes, &size) != SM_OK)
		_exit(2);
}

static void own(void)
{
	struct sm_owner *owner;
	uint64_t dice, i = 0;

	sm_random_fill(&dice, sizeof(dice));
	while (sm_owner_open(directory, SIZE, 100, &owner) != SM_OK)
		usleep(100);
	for (uint64_t k = 0; k < NAMES; k++)
		put_one(owner, k, sm_random_step(&dice));
	for (;;) {
		if (sm_owner_commit(owner) != SM_OK)
			_exit(3);
		atomic_fetch_add(&shared->commits, 1);
		for (uint64_t n = sm_random_step(&dice) % 4 + 1; n > 0; n--)
			put_one(owner, i += 7, sm_random_step(&dice));
	}
}

/* ---- the readers */

static _Thread_local struct sm_mapped mapped;

static void map(void)
{
	while (sm_reader_map(directory, true, &mapped) != SM_OK)
		usleep(100);
}

/* As a process does once a second, and at a miss. */
static bool sees_more(void)
{
	enum sm_status status = sm_reader_look(directory, &mapped);

	if (status == SM_INVALID) {
		sm_reader_unmap(&mapped);
		map();
	}
	return status == SM_OK || status == SM_INVALID;
}

static void count_fault(int kind)
{
	atomic_fetch_add(&shared->faults, 1);
	atomic_fetch_add(&faults_by_kind[kind], 1);
}

static void ask(uint64_t draw, uint8_t *bytes, char *space)
{
	struct sm_arena arena = sm_arena_of(space, SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_name name = name_at(draw);
	uint8_t key[SM_MAP_KEY_MAX];
	struct sm_times times;
	size_t size;
	enum sm_status status = sm_reader_get(&mapped, key, sm_map_key(SM_MAP_SERVICE, &name, key), bytes, SM_RECORD_MAX, &size);

	if (status == SM_CORRUPT && sees_more())
		status = sm_reader_get(&mapped, key, sm_map_key(SM_MAP_SERVICE, &name, key), bytes, SM_RECORD_MAX, &size);
	if (status == SM_MISS)
		count_fault(0);
	else if (status != SM_OK)
		atomic_fetch_add(&shared->given_up, 1);
	else if (sm_record_decode(&name, bytes, size, &arena, &answer, &times) != SM_OK)
		count_fault(1);
}

static void *read_for_ever(void *unused)
{
	uint8_t *bytes = malloc(SM_RECORD_MAX);
	char *space = malloc(SM_ANSWER_MEMORY_MAX);
	uint64_t dice;

	map();
	sm_random_fill(&dice, sizeof(dice));
	for (;;) {
		for (int i = 0; i < 1000; i++)
			ask(sm_random_step(&dice), bytes, space);
		atomic_fetch_add(&shared->lookups, 1000);
	}
	return unused;
}

static void read_all(void)
{
	pthread_t id;

	for (int i = 1; i < THREADS; i++)
		pthread_create(&id, NULL, read_for_ever, NULL);
	read_for_ever(NULL);
}

/* ---- the process that stops and kills the others */

static pid_t start(void (*work)(void))
{
	pid_t child = fork();

	if (child == 0) {
		work();
		_exit(0);
	}
	return child;
}

int main(int argc, char **argv)
{
	pid_t owner, readers[READERS];
	uint64_t dice, kills = 0, crashes = 0;
	int64_t until_ns;
	int status;

	if (argc != 3)
		return fputs("usage: soak DIRECTORY SECONDS\n", stderr), 2;
	directory = argv[1];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	faults_by_kind = (_Atomic uint64_t *)(shared + 1);
	sm_random_fill(&dice, sizeof(dice));
	owner = start(own);
	while (atomic_load(&shared->commits) < 10)
		usleep(1000);
	for (int i = 0; i < READERS; i++)
		readers[i] = start(read_all);
	until_ns = sm_clock_now_ns() + atoll(argv[2]) * SM_NS_PER_S;
	while (sm_clock_now_ns() < until_ns) {
		pid_t reader = readers[sm_random_step(&dice) % READERS];

		kill(reader, SIGSTOP);
		usleep((useconds_t)(sm_random_step(&dice) % 20000));
		kill(reader, SIGCONT);
		usleep((useconds_t)(sm_random_step(&dice) % 40000));
		if (sm_random_step(&dice) % 3)
			continue;
		kill(owner, SIGKILL);
		waitpid(owner, &status, 0);
		crashes += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
		kills++;
		owner = start(own);
	}
	kill(owner, SIGKILL);
	waitpid(owner, &status, 0);
	for (int i = 0; i < READERS; i++) {
		kill(readers[i], SIGKILL);
		waitpid(readers[i], &status, 0);
		crashes += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
	}
	printf("lookups=%llu faults=%llu %s=%llu %s=%llu given_up=%llu commits=%llu kills=%llu crashes=%llu\n",
	       (unsigned long long)shared->lookups, (unsigned long long)shared->faults, kinds_of_fault[0],
	       (unsigned long long)faults_by_kind[0], kinds_of_fault[1], (unsigned long long)faults_by_kind[1],
	       (unsigned long long)shared->given_up, (unsigned long long)shared->commits, (unsigned long long)kills,
	       (unsigned long long)crashes);
	return 0;
}
