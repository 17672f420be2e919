/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the programs that time lookups share. */
#ifndef SM_BENCH_TIMING_H
#define SM_BENCH_TIMING_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define NAME_SIZE 256

static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A number from `from` to `to` - 1. */
static inline long draw(uint64_t *dice, long from, long to)
{
	*dice = *dice * 6364136223846793005U + 1442695040888963407U;
	return from + (long)((*dice >> 33) % (uint64_t)(to > from ? to - from : 1));
}

/* `pattern` with `number` in the place of its %d, if it has one. */
static inline void write_name(char name[NAME_SIZE], const char *pattern, long number)
{
	const char *digits = strstr(pattern, "%d");

	if (digits)
		snprintf(name, NAME_SIZE, "%.*s%ld%s", (int)(digits - pattern), pattern, number, digits + 2);
	else
		snprintf(name, NAME_SIZE, "%s", pattern);
}

static inline bool look_up(const char *name, int family)
{
	const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

static inline int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them. */
static inline int64_t percentile(int64_t *times, long n, int percent)
{
	qsort(times, (size_t)n, sizeof(*times), compare_times);
	return times[n * percent / 100];
}

#endif
