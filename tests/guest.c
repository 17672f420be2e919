/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that puts the plugin into unusual situations and prints how it behaves. `quiet` and `forks` call the
 * module as glibc does; all others call getaddrinfo. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: guest quiet NAME LOOKUPS     that many lookups, then one that dies of its first system call\n"
	"       guest timed NAME...          each answer with the milliseconds it took\n"
	"       guest no-unix NAME           where a sandbox forbids AF_UNIX\n"
	"       guest full NAME              without a free descriptor\n"
	"       guest descriptors NAME       among a stranger's descriptors, and after closefrom(3)\n"
	"       guest chroot DIRECTORY NAME  before and after\n"
	"       guest random COUNT SUFFIX    that many names that nobody has, by 8 threads\n"
	"       guest wait NAME              one lookup when a line comes in, for a crowd that starts together\n"
	"       guest new-time SECONDS NAME NEW CONF\n"
	"                                    before, and in a child whose clock is so much ahead: at once, and after NEW became CONF\n"
	"       guest leave COUNT NAME OTHER PATH CONF\n"
	"                                    so many lookups of NAME that a signal handler leaves by siglongjmp, then OTHER; then PATH\n"
	"                                    becomes CONF, nine times, and OTHER again\n"
	"       guest every MS SECONDS NAME  failures, and the longest lookup in ms\n";

