/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that looks names up through glibc and prints the results; the tests compare its lines.
 * The hosts line is set inside the process, so no system file is changed. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The sum of the time-outs after which this process waited in vain. Load on the machine does not change it. The
 * program's ppoll replaces that of libc, for the plugin too (-rdynamic). At the end the sum is written to the file
 * PROBE_WAITS. */
static _Atomic int64_t waited_ns;

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left = timeout ? *timeout : (struct timespec){0}; /* the kernel writes into it */
	int ready = (int)syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, _NSIG / 8);

	if (ready == 0 && timeout)
		waited_ns += timeout->tv_sec * 1000000000LL + timeout->tv_nsec;
	return ready;
}

static void tell_waits(void)
{
	FILE *file = fopen(getenv("PROBE_WAITS"), "w");

	if (!file)
		return;
	fprintf(file, "%" PRId64 "\n", waited_ns / 1000000);
	fclose(file);
}

#define DRAWN_MAX 1024 /* addresses that `draws` tells apart */

static const char usage[] =
	"usage: probe gai unspec|inet|inet6 NAME [canonname] [addrconfig] [v4mapped] [all]\n"
	"       probe host inet|inet6 NAME        gethostbyname2_r with its errno and h_errno\n"
	"       probe draws COUNT NAME [PAUSE_MS] how often each address came first\n"
	"       probe pairs COUNT NAME stream|any|inet|inet6  addresses with ports, the name being the service too\n"
	"       probe pairs-in-threads COUNT NAME  the same, a thousand times in each of that many threads\n"
	"       probe classic NAME PROTO          getservbyname_r, then gethostbyname2_r; - for any protocol\n"
	"       probe service-buffers NAME        getservbyname_r with every buffer length\n"
	"       probe buffers inet|inet6 NAME     every buffer length from 0 to 4096, with poison around\n"
	"       probe threads COUNT NAME          that many threads, a hundred lookups each\n"
	"       probe soak SECONDS NAME           four threads for that long\n"
	"       probe forks COUNT NAME            lookups on both sides of that many forks\n"
	"       probe closed NAME                 with the descriptors 0 to 2 closed\n"
	"       probe starved NAME                without a free descriptor\n"
	"       probe stack NAME                  on a stack of 64 KiB\n"
	"       probe depth COUNT NAME            bytes of a stack of 64 KiB that each call of the plugin takes\n"
	"       probe repeat SECONDS NAME         a line whenever the answer changes\n"
	"       probe series COUNT PREFIX SUFFIX  names with a number from 0 between them: how many were found\n"
	"       probe rounds TIMES COUNT PREFIX SUFFIX  the same, again after each line of input\n"
	"       probe locked NAME                 KiB that a lookup adds to locked memory\n";

static int family_of(const char *word)
{
	return strcmp(word, "inet") == 0 ? AF_INET : strcmp(word, "inet6") == 0 ? AF_INET6 : AF_UNSPEC;
}

static const char *text_of(const struct sockaddr *address, char *text)
{
	const void *bytes = address->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
	                                                  : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;

	return inet_ntop(address->sa_family, bytes, text, INET6_ADDRSTRLEN);
}

