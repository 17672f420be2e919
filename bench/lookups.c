/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times getaddrinfo: lookups HOSTS CALLS THREADS PATTERN FROM TO HOSTS is the hosts line. PATTERN may have one %d,
 * which becomes a random number from FROM to TO - 1; with CALLS = 0 each number is looked up once, in order. Prints:
 * median and 99th percentile of a call in ns, calls per second of all threads, failures. */
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const char *pattern;
static long calls, from, to;
static int is_in_order;

struct work {
	uint64_t dice;
	uint32_t *took_ns;
	long failures;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *look_up_all(void *argument)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct work *work = argument;
	const char *digits = strstr(pattern, "%d");
	struct addrinfo *found;
	char name[256];

	for (long i = 0; i < calls; i++) {
		long number;
		int64_t began;

		work->dice = work->dice * 6364136223846793005U + 1442695040888963407U;
		number = is_in_order ? from + i : from + (long)((work->dice >> 33) % (uint64_t)(to > from ? to - from : 1));
		if (digits)
			snprintf(name, sizeof(name), "%.*s%ld%s", (int)(digits - pattern), pattern, number, digits + 2);
		else
			snprintf(name, sizeof(name), "%s", pattern);
		began = now_ns();
		if (getaddrinfo(name, NULL, &hints, &found) == 0)
			freeaddrinfo(found);
		else
			work->failures++;
		work->took_ns[i] = (uint32_t)(now_ns() - began);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct work work[16];
	pthread_t ids[16];
	int threads;
	int64_t began;

	if (argc != 7)
		return fputs("usage: lookups HOSTS CALLS THREADS PATTERN FROM TO\n", stderr), 2;
	__nss_configure_lookup("hosts", argv[1]);
	calls = atol(argv[2]);
	threads = atoi(argv[3]);
	pattern = argv[4];
	from = atol(argv[5]);
	to = atol(argv[6]);
	is_in_order = calls == 0;
	calls = is_in_order ? to - from : calls;
	for (int i = 0; i < threads && i < 16; i++)
		work[i] = (struct work){.dice = (uint64_t)i + 1, .took_ns = calloc((size_t)calls, sizeof(uint32_t))};
	began = now_ns();
	for (int i = 1; i < threads && i < 16; i++)
		pthread_create(&ids[i], NULL, look_up_all, &work[i]);
	look_up_all(&work[0]);
	for (int i = 1; i < threads && i < 16; i++)
		pthread_join(ids[i], NULL);
	began = now_ns() - began;
	for (int i = 1; i < threads && i < 16; i++)
		work[0].failures += work[i].failures;
	qsort(work[0].took_ns, (size_t)calls, sizeof(uint32_t), compare);
	printf("%u %u %.0f %ld\n", work[0].took_ns[calls / 2], work[0].took_ns[calls * 99 / 100],
	       (double)calls * threads * 1e9 / (double)began, work[0].failures);
	return work[0].failures > 0;
}