static const char *answer(const char *name)
{
	static _Thread_local char text[512];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int error = getaddrinfo(name, NULL, &hints, &found);
	size_t used = 0;

	if (error == EAI_SYSTEM)
		return strerrorname_np(errno);
	if (error)
		return error == EAI_AGAIN ? "EAI_AGAIN" : error == EAI_NONAME ? "EAI_NONAME" : "EAI_other";
	for (struct addrinfo *one = found; one && used < sizeof(text) - 60; one = one->ai_next) {
		char address[INET6_ADDRSTRLEN];
		const void *bytes = one->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr
		                                              : (void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr;

		used += (size_t)sprintf(text + used, "%s%s", used ? " " : "",
		                        inet_ntop(one->ai_family, bytes, address, sizeof(address)));
	}
	freeaddrinfo(found);
	return text;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- system calls */

static void filter_calls(const struct sock_filter *rules, size_t n)
{
	struct sock_fprog program = {.len = (unsigned short)n, .filter = (struct sock_filter *)rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		puts("no seccomp");
		exit(3);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
/* skips the next instruction unless equal */
#define UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)

typedef enum nss_status gethostbyname4(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t size,
                                       int *error, int *h_error, int32_t *ttl);

static enum nss_status ask_module(gethostbyname4 *module, const char *name)
{
	struct gaih_addrtuple *tuples = NULL;
	char buffer[4096];
	int error, h_error;

	return module(name, &tuples, buffer, sizeof(buffer), &error, &h_error, NULL);
}

static int quiet(const char *name, int lookups)
{
	static const struct sock_filter only_the_end[] = {
		LOAD(nr),
		UNLESS(SYS_write), RETURN(SECCOMP_RET_ALLOW),
		UNLESS(SYS_exit_group), RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	gethostbyname4 *module = (gethostbyname4 *)dlsym(dlopen("libnss_srvmesh.so.2", RTLD_NOW),
	                                                 "_nss_srvmesh_gethostbyname4_r");
	enum nss_status status;

	if (!module)
		return puts("no module"), 1;
	for (int i = 0; i < lookups; i++)
		ask_module(module, name);
	filter_calls(only_the_end, COUNT(only_the_end));
	status = ask_module(module, name);
	if (status == NSS_STATUS_SUCCESS)
		syscall(SYS_write, 1, "found\n", 6);
	else
		syscall(SYS_write, 1, "not found\n", 10);
	syscall(SYS_exit_group, 0);
	return 1;
}

static int no_unix(const char *name)
{
	static const struct sock_filter rules[] = {
		LOAD(nr),
		UNLESS(SYS_socket), BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[0]),
		UNLESS(AF_UNIX), RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};

	filter_calls(rules, COUNT(rules));
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return puts("AF_UNIX is not forbidden"), 1;
	puts(answer(name));
	return 0;
}

static int timed(char **names)
{
	for (; *names; names++) {
		double began = now_ms();
		const char *got = answer(*names);

		printf("%s %.1f\n", got, now_ms() - began);
	}
	return 0;
}

/* ---- descriptors */

static int full(const char *name)
{
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};

	answer("not.ours.example");
	setrlimit(RLIMIT_NOFILE, &limit);
	puts(answer(name));
	return 0;
}

#define STRANGERS 200

static bool strangers_are_whole(ino_t inode)
{
	for (int fd = 3; fd < STRANGERS; fd++) {
		struct stat file;

		if (fstat(fd, &file) != 0 || file.st_ino != inode || fcntl(fd, F_GETFL) != O_RDONLY + (fcntl(3, F_GETFL) & ~3))
			return false;
	}
	return true;
}

/* Makes lookups while, in turn, it closes all descriptors and fills every number with a foreign file. */
static int descriptors(const char *name)
{
	for (int turn = 0; turn < 20; turn++) {
		struct stat file;
		int fd;

		if (strcmp(answer(name), "EAI_AGAIN") == 0)
			return puts("EAI_AGAIN"), 1;
		closefrom(3);
		if (strcmp(answer(name), "EAI_AGAIN") == 0)
			return puts("EAI_AGAIN after closefrom"), 1;
		fd = open("/proc/self/exe", O_RDONLY);
		fstat(fd, &file);
		for (int other = 3; other < STRANGERS; other++)
			dup2(fd, other);
		answer(name);
		if (!strangers_are_whole(file.st_ino))
			return puts("a stranger's descriptor was touched"), 1;
	}
	puts(answer(name));
	return 0;
}

static int change_root(const char *directory, const char *name)
{
	char before[512];

	strcpy(before, answer(name));
	if (chroot(directory) != 0 || chdir("/") != 0)
		return perror("chroot"), 1;
	for (int i = 0; i < 3; i++) {
		if (strcmp(before, answer(name)) != 0)
			return printf("%s, then %s\n", before, answer(name)), 1;
		sleep(i < 2);
	}
	puts(before);
	return 0;
}

/* ---- many threads */

static _Atomic int next_number;
static int numbers;
static const char *suffix;

static void *ask_random_names(void *unused)
{
	char name[300];

	(void)unused;
	for (int number = next_number++; number < numbers; number = next_number++) {
		snprintf(name, sizeof(name), "r%d-%d.%s", getpid(), number, suffix);
		answer(name);
	}
	return NULL;
}

static int ask_many(int count, const char *under)
{
	pthread_t ids[8];
	double began = now_ms();

	numbers = count;
	suffix = under;
	for (size_t i = 0; i < COUNT(ids); i++)
		pthread_create(&ids[i], NULL, ask_random_names, NULL);
	for (size_t i = 0; i < COUNT(ids); i++)
		pthread_join(ids[i], NULL);
	printf("%d in %.0f ms\n", count, now_ms() - began);
	return 0;
}

static int wait_and_ask(const char *name)
{
	char byte;

	if (read(0, &byte, 1) < 0)
		return 1;
	puts(answer(name));
	return 0;
}

static int every(int ms, int seconds, const char *name)
{
	double until = now_ms() + seconds * 1e3, longest = 0;
	int lookups = 0, failures = 0;

	while (now_ms() < until) {
		double began = now_ms();
		const char *got = answer(name);

		failures += strncmp(got, "EAI_", 4) == 0;
		if (now_ms() - began > longest)
			longest = now_ms() - began;
		lookups++;
		usleep((useconds_t)ms * 1000);
	}
	printf("%d failures of %d, longest %.0f ms\n", failures, lookups, longest);
	return 0;
}

/* ---- clocks */

static bool has_map(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024];
	bool found = false;

	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, ".mdb") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

static int in_new_time(const char *name, const char *fresh, const char *conf)
{
	const char *got = answer(name);

	printf("%s%s, then ", got, has_map() ? " with the map" : "");
	rename(fresh, conf);
	usleep(1300000);
	puts(answer(name));
	return 0;
}

static int new_time(const char *seconds, const char *name, const char *fresh, const char *conf)
{
	char before[512];
	int status, fd;

	snprintf(before, sizeof(before), "%s", answer(name));
	if (unshare(CLONE_NEWTIME) != 0 || (fd = open("/proc/self/timens_offsets", O_WRONLY)) < 0)
		return puts("no time namespaces"), 0;
	if (dprintf(fd, "boottime %s 0\n", seconds) < 0)
		return perror("timens_offsets"), 1;
	close(fd);
	printf("%s%s, then ", before, has_map() ? " with the map" : "");
	fflush(stdout);
	if (fork() == 0)
		return in_new_time(name, fresh, conf);
	wait(&status);
	return WEXITSTATUS(status);
}

/* ---- a handler that does not return */

static sigjmp_buf before_lookup;

static void leave_lookup(int number)
{
	(void)number;
	siglongjmp(before_lookup, 1);
}

static int descriptors_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* As curl does it where it has no better resolver: a time limit by SIGALRM. */
__attribute__((noinline))
static bool is_left(const char *name)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}}, never = {.it_value = {.tv_usec = 0}};

	if (sigsetjmp(before_lookup, 1))
		return true;
	setitimer(ITIMER_REAL, &soon, NULL);
	answer(name);
	setitimer(ITIMER_REAL, &never, NULL);
	return false;
}

