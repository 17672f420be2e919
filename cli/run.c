/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh run: a program with address, port and target's name from SRV, in the order of RFC 2782. */
#include "base/random.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/inquiry.h"
#include "cli/memory.h"
#include "mesh/choose.h"
#include "mesh/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127  /* as shells say it: there is no such program, */
#define NOT_STARTED 126 /* or it cannot be run */
#define NEXT_PLEASE 75 /* EX_TEMPFAIL of <sysexits.h> */

enum { ONLY_IPV4, ONLY_IPV6, RETRY, PORTS };

static const struct sm_option options[] = {
	{"ipv4", '4', NULL, "only IPv4 addresses", SM_COMPLETE_NOTHING},
	{"ipv6", '6', NULL, "only IPv6 addresses", SM_COMPLETE_NOTHING},
	{"retry", 0, NULL, "the next target, where it exits with 75", SM_COMPLETE_NOTHING},
	{"ports", 0, NULL, "CMD unchanged, with the ports of SRV records", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* A target that is drawn. */
struct drawn {
	char address[SM_TEXT_ADDRESS_MAX], port[8];
	const char *target;
};

/* ---- the command line of the program */

static const char *value_of(const struct drawn *drawn, char letter)
{
	switch (letter) {
	case 'h':
		return drawn->address;
	case 'p':
		return drawn->port;
	case 't':
		return drawn->target;
	case '%':
		return "%";
	}
	return NULL;
}

/* Fills in %h, %p, %t and %%; anything else stays. */
static char *fill_in(const char *word, const struct drawn *drawn)
{
	char *ret = NULL;
	size_t size;
	FILE *text = sm_memory(open_memstream(&ret, &size));

	for (; *word; word++) {
		const char *value = *word == '%' ? value_of(drawn, word[1]) : NULL;

		if (value)
			fputs(value, text);
		else
			fputc(*word, text);
		word += value != NULL;
	}
	if (fclose(text) != 0)
		sm_no_memory();
	return ret;
}

static bool wants_port(char **words, int n)
{
	for (int i = 0; i < n; i++)
		for (const char *at = words[i]; (at = strchr(at, '%')) && at[1]; at += 2)
			if (at[1] == 'p')
				return true;
	return false;
}

/* Becomes the program; returns only where that is not possible, and why. */
static int become(char **words, int n, const struct drawn *drawn)
{
	char **line = sm_memory(calloc((size_t)n + 1, sizeof(*line)));

	for (int i = 0; i < n; i++)
		line[i] = fill_in(words[i], drawn);
	execvp(line[0], line);
	return errno;
}

static enum exit_code fail_to_start(const char *word, int error)
{
	fprintf(stderr, "srvmesh: %s: %s\n", word, strerror(error));
	return (enum exit_code)(error == ENOENT ? NOT_FOUND : NOT_STARTED);
}

/* ---- with --retry: as a child */

/* SIGINT and SIGQUIT come from a terminal, to the child as well; others are sent to us alone, and are passed on. SIGCHLD ends the
 * waiting. */
static const int handled[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGCHLD};
#define N_HANDLED (sizeof(handled) / sizeof(handled[0]))

static volatile pid_t child; /* 0: none */
static volatile sig_atomic_t ending; /* the signal that asks us to end; then no further target is tried */

/* What the signals did before, and for the child do again. */
struct signals {
	struct sigaction before[N_HANDLED];
	sigset_t mask; /* before they were blocked */
};

static void pass_on(int number)
{
	bool is_of_terminal = number == SIGINT || number == SIGQUIT;

	if (is_of_terminal || number == SIGHUP || number == SIGTERM)
		ending = number;
	if (child > 0 && !is_of_terminal && number != SIGCHLD)
		kill(child, number);
}

/* From here on they are blocked but while a child is waited for, so that none is lost. What was ignored stays so. */
static void handle_signals(struct signals *ret)
{
	struct sigaction passing = {.sa_handler = pass_on};
	sigset_t all;

	sigemptyset(&all);
	for (size_t i = 0; i < N_HANDLED; i++)
		sigaddset(&all, handled[i]);
	sigprocmask(SIG_BLOCK, &all, &ret->mask);
	for (size_t i = 0; i < N_HANDLED; i++) {
		sigaction(handled[i], NULL, &ret->before[i]);
		if (ret->before[i].sa_handler != SIG_IGN || handled[i] == SIGCHLD)
			sigaction(handled[i], &passing, NULL);
	}
}

static void restore_signals(const struct signals *signals)
{
	for (size_t i = 0; i < N_HANDLED; i++)
		sigaction(handled[i], &signals->before[i], NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

/* How a try has ended. */
struct ended {
	int status; /* of wait */
	int error;  /* why the program could not be started; 0: it was */
};

/* Signals come in here, and only here. */
static bool wait_for_child(const struct signals *signals, int *ret_status)
{
	pid_t ended;

	while ((ended = waitpid(child, ret_status, WNOHANG)) == 0)
		sigsuspend(&signals->mask);
	child = 0;
	return ended > 0;
}

static bool start_and_wait(const struct signals *signals, char **words, int n, const struct drawn *drawn, struct ended *ret)
{
	int ends[2];
	bool is_good;

	*ret = (struct ended){.error = 0};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	child = fork();
	if (child == 0) {
		int error;

		restore_signals(signals);
		error = become(words, n, drawn);
		(void)!write(ends[1], &error, sizeof(error));
		_exit(NOT_STARTED);
	}
	close(ends[1]);
	is_good = child > 0;
	/* the pipe ends when the program has started */
	while (is_good && read(ends[0], &ret->error, sizeof(ret->error)) < 0 && errno == EINTR)
		continue;
	close(ends[0]);
	return is_good && wait_for_child(signals, &ret->status);
}

/* Ends as the program did. */
static enum exit_code end_like(int status)
{
	if (WIFSIGNALED(status)) {
		struct sigaction usual = {.sa_handler = SIG_DFL};
		sigset_t number;

		sigemptyset(&number);
		sigaddset(&number, WTERMSIG(status));
		sigaction(WTERMSIG(status), &usual, NULL);
		sigprocmask(SIG_UNBLOCK, &number, NULL);
		raise(WTERMSIG(status));
		return (enum exit_code)(128 + WTERMSIG(status));
	}
	return (enum exit_code)WEXITSTATUS(status);
}

/* ---- the targets */

static bool draw(struct sm_inquiry *inquiry, uint64_t *seed, struct drawn *ret)
{
	struct sm_address address;
	uint16_t target;

	if (sm_choose_take(&inquiry->answer, inquiry->rule, inquiry->families, seed, inquiry->now_ns, &target, &address) != SM_OK)
		return false;
	sm_text_address(&address, ret->address);
	snprintf(ret->port, sizeof(ret->port), "%u", inquiry->answer.targets[target].port);
	ret->target = inquiry->answer.targets[target].name;
	return true;
}

static enum exit_code run_in_turn(struct sm_inquiry *inquiry, char **words, int n, uint64_t *seed)
{
	struct ended ended = {.error = 0};
	struct signals signals;
	struct drawn drawn;

	handle_signals(&signals);
	while (draw(inquiry, seed, &drawn)) {
		if (!start_and_wait(&signals, words, n, &drawn, &ended)) {
			fprintf(stderr, "srvmesh: %s: %s\n", words[0], strerror(errno));
			return EXIT_NO;
		}
		if (ended.error == 0 && (!WIFEXITED(ended.status) || WEXITSTATUS(ended.status) != NEXT_PLEASE))
			break;
		if (ending)
			break;
		fprintf(stderr, "srvmesh: %s at %s: %s %s\n", drawn.target, drawn.address, words[0],
		        ended.error == 0 ? "ended with 75" : "could not be started");
	}
	return ended.error == 0 ? end_like(ended.status) : fail_to_start(words[0], ended.error);
}

static enum exit_code run_at(struct sm_inquiry *inquiry, char **words, int n, bool tries_next)
{
	struct drawn drawn;
	uint64_t seed;

	sm_random_fill(&seed, sizeof(seed));
	if (tries_next)
		return run_in_turn(inquiry, words, n, &seed);
	return draw(inquiry, &seed, &drawn) ? fail_to_start(words[0], become(words, n, &drawn)) : EXIT_NO;
}

/* ---- --ports: an unchanged program, with ports/ports.c in front of its libc */

static enum exit_code run_with_ports(char **words)
{
	const char *own = secure_getenv("SRVMESH_PORTS"), *before = getenv("LD_PRELOAD");
	const char *object = own ? own : PORTS_DIR "/libsrvmesh_ports.so";
	char preload[PATH_MAX * 2];

	if (access(object, R_OK) != 0) {
		fprintf(stderr, "srvmesh: run --ports: %s: %s\n", object, strerror(errno));
		return EXIT_NO;
	}
	if (!sm_doctor_gives_ports()) {
		fputs("srvmesh: run --ports: srvmesh is not on the services line of /etc/nsswitch.conf, which gives ports: "
		      "srvmesh doctor names the remedy\n", stderr);
		return EXIT_NO;
	}
	snprintf(preload, sizeof(preload), "%s%s%s", object, before && before[0] ? ":" : "", before ? before : "");
	if (setenv("LD_PRELOAD", preload, 1) != 0)
		return EXIT_NO;
	execvp(words[0], words);
	return fail_to_start(words[0], errno);
}

static enum exit_code run(const struct sm_call *call)
{
	struct sm_inquiry inquiry;
	enum exit_code code = EXIT_NO;
	char why[SM_INQUIRY_WHY_MAX];

	if (call->options[PORTS])
		return call->options[RETRY] ? EXIT_USAGE : run_with_ports(call->words);
	if (call->n_words < 2)
		return EXIT_USAGE;
	sm_inquire(call->words[0], sm_families_of(call->options[ONLY_IPV4], call->options[ONLY_IPV6]), &inquiry);
	sm_inquiry_why_not(&inquiry, why);
	if (inquiry.verdict != SM_VERDICT_FOUND || !inquiry.has_answer || !inquiry.rule) {
		fprintf(stderr, "srvmesh: %s: %s\n", call->words[0], why);
		code = sm_inquiry_exit(&inquiry);
	} else if (inquiry.answer.targets[inquiry.choice.targets[0]].port == 0 && wants_port(call->words + 1,
	                                                                                     call->n_words - 1)) {
		fprintf(stderr, "srvmesh: %s: it has addresses, but no SRV records: its port is not known\n", call->words[0]);
	} else {
		code = run_at(&inquiry, call->words + 1, call->n_words - 1, call->options[RETRY]);
	}
	sm_inquiry_clear(&inquiry);
	return code;
}

const struct sm_command sm_command_run = {
	"run", "NAME [--retry] | --ports -- CMD", "CMD with %h address, %p port, %t target", false, 1, -1, SM_COMPLETE_NAMES,
	options, run,
};
