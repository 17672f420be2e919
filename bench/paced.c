/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks names up at a steady pace, as a busy program does: paced HOSTS RATE PATTERN FROM TO. HOSTS is the hosts line; PATTERN
 * has one %d, which becomes FROM, FROM + 1 ... TO - 1. RATE is lookups per second, 0 for one behind the other; a lookup that
 * takes too long delays those behind it. Prints a line for each IPv4 lookup: when it began and how long it took in us, and
 * getaddrinfo's result. */
#include <inttypes.h>
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_until(int64_t us)
{
	const struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void look_up(const char *name, int64_t first_us)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	int64_t began_us = now_us();
	struct addrinfo *found;
	int code = getaddrinfo(name, NULL, &hints, &found);

	if (code == 0)
		freeaddrinfo(found);
	printf("%" PRId64 " %" PRId64 " %d\n", began_us - first_us, now_us() - began_us, code);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *digits;
	long rate, from, to;
	int64_t first_us;
	char name[256];

	if (argc != 6 || !(digits = strstr(argv[3], "%d")))
		return fputs("usage: paced HOSTS RATE PATTERN FROM TO\n", stderr), 2;
	__nss_configure_lookup("hosts", argv[1]);
	rate = atol(argv[2]);
	from = atol(argv[4]);
	to = atol(argv[5]);
	first_us = now_us();
	for (long i = from; i < to; i++) {
		if (rate > 0)
			wait_until(first_us + (i - from) * 1000000 / rate);
		snprintf(name, sizeof(name), "%.*s%ld%s", (int)(digits - argv[3]), argv[3], i, digits + 2);
		look_up(name, first_us);
	}
	return 0;
}
