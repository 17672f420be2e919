/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A libc that fails: for the program tests/faults.c, and to preload into srvmeshd. Only calls out of one piece of code fail, not
 * those that libc or other libraries make.
 *
 * Preloaded, with a file of 16 bytes as FAILING_LIBC: calls out of the program itself fail by chance while the first byte is not 0,
 * one in so many. Or those of one kind fail: byte 1 is the kind and one more, byte 2 whether all after it fail, too, byte 3 the error,
 * from byte 4 on which one. From byte 8 on it counts what has failed. */
/* the functions as they are, and not their checked or inlined variants */
#undef _FORTIFY_SOURCE
#undef __OPTIMIZE__

#include "tests/failing_libc.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct faults faults = {.kind = -1};

/* Of the preloaded library. */
static volatile struct {
	uint8_t one_in, kind, goes_on, error;
	uint32_t n;
	uint64_t failed;
} *control;

static bool draws_a_fault(uint32_t one_in)
{
	faults.dice = faults.dice * 6364136223846793005ULL + 1442695040888963407ULL;
	if ((faults.dice >> 33) % one_in != 0)
		return false;
	errno = faults.dice >> 32 & 1 ? ENOMEM : EINTR;
	return true;
}

/* The one call, or that and those after it. */
static bool is_its_turn(void)
{
	faults.calls++;
	if (faults.goes_on ? faults.calls < faults.n : faults.calls != faults.n)
		return false;
	errno = faults.error;
	return true;
}

/* What the program itself does is over; gcov, in the same piece of code, has still to write. */
static void end_faults(void)
{
	faults.begin = faults.end = NULL;
}

static bool fails(int kind, const void *caller)
{
	static bool is_begun;

	if ((const char *)caller < faults.begin || (const char *)caller >= faults.end)
		return false;
	if (control && !is_begun) {
		is_begun = true;
		atexit(end_faults); /* not earlier: such functions are called before the program's own end if they come after its start */
	}
	if (control && faults.kind < 0) {
		if (control->one_in == 0 || !draws_a_fault(control->one_in))
			return false;
		control->failed++;
		return true;
	}
	if (faults.kind < 0 || (!faults.dice && faults.kind != kind))
		return false;
	if (faults.dice ? !draws_a_fault(16) : !is_its_turn())
		return false;
	faults.failed++;
	if (control)
		control->failed++;
	return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALLER __builtin_return_address(0)

/* a function of libc, what it returns if it fails, and how it goes on otherwise */
#define FAULTY(type, name, parameters, kind, failure, ...)  \
	__attribute__((noinline)) type name parameters       \
	{                                                    \
		static __typeof__(&name) real;               \
                                                             \
		if (fails(kind, CALLER))                     \
			return failure;                      \
		if (!real)                                   \
			real = REAL(name);                   \
		return real(__VA_ARGS__);                    \
	}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *bytes, size_t size);