static bool can_be_cancelled(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
	return before == PTHREAD_CANCEL_ENABLE;
}

static int leave(int count, const char *name, const char *other, char **files)
{
	struct sigaction action = {.sa_handler = leave_lookup};
	int before, left = 0;

	printf("%s", answer(other));
	before = descriptors_open();
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < count; i++)
		left += is_left(name);
	printf(", then %d of %d left; %s", left, count, answer(other));
	printf(", %d descriptors more, %s", descriptors_open() - before, can_be_cancelled() ? "can be cancelled" : "cannot be cancelled");
	for (int i = 0; i < 9; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s.%d", files[0], i);
		rename(path, files[1]);
		usleep(1300000);
		printf("%s%s", i ? " " : ", then ", answer(other));
	}
	puts("");
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	__nss_configure_lookup("hosts", "srvmesh");
	if (argc == 4 && strcmp(verb, "quiet") == 0)
		return quiet(argv[2], atoi(argv[3]));
	if (argc >= 3 && strcmp(verb, "timed") == 0)
		return timed(argv + 2);
	if (argc == 3 && strcmp(verb, "no-unix") == 0)
		return no_unix(argv[2]);
	if (argc == 3 && strcmp(verb, "full") == 0)
		return full(argv[2]);
	if (argc == 3 && strcmp(verb, "descriptors") == 0)
		return descriptors(argv[2]);
	if (argc == 4 && strcmp(verb, "chroot") == 0)
		return change_root(argv[2], argv[3]);
	if (argc == 4 && strcmp(verb, "random") == 0)
		return ask_many(atoi(argv[2]), argv[3]);
	if (argc == 3 && strcmp(verb, "wait") == 0)
		return wait_and_ask(argv[2]);
	if (argc == 7 && strcmp(verb, "leave") == 0)
		return leave(atoi(argv[2]), argv[3], argv[4], argv + 5);
	if (argc == 6 && strcmp(verb, "new-time") == 0)
		return new_time(argv[2], argv[3], argv[4], argv[5]);
	if (argc == 5 && strcmp(verb, "every") == 0)
		return every(atoi(argv[2]), atoi(argv[3]), argv[4]);
	fputs(usage, stderr);
	return 2;
}