static const char *name_of_error(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {{EAI_NONAME, "EAI_NONAME"}, {EAI_NODATA, "EAI_NODATA"}, {EAI_AGAIN, "EAI_AGAIN"},
	             {EAI_SYSTEM, "EAI_SYSTEM"}, {EAI_FAIL, "EAI_FAIL"},     {EAI_MEMORY, "EAI_MEMORY"},
	             {EAI_FAMILY, "EAI_FAMILY"}, {EAI_ADDRFAMILY, "EAI_ADDRFAMILY"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return "EAI_other";
}

static int look_up(int family, int flags, const char *name, struct addrinfo **ret)
{
	struct addrinfo hints = {.ai_family = family, .ai_flags = flags, .ai_socktype = SOCK_STREAM};

	return getaddrinfo(name, NULL, &hints, ret);
}

static int gai(int family, const char *name, int flags)
{
	struct addrinfo *found;
	char text[INET6_ADDRSTRLEN];
	int error = look_up(family, flags, name, &found);

	if (error) {
		puts(name_of_error(error));
		return 1;
	}
	for (struct addrinfo *one = found; one; one = one->ai_next)
		printf("%s%s", one == found ? "" : " ", text_of(one->ai_addr, text));
	if (flags & AI_CANONNAME)
		printf(" canonname=%s", found->ai_canonname);
	putchar('\n');
	freeaddrinfo(found);
	return 0;
}

static int host(int family, const char *name)
{
	char buffer[8192], text[INET6_ADDRSTRLEN];
	struct hostent entry, *found;
	int h_error = -1;

	errno = 0;
	int error = gethostbyname2_r(name, family, &entry, buffer, sizeof(buffer), &found, &h_error);

	if (!found) {
		printf("rc=%s errno=%s h_errno=%d\n", strerrorname_np(error), strerrorname_np(errno), h_error);
		return 1;
	}
	printf("name=%s", found->h_name);
	for (char **alias = found->h_aliases; *alias; alias++)
		printf(" alias=%s", *alias);
	printf(" errno=%d", errno);
	for (char **address = found->h_addr_list; *address; address++)
		printf(" %s", inet_ntop(found->h_addrtype, *address, text, sizeof(text)));
	putchar('\n');
	return 0;
}

static int draws(int count, const char *name, int pause_ms)
{
	static char seen[DRAWN_MAX][INET6_ADDRSTRLEN];
	static int counts[DRAWN_MAX];
	int n = 0;

	for (int i = 0; i < count; i++) {
		char text[INET6_ADDRSTRLEN];
		struct addrinfo *found;
		int at = 0;

		if (look_up(AF_UNSPEC, 0, name, &found) != 0)
			return 1;
		text_of(found->ai_addr, text);
		freeaddrinfo(found);
		if (pause_ms > 0)
			usleep((useconds_t)pause_ms * 1000);
		while (at < n && strcmp(seen[at], text) != 0)
			at++;
		if (at == n && n < DRAWN_MAX)
			strcpy(seen[n++], text);
		counts[at]++;
	}
	for (int i = 0; i < n; i++)
		printf("%s %d\n", seen[i], counts[i]);
	return 0;
}

/* Calls getaddrinfo with the name also as service, and prints "ADDRESS PORT COUNT" for each pair. At every hundredth
 * call a child is forked, which makes one call of its own. */
static char pairs_seen[64][INET6_ADDRSTRLEN + 8];
static int pairs_counts[64];
static pthread_mutex_t pairs_lock = PTHREAD_MUTEX_INITIALIZER;

static void count_pair(const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN], pair[INET6_ADDRSTRLEN + 8];
	int at = 0;

	snprintf(pair, sizeof(pair), "%s %d", text_of(address, text), ntohs(((const struct sockaddr_in *)address)->sin_port));
	pthread_mutex_lock(&pairs_lock);
	while (at < 63 && pairs_seen[at][0] && strcmp(pairs_seen[at], pair) != 0)
		at++;
	strcpy(pairs_seen[at], pair);
	pairs_counts[at]++;
	pthread_mutex_unlock(&pairs_lock);
}

static int pairs_family = AF_UNSPEC;

static int look_up_pairs(const char *name, int socktype)
{
	struct addrinfo hints = {.ai_family = pairs_family, .ai_socktype = socktype}, *found;

	if (getaddrinfo(name, name, &hints, &found) != 0)
		return 1;
	for (struct addrinfo *one = found; one; one = one->ai_next)
		count_pair(one->ai_addr);
	freeaddrinfo(found);
	return 0;
}

static int print_pairs(int failures)
{
	for (int i = 0; i < 64 && pairs_seen[i][0]; i++)
		printf("%s %d\n", pairs_seen[i], pairs_counts[i]);
	if (failures)
		printf("%d failures\n", failures);
	fflush(stdout);
	return failures > 0;
}

static int pairs(int count, const char *name, int socktype)
{
	int failures = 0;

	for (int i = 0; i < count; i++) {
		failures += look_up_pairs(name, socktype);
		if (i % 100 == 50) {
			pid_t child = fork();
			int status;

			if (child == 0) {
				memset(pairs_seen, 0, sizeof(pairs_seen));
				memset(pairs_counts, 0, sizeof(pairs_counts));
				_exit(print_pairs(look_up_pairs(name, socktype)));
			}
			waitpid(child, &status, 0);
			failures += status != 0;
		}
	}
	return print_pairs(failures);
}

static const char *shared_name;

static void *look_up_many_pairs(void *failures)
{
	for (int i = 0; i < 1000; i++)
		__atomic_add_fetch((int *)failures, look_up_pairs(shared_name, i % 2 ? SOCK_STREAM : 0), __ATOMIC_RELAXED);
	return NULL;
}

static int pairs_in_threads(int count, const char *name)
{
	pthread_t ids[64];
	int failures = 0;

	shared_name = name;
	for (int i = 0; i < count && i < 64; i++)
		pthread_create(&ids[i], NULL, look_up_many_pairs, &failures);
	for (int i = 0; i < count && i < 64; i++)
		pthread_join(ids[i], NULL);
	return print_pairs(failures);
}

/* getservbyname_r, then gethostbyname2_r, as older programs do. */
static int classic(const char *name, const char *proto)
{
	char buffer[1024], other[4096], text[INET6_ADDRSTRLEN];
	struct servent entry, *service;
	struct hostent host_entry, *found;
	int h_error, error = getservbyname_r(name, proto[0] == '-' ? NULL : proto, &entry, buffer, sizeof(buffer), &service);

	if (!service)
		return printf("no service, error %s\n", strerrorname_np(error)), 1;
	printf("%s %d/%s", service->s_name, ntohs(service->s_port), service->s_proto);
	gethostbyname2_r(name, AF_INET, &host_entry, other, sizeof(other), &found, &h_error);
	for (char **address = found ? found->h_addr_list : NULL; address && *address; address++)
		printf(" %s", inet_ntop(AF_INET, *address, text, sizeof(text)));
	putchar('\n');
	return 0;
}

/* Tries every buffer length for getservbyname_r, with poison around the buffer. */
static int service_buffers(const char *name)
{
	unsigned char space[4096 + 128];
	int first_fit = -1;

	for (int size = 0; size <= 4096; size++) {
		struct servent entry, *found;

		memset(space, 0xa5, sizeof(space));
		int error = getservbyname_r(name, "tcp", &entry, (char *)space + 64, (size_t)size, &found);

		for (int i = 0; i < 64; i++)
			if (space[i] != 0xa5 || space[64 + size + i] != 0xa5)
				return printf("poison touched at size %d\n", size), 1;
		if (!found && (error != ERANGE || first_fit >= 0))
			return printf("error %d at size %d\n", error, size), 1;
		if (found && first_fit < 0)
			first_fit = size;
	}
	puts(first_fit > 0 ? "fits from some size on" : "fits nowhere");
	return first_fit <= 0;
}

/* gethostbyname2_r passes the caller's buffer to the module unchanged. */
static int buffers(int family, const char *name)
{
	enum { POISON = 0xa5, AROUND = 64, MOST = 4096 };
	unsigned char space[MOST + 2 * AROUND];
	int first_fit = -1;

	for (int size = 0; size <= MOST; size++) {
		struct hostent entry, *found;
		int h_error;

		memset(space, POISON, sizeof(space));
		int error = gethostbyname2_r(name, family, &entry, (char *)space + AROUND, (size_t)size, &found, &h_error);

		for (int i = 0; i < AROUND; i++)
			if (space[i] != POISON || space[AROUND + size + i] != POISON)
				return printf("poison touched at size %d\n", size), 1;
		if (!found && error != ERANGE)
			return printf("error %d at size %d\n", error, size), 1;
		if (!found && first_fit >= 0)
			return printf("fitted at %d but not at %d\n", first_fit, size), 1;
		if (found && first_fit < 0)
			first_fit = size;
	}
	printf("fits from %s\n", first_fit > 0 ? "some size on" : "nowhere");
	return first_fit > 0 ? 0 : 1;
}

static void *look_up_a_hundred_times(void *failures)
{
	for (int i = 0; i < 100; i++) {
		struct addrinfo *found;

		if (look_up(AF_UNSPEC, 0, shared_name, &found) == 0)
			freeaddrinfo(found);
		else
			__atomic_add_fetch((int *)failures, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int threads(int count, const char *name)
{
	pthread_t ids[256];
	int failures = 0;

	shared_name = name;
	for (int i = 0; i < count && i < 256; i++)
		pthread_create(&ids[i], NULL, look_up_a_hundred_times, &failures);
	for (int i = 0; i < count && i < 256; i++)
		pthread_join(ids[i], NULL);
	printf("%d failures\n", failures);
	return failures > 0;
}

/* glibc's own getaddrinfo cannot be called in a child forked in the middle of one (2.36: the lock of resolv_conf.c
 * stays locked in the child), so the forks test calls the module in the way that glibc does. */
static _Atomic bool is_over;

static void *look_up_until_over(void *failures)
{
	while (!is_over) {
		look_up_a_hundred_times(failures);
		sched_yield();
	}
	return NULL;
}

static int soak(int seconds, const char *name)
{
	pthread_t ids[4];
	int failures = 0;

	shared_name = name;
	for (int i = 0; i < 4; i++)
		pthread_create(&ids[i], NULL, look_up_until_over, &failures);
	sleep((unsigned)seconds);
	is_over = true;
	for (int i = 0; i < 4; i++)
		pthread_join(ids[i], NULL);
	printf("%d failures\n", failures);
	return failures > 0;
}

typedef enum nss_status gethostbyname4(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t size,
                                       int *error, int *h_error, int32_t *ttl);
static gethostbyname4 *module;

static bool module_finds(const char *name)
{
	struct gaih_addrtuple *tuples = NULL;
	char buffer[4096];
	int error, h_error;

	return module(name, &tuples, buffer, sizeof(buffer), &error, &h_error, NULL) == NSS_STATUS_SUCCESS && tuples;
}

static void *ask_module_a_hundred_times(void *failures)
{
	for (int i = 0; i < 100; i++)
		if (!module_finds(shared_name))
			__atomic_add_fetch((int *)failures, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Forks while two threads look up; each child looks up too. */
static int forks(int count, const char *name)
{
	pthread_t ids[2];
	int failures = 0;

	shared_name = name;
	module = (gethostbyname4 *)dlsym(dlopen("libnss_srvmesh.so.2", RTLD_NOW), "_nss_srvmesh_gethostbyname4_r");
	if (!module)
		return puts("no module"), 1;
	for (int i = 0; i < 2; i++)
		pthread_create(&ids[i], NULL, ask_module_a_hundred_times, &failures);
	for (int i = 0; i < count; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			alarm(20);
			_exit(module_finds(name) && module_finds(name) ? 0 : 1);
		}
		waitpid(child, &status, 0);
		failures += status != 0;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(ids[i], NULL);
	printf("%d failures\n", failures);
	return failures > 0;
}

/* After the module is loaded, no descriptor is free. */
static int starved(const char *name)
{
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};
	struct addrinfo *found;
	int error;

	look_up(AF_UNSPEC, 0, "not.ours.example", &found);
	setrlimit(RLIMIT_NOFILE, &limit);
	error = look_up(AF_UNSPEC, 0, name, &found);
	puts(error ? name_of_error(error) : "found");
	return error != 0;
}

static int closed(const char *name)
{
	struct addrinfo *found;
	int out = dup(1), error;
	bool is_clean = true;

	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	error = look_up(AF_UNSPEC, 0, name, &found);
	for (int fd = 0; fd <= 2; fd++)
		is_clean &= dup2(fd, 100) < 0;
	dprintf(out, "%s, descriptors 0 to 2 %s\n", error ? name_of_error(error) : "found",
	        is_clean ? "still closed" : "in use");
	return error != 0 || !is_clean;
}

/* Bytes of stack that one call of the plugin takes, on a stack that is painted before. */
typedef enum nss_status by_name4(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t buflen, int *errnop,
                                 int *h_errnop, int32_t *ttlp);

#define PAINT 0xa5
#define DEEP_STACK 65536

static by_name4 *plugin_call;
static int deep_calls;

__attribute__((noinline)) static void paint(unsigned char *bottom)
{
	unsigned char *top = (unsigned char *)__builtin_frame_address(0) - 512;

	for (unsigned char *at = bottom; at < top; at++)
		*(volatile unsigned char *)at = PAINT;
}

__attribute__((noinline)) static long depth_of_call(unsigned char *bottom)
{
	static char buffer[1 << 20];
	struct gaih_addrtuple *found = NULL;
	unsigned char *here = __builtin_frame_address(0), *lowest = bottom;
	int error, h_error;

	paint(bottom);
	if (plugin_call(shared_name, &found, buffer, sizeof(buffer), &error, &h_error, NULL) != NSS_STATUS_SUCCESS)
		return -1;
	while (lowest < here && *lowest == PAINT)
		lowest++;
	return here - lowest;
}

static void *measure_calls(void *unused)
{
	pthread_attr_t attributes;
	void *bottom;
	size_t size;

	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &bottom, &size);
	for (int i = 0; i < deep_calls; i++)
		printf("%ld\n", depth_of_call(bottom));
	return unused;
}

static int depth(int count, const char *name)
{
	void *plugin = dlopen("libnss_srvmesh.so.2", RTLD_NOW);
	pthread_attr_t attributes;
	pthread_t id;

	plugin_call = plugin ? (by_name4 *)dlsym(plugin, "_nss_srvmesh_gethostbyname4_r") : NULL;
	if (!plugin_call)
		return 1;
	shared_name = name;
	deep_calls = count;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, DEEP_STACK);
	pthread_create(&id, &attributes, measure_calls, NULL);
	pthread_join(id, NULL);
	return 0;
}

static void *look_up_once(void *ret_error)
{
	struct addrinfo *found;

	*(int *)ret_error = look_up(AF_UNSPEC, 0, shared_name, &found);
	return NULL;
}

static int stack(const char *name)
{
	pthread_attr_t attributes;
	pthread_t id;
	int error = -1;

	shared_name = name;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	pthread_create(&id, &attributes, look_up_once, &error);
	pthread_join(id, NULL);
	/* and once more, from the memory cache */
	pthread_create(&id, &attributes, look_up_once, &error);
	pthread_join(id, NULL);
	puts(error ? name_of_error(error) : "found");
	return error != 0;
}

static int series(int count, const char *prefix, const char *suffix)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		struct addrinfo *found;
		char name[256];

		snprintf(name, sizeof(name), "%s%d%s", prefix, i, suffix);
		if (look_up(AF_UNSPEC, 0, name, &found) != 0)
			continue;
		freeaddrinfo(found);
		n++;
	}
	printf("%d\n", n);
	return 0;
}

/* As `series`, so many times, each after a line of input but the first. */
static int rounds(int turns, int count, const char *prefix, const char *suffix)
{
	char line[16];

	for (int i = 0; i < turns && (i == 0 || fgets(line, sizeof(line), stdin)); i++) {
		series(count, prefix, suffix);
		fflush(stdout);
	}
	return 0;
}

static int repeat(int seconds, const char *name)
{
	char last[256] = "", line[256];

	for (int turns = seconds * 50; turns > 0; turns--) {
		struct addrinfo *found;
		char text[INET6_ADDRSTRLEN];
		int error = look_up(AF_UNSPEC, 0, name, &found);

		snprintf(line, sizeof(line), "%s", error ? name_of_error(error) : text_of(found->ai_addr, text));
		if (!error)
			freeaddrinfo(found);
		if (strcmp(line, last) != 0) {
			puts(line);
			fflush(stdout);
		}
		strcpy(last, line);
		usleep(20000);
	}
	return 0;
}

static long locked_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* A host that locks all its memory, and what its first lookup adds to that, the module included. */
static int locks_memory(const char *name)
{
	struct addrinfo *found;
	long before;
	int error;

	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		return 1;
	before = locked_kib();
	error = look_up(AF_UNSPEC, 0, name, &found);
	printf("%s %ld\n", error ? name_of_error(error) : "found", locked_kib() - before);
	if (!error)
		freeaddrinfo(found);
	return 0;
}

static int flags_of(char **words)
{
	int flags = 0;

	for (; *words; words++) {
		flags |= strcmp(*words, "canonname") == 0 ? AI_CANONNAME : 0;
		flags |= strcmp(*words, "addrconfig") == 0 ? AI_ADDRCONFIG : 0;
		flags |= strcmp(*words, "v4mapped") == 0 ? AI_V4MAPPED : 0;
		flags |= strcmp(*words, "all") == 0 ? AI_ALL : 0;
	}
	return flags;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	const char *hosts = getenv("PROBE_HOSTS");

	__nss_configure_lookup("hosts", hosts ? hosts : "srvmesh");
	__nss_configure_lookup("services", "files srvmesh");
	if (getenv("PROBE_WAITS"))
		atexit(tell_waits);
	if (argc > 3 && strcmp(verb, "gai") == 0)
		return gai(family_of(argv[2]), argv[3], flags_of(argv + 4));
	if (argc == 4 && strcmp(verb, "host") == 0)
		return host(family_of(argv[2]), argv[3]);
	if ((argc == 4 || argc == 5) && strcmp(verb, "draws") == 0)
		return draws(atoi(argv[2]), argv[3], argc == 5 ? atoi(argv[4]) : 0);
	if (argc == 5 && strcmp(verb, "pairs") == 0) {
		pairs_family = family_of(argv[4]);
		return pairs(atoi(argv[2]), argv[3], strcmp(argv[4], "any") == 0 ? 0 : SOCK_STREAM);
	}
	if (argc == 4 && strcmp(verb, "pairs-in-threads") == 0)
		return pairs_in_threads(atoi(argv[2]), argv[3]);
	if (argc == 4 && strcmp(verb, "classic") == 0)
		return classic(argv[2], argv[3]);
	if (argc == 3 && strcmp(verb, "service-buffers") == 0)
		return service_buffers(argv[2]);
	if (argc == 4 && strcmp(verb, "buffers") == 0)
		return buffers(family_of(argv[2]), argv[3]);
	if (argc == 4 && strcmp(verb, "threads") == 0)
		return threads(atoi(argv[2]), argv[3]);
	if (argc == 4 && strcmp(verb, "soak") == 0)
		return soak(atoi(argv[2]), argv[3]);
	if (argc == 4 && strcmp(verb, "forks") == 0)
		return forks(atoi(argv[2]), argv[3]);
	if (argc == 3 && strcmp(verb, "closed") == 0)
		return closed(argv[2]);
	if (argc == 3 && strcmp(verb, "starved") == 0)
		return starved(argv[2]);
	if (argc == 4 && strcmp(verb, "depth") == 0)
		return depth(atoi(argv[2]), argv[3]);
	if (argc == 3 && strcmp(verb, "stack") == 0)
		return stack(argv[2]);
	if (argc == 5 && strcmp(verb, "series") == 0)
		return series(atoi(argv[2]), argv[3], argv[4]);
	if (argc == 3 && strcmp(verb, "locked") == 0)
		return locks_memory(argv[2]);
	if (argc == 6 && strcmp(verb, "rounds") == 0)
		return rounds(atoi(argv[2]), atoi(argv[3]), argv[4], argv[5]);
	if (argc == 4 && strcmp(verb, "repeat") == 0)
		return repeat(atoi(argv[2]), argv[3]);
	fputs(usage, stderr);
	return 2;
}