void *malloc(size_t size)
{
	return fails(MEMORY, CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(MEMORY, CALLER) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *bytes, size_t size)
{
	return fails(MEMORY, CALLER) ? NULL : __libc_realloc(bytes, size);
}

#undef strdup
#undef strndup
FAULTY(char *, strdup, (const char *text), MEMORY, NULL, text)
FAULTY(char *, strndup, (const char *text, size_t n), MEMORY, NULL, text, n)
FAULTY(void *, mmap, (void *at, size_t size, int access, int flags, int fd, off_t from), MAP, MAP_FAILED, at, size, access, flags,
       fd, from)
FAULTY(int, madvise, (void *at, size_t size, int advice), MAP, -1, at, size, advice)
FAULTY(FILE *, fopen, (const char *path, const char *mode), OPEN, NULL, path, mode)
FAULTY(FILE *, fdopen, (int fd, const char *mode), OPEN, NULL, fd, mode)
FAULTY(FILE *, open_memstream, (char **text, size_t *size), MEMORY, NULL, text, size)
FAULTY(ssize_t, getline, (char **line, size_t *size, FILE *file), READ, -1, line, size, file)
FAULTY(int, fflush, (FILE *file), SEND, EOF, file)
FAULTY(int, uname, (struct utsname *host), LOOK, -1, host)
FAULTY(pid_t, fork, (void), THREAD, -1)
FAULTY(pid_t, waitpid, (pid_t child, int *status, int options), WAIT, -1, child, status, options)
FAULTY(ssize_t, pread, (int fd, void *bytes, size_t size, off_t at), READ, -1, fd, bytes, size, at)
FAULTY(struct dirent *, readdir, (DIR *directory), READ, NULL, directory)
FAULTY(DIR *, opendir, (const char *path), OPEN, NULL, path)

/* getdents64 is the only one of ours. */
long syscall(long number, ...)
{
	static __typeof__(&syscall) real;
	long words[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(list, long);
	va_end(list);
	if (fails(READ, CALLER))
		return -1;
	if (!real)
		real = REAL(syscall);
	return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

FAULTY(ssize_t, read, (int fd, void *bytes, size_t size), READ, -1, fd, bytes, size)
FAULTY(ssize_t, readlink, (const char *path, char *text, size_t size), LOOK, -1, path, text, size)
FAULTY(int, stat, (const char *path, struct stat *file), LOOK, -1, path, file)
FAULTY(int, lstat, (const char *path, struct stat *file), LOOK, -1, path, file)
FAULTY(int, fstat, (int fd, struct stat *file), LOOK, -1, fd, file)
FAULTY(int, fstatfs, (int fd, struct statfs *system), LOOK, -1, fd, system)
FAULTY(int, socket, (int domain, int type, int protocol), SOCKET, -1, domain, type, protocol)
FAULTY(int, connect, (int fd, const struct sockaddr *address, socklen_t size), CONNECT, -1, fd, address, size)
FAULTY(int, bind, (int fd, const struct sockaddr *address, socklen_t size), CONNECT, -1, fd, address, size)
FAULTY(ssize_t, send, (int fd, const void *bytes, size_t size, int flags), SEND, -1, fd, bytes, size, flags)
FAULTY(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), SEND, -1, fd, message, flags)
FAULTY(ssize_t, sendto, (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length), SEND, -1,
       fd, bytes, size, flags, to, length)
FAULTY(ssize_t, recv, (int fd, void *bytes, size_t size, int flags), RECEIVE, -1, fd, bytes, size, flags)
FAULTY(ssize_t, recvfrom, (int fd, void *bytes, size_t size, int flags, struct sockaddr *from, socklen_t *length), RECEIVE, -1, fd,
       bytes, size, flags, from, length)
FAULTY(int, poll, (struct pollfd *fds, nfds_t n, int ms), WAIT, -1, fds, n, ms)
FAULTY(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *mask), WAIT, -1, fds, n, time, mask)
FAULTY(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), OPTION, -1, fd, level, name, value, size)
FAULTY(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), OPTION, -1, fd, level, name, value, size)
FAULTY(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), OPTION, -1, fd, address, size)
FAULTY(ssize_t, getrandom, (void *bytes, size_t size, unsigned flags), CHANCE, -1, bytes, size, flags)
FAULTY(int, pthread_key_create, (pthread_key_t *key, void (*end)(void *)), THREAD, ENOMEM, key, end)
FAULTY(int, pthread_setspecific, (pthread_key_t key, const void *value), THREAD, ENOMEM, key, value)

FAULTY(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), RECEIVE, -1, fd, message, flags)
FAULTY(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), RECEIVE, -1, fd, address, size, flags)
FAULTY(int, epoll_ctl, (int poll, int operation, int fd, struct epoll_event *event), WAIT, -1, poll, operation, fd, event)
FAULTY(int, epoll_wait, (int poll, struct epoll_event *events, int n, int ms), WAIT, -1, poll, events, n, ms)
FAULTY(void *, tsearch, (const void *key, void **root, int (*compare)(const void *, const void *)), MEMORY, NULL, key, root, compare)
FAULTY(void *, reallocarray, (void *bytes, size_t n, size_t size), MEMORY, NULL, bytes, n, size)

/* ---- of other libraries: what they make of such a failure */

#define FOREIGN(type, name, parameters, kind, failure, ...) \
	type name parameters;                               \
	FAULTY(type, name, parameters, kind, failure, __VA_ARGS__)

