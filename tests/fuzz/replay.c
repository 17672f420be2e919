/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replays a corpus, and alters it: bytes and bits changed, cut, doubled, and spliced with another file.
 *
 *     TARGET [SECONDS]     the short form takes a fixed number of rounds, from a fixed seed
 *
 * Under libFuzzer, which has a main of its own, there is nothing of this. */
#ifndef SM_LIBFUZZER
#include "base/clock.h"
#include "base/random.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 256
#define SIZE_MAX_OF_INPUT 65536
#define ROUNDS 200000

static struct {
	uint8_t *bytes;
	size_t size;
} files[FILES_MAX];
static size_t n_files;
static uint64_t dice = 2026;

static size_t draw_below(size_t bound)
{
	return bound ? (size_t)(sm_random_step(&dice) % bound) : 0;
}

static void load(const char *folder, const char *name)
{
	char path[8192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file || n_files == FILES_MAX)
		abort();
	files[n_files].bytes = malloc(SIZE_MAX_OF_INPUT);
	files[n_files].size = fread(files[n_files].bytes, 1, SIZE_MAX_OF_INPUT, file);
	n_files++;
	fclose(file);
}

static void load_all(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			load(folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* Runs on a copy of the exact size: a read beyond it is an error under ASan and valgrind. */
static void run_one(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t alter(uint8_t *bytes, size_t size)
{
	size_t at = draw_below(size), other = draw_below(n_files), length;

	switch (draw_below(6)) {
	case 0:
		bytes[at] ^= (uint8_t)(1U << draw_below(8));
		return size;
	case 1:
		bytes[at] = (uint8_t)draw_below(256);
		return size;
	case 2:
		return at;
	case 3: /* a piece twice */
		length = draw_below(size - at + 1);
		if (size + length > SIZE_MAX_OF_INPUT)
			return size;
		memmove(bytes + at + length, bytes + at, size - at);
		return size + length;
	case 4: /* a piece less */
		length = draw_below(size - at + 1);
		memmove(bytes + at, bytes + at + length, size - at - length);
		return size - length;
	default: /* the end of another */
		if (at >= files[other].size)
			return size;
		memcpy(bytes + at, files[other].bytes + at, files[other].size - at);
		return files[other].size;
	}
}

static void run_altered(void)
{
	static uint8_t bytes[2 * SIZE_MAX_OF_INPUT];
	size_t which = draw_below(n_files), size = files[which].size;

	memcpy(bytes, files[which].bytes, size);
	for (size_t i = draw_below(4) + 1; i > 0 && size > 0; i--)
		size = alter(bytes, size);
	run_one(bytes, size);
}

int main(int argc, char **argv)
{
	const char *target = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], *srcdir = getenv("srcdir");
	int64_t until_ns = argc == 2 ? sm_clock_now_ns() + atoll(argv[1]) * SM_NS_PER_S : 0;
	unsigned long long n = 0;
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", target + strlen("fuzz_"));
	load_all(folder);
	printf("1..3\n%s 1 - %s has a corpus, of %zu files\n", n_files > 0 ? "ok" : "not ok", target, n_files);
	if (n_files == 0)
		return 1;
	for (size_t i = 0; i < n_files; i++)
		run_one(files[i].bytes, files[i].size);
	printf("ok 2 - %s takes its corpus as it is\n", target);
	fflush(stdout);
	if (until_ns)
		sm_random_fill(&dice, sizeof(dice));
	do {
		run_altered();
	} while (++n < ROUNDS || (until_ns && sm_clock_now_ns() < until_ns));
	printf("ok 3 - and %llu alterations of it\n", n);
	for (size_t i = 0; i < n_files; i++)
		free(files[i].bytes);
	return 0;
}
#endif
