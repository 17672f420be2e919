/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that looks names up for as long as it lives, and judges each answer: regular RATE SECONDS SEED. So often a second
 * it draws one of 500 names: `nI.mesh` leads to 127.10.H.L or, by another version of the zone, to 127.11.H.L, where I is
 * 250 H + L - 1; one in eight is `noI.mesh`, which nobody has, and one in sixteen is `nI.extra`, which is nobody's or has the
 * same address. It prints how many answers were right, how many wrong, and how many said EAI_AGAIN, with its descriptors and
 * its memory after the first second and at the end. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAMES 500U

static struct {
	unsigned long right, wrong, again;
} said;

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int descriptors_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static long resident_kib(void)
{
	char line[128];
	FILE *file = fopen("/proc/self/status", "re");
	long kib = -1;

	while (file && kib < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "RssAnon: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static bool is_of(const struct addrinfo *found, unsigned i)
{
	uint32_t address = ntohl(((const struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr);
	uint32_t rest = (i / 250) << 8 | (i % 250 + 1);

	return found->ai_family == AF_INET && !found->ai_next && (address == (0x7f0a0000 | rest) || address == (0x7f0b0000 | rest));
}

static void count(const char *name, int code, bool is_right)
{
	if (code == EAI_AGAIN)
		said.again++;
	else if (is_right)
		said.right++;
	else if (said.wrong++ < 5)
		fprintf(stderr, "%s: %s\n", name, code ? gai_strerror(code) : "another address");
}

static void ask_one(unsigned draw)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	unsigned i = draw / 64 % NAMES;
	bool has_none = draw % 8 == 0, is_extra = draw % 16 == 1;
	struct addrinfo *found = NULL;
	char name[64];
	int code;

	snprintf(name, sizeof(name), "%s%u.%s", has_none ? "no" : "n", i, is_extra ? "extra" : "mesh");
	code = getaddrinfo(name, NULL, &hints, &found);
	count(name, code, code == 0 ? !has_none && is_of(found, i) : (has_none && code == EAI_NONAME) || is_extra);
	if (found)
		freeaddrinfo(found);
}

int main(int argc, char **argv)
{
	double rate, began_s = now_s(), seconds;
	int descriptors = 0;
	unsigned seed;
	long kib = 0;

	if (argc != 4)
		return fputs("usage: regular RATE SECONDS SEED\n", stderr), 2;
	rate = atof(argv[1]);
	seconds = atof(argv[2]);
	seed = (unsigned)atoi(argv[3]);
	__nss_configure_lookup("hosts", "srvmesh");
	for (double n = 0; now_s() - began_s < seconds; n++) {
		double early_s = began_s + n / rate - now_s();

		if (early_s > 0)
			usleep((useconds_t)(early_s * 1e6));
		ask_one((unsigned)rand_r(&seed));
		if (n == (double)(long)rate) {
			descriptors = descriptors_open();
			kib = resident_kib();
		}
	}
	printf("right %lu wrong %lu again %lu descriptors %d %d kib %ld %ld\n", said.right, said.wrong, said.again, descriptors,
	       descriptors_open(), kib, resident_kib());
	return 0;
}