FOREIGN(int, uv_loop_init, (void *loop), WAIT, -EMFILE, loop)
FOREIGN(int, uv_poll_init, (void *loop, void *poll, int fd), WAIT, -ENOMEM, loop, poll, fd)
FOREIGN(int, uv_pipe_bind, (void *pipe, const char *path), SOCKET, -EACCES, pipe, path)
FOREIGN(int, uv_tcp_bind, (void *tcp, const void *address, unsigned flags), SOCKET, -EACCES, tcp, address, flags)
FOREIGN(int, uv_listen, (void *stream, int backlog, void *hear), SOCKET, -EADDRINUSE, stream, backlog, hear)
FOREIGN(int, uv_accept, (void *server, void *client), RECEIVE, -EMFILE, server, client)
FOREIGN(int, uv_write, (void *request, void *stream, const void *pieces, unsigned n, void *hear), SEND, -ENOBUFS, request, stream, pieces, n,
        hear)
FOREIGN(int, mdb_env_create, (void **env), MEMORY, ENOMEM, env)
FOREIGN(int, mdb_env_open, (void *env, const char *path, unsigned flags, unsigned mode), OPEN, EIO, env, path, flags, mode)
FOREIGN(int, mdb_txn_begin, (void *env, void *parent, unsigned flags, void **txn), MAP, ENOMEM, env, parent, flags, txn)
FOREIGN(int, mdb_dbi_open, (void *txn, const char *name, unsigned flags, unsigned *dbi), MAP, ENOMEM, txn, name, flags, dbi)
FOREIGN(int, mdb_put, (void *txn, unsigned dbi, void *key, void *value, unsigned flags), MAP, -30792 /* MDB_MAP_FULL */, txn, dbi, key,
        value, flags)
FOREIGN(int, mdb_del, (void *txn, unsigned dbi, void *key, void *value), MAP, ENOSPC, txn, dbi, key, value)
FOREIGN(int, mdb_cursor_open, (void *txn, unsigned dbi, void **cursor), MEMORY, ENOMEM, txn, dbi, cursor)
FOREIGN(void *, seccomp_init, (uint32_t action), MEMORY, NULL, action)
FOREIGN(int, seccomp_load, (const void *filter), OPTION, -EPERM, filter)

void mdb_txn_abort(void *txn);
int mdb_txn_commit(void *txn);

/* A transaction has ended, whatever became of it. */
int mdb_txn_commit(void *txn)
{
	static __typeof__(&mdb_txn_commit) real;
	static __typeof__(&mdb_txn_abort) end;

	if (fails(MAP, CALLER)) {
		if (!end)
			end = REAL(mdb_txn_abort);
		end(txn);
		return ENOSPC;
	}
	if (!real)
		real = REAL(mdb_txn_commit);
	return real(txn);
}

/* ---- those with more to them */

int open(const char *path, int flags, ...)
{
	va_list rest;
	int mode;

	va_start(rest, flags);
	mode = flags & O_CREAT ? va_arg(rest, int) : 0;
	va_end(rest);
	return fails(OPEN, CALLER) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
	va_list rest;
	void *argument;

	va_start(rest, command);
	argument = va_arg(rest, void *);
	va_end(rest);
	return fails(OPTION, CALLER) ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

/* What fails is the last write: the file is closed all the same. */
int fclose(FILE *file)
{
	static __typeof__(&fclose) real;
	bool is_bad = fails(SEND, CALLER);
	int error = errno, code;

	if (!real)
		real = REAL(fclose);
	code = real(file);
	if (is_bad)
		errno = error;
	return is_bad ? EOF : code;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int code = (int)syscall(SYS_clock_gettime, clock, ret);

	ret->tv_sec += clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME ? faults.ahead_s : 0;
	return code;
}

void sm_faults_note(const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const char *begin = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);

		if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
			faults.begin = begin;
			faults.end = begin + info->dlpi_phdr[i].p_memsz;
		}
	}
}

/* ---- preloaded */

static int note_program(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	sm_faults_note(info);
	return 1; /* the first one is the program */
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAILING_LIBC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *bytes;

	if (fd < 0)
		return;
	bytes = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return;
	dl_iterate_phdr(note_program, NULL);
	control = bytes;
	faults.kind = control->kind - 1;
	faults.goes_on = control->goes_on;
	faults.error = control->error;
	faults.n = (int)control->n;
	faults.dice = faults.kind < 0;
}
