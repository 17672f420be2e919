/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times getaddrinfo: lookups HOSTS CALLS THREADS PATTERN FROM TO [4]. HOSTS is the hosts line. PATTERN may have one %d,
 * which becomes a random number from FROM to TO - 1; with CALLS = 0 each number is looked up once, in order. 4: for IPv4
 * alone. Prints: median and 99th percentile of a call in ns, calls per second of all threads, failures. */
#include <nss.h>
#include <pthread.h>

#include "bench/timing.h"

#define THREADS_MAX 64

static const char *pattern;
static long calls, from, to;
static bool is_in_order;
static int family;

struct work {
	uint64_t dice;
	int64_t *took_ns;
	long failures;
};

static void *look_up_all(void *argument)
{
	struct work *work = argument;
	char name[NAME_SIZE];

	for (long i = 0; i < calls; i++) {
		int64_t began;

		write_name(name, pattern, is_in_order ? from + i : draw(&work->dice, from, to));
		began = now_ns();
		work->failures += !look_up(name, family);
		work->took_ns[i] = now_ns() - began;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct work work[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	int threads;
	int64_t began;

	if (argc != 7 && !(argc == 8 && strcmp(argv[7], "4") == 0))
		return fputs("usage: lookups HOSTS CALLS THREADS PATTERN FROM TO [4]\n", stderr), 2;
	__nss_configure_lookup("hosts", argv[1]);
	calls = atol(argv[2]);
	threads = atoi(argv[3]);
	if (threads < 1 || threads > THREADS_MAX)
		return fputs("lookups: 1 to 64 threads\n", stderr), 2;
	pattern = argv[4];
	from = atol(argv[5]);
	to = atol(argv[6]);
	family = argc == 8 ? AF_INET : AF_UNSPEC;
	is_in_order = calls == 0;
	calls = is_in_order ? to - from : calls;
	for (int i = 0; i < threads; i++)
		work[i] = (struct work){.dice = (uint64_t)i + 1, .took_ns = calloc((size_t)calls, sizeof(int64_t))};
	began = now_ns();
	for (int i = 1; i < threads; i++)
		pthread_create(&ids[i], NULL, look_up_all, &work[i]);
	look_up_all(&work[0]);
	for (int i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
	began = now_ns() - began;
	for (int i = 1; i < threads; i++)
		work[0].failures += work[i].failures;
	printf("%ld %ld %.0f %ld\n", (long)percentile(work[0].took_ns, calls, 50), (long)percentile(work[0].took_ns, calls, 99),
	       (double)calls * threads * 1e9 / (double)began, work[0].failures);
	return work[0].failures > 0;
}
