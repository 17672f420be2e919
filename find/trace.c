/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/trace.h"

#include "mesh/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1024

const char *sm_trace_verdict(enum sm_verdict verdict)
{
	static const char *const words[] = {
		[SM_VERDICT_NOT_OURS] = "not-ours",   [SM_VERDICT_NO_NAME] = "no-name",     [SM_VERDICT_NO_DATA] = "no-data",
		[SM_VERDICT_TRY_AGAIN] = "try-again", [SM_VERDICT_TOO_SMALL] = "too-small", [SM_VERDICT_FOUND] = "found",
	};

	return words[verdict];
}

const char *sm_trace_place(enum sm_place place)
{
	static const char *const words[] = {
		[SM_PLACE_NOWHERE] = "-",      [SM_PLACE_MAP] = "map", [SM_PLACE_MEMORY] = "memory",
		[SM_PLACE_DAEMON] = "srvmeshd", [SM_PLACE_DNS] = "dns",
	};

	return words[place];
}

const char *sm_trace_state(const struct sm_times *times, int64_t now_ns)
{
	static const char *const words[] = {
		[SM_FRESH] = "fresh", [SM_DUE] = "due", [SM_STALE] = "stale", [SM_OLD] = "old", [SM_DEAD] = "dead",
	};

	return words[sm_lifetime_freshness(times, now_ns)];
}

static void see(void *context, const struct sm_sight *sight)
{
	struct sm_trace *trace = context;
	uint32_t room = sizeof(trace->addresses) / sizeof(trace->addresses[0]);
	uint32_t n = sight->choice ? sight->choice->n_addresses : 0;

	trace->place = sight->place;
	trace->state = sm_trace_state(sight->times, sight->now_ns);
	trace->n = n < room ? n : room;
	trace->n_more = n - trace->n;
	for (uint32_t i = 0; i < trace->n; i++)
		trace->addresses[i] = sight->choice->addresses[i];
}

struct sm_watcher sm_trace_begin(struct sm_trace *trace, const char *asked, uint8_t families, int64_t now_ns)
{
	*trace = (struct sm_trace){.asked = asked, .families = families, .began_ns = now_ns, .state = "-"};
	return (struct sm_watcher){.see = see, .context = trace};
}

/* The name comes from the program: only what a name may have is written. */
static void write_name(const char *text, char ret[SM_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *text && n < SM_NAME_MAX; text++)
		ret[n++] = sm_name_allows(sm_name_fold(*text)) || *text == '.' ? *text : '?';
	ret[n] = '\0';
}

/* Standard error may be a pipe that is full, or whose reader is gone: then the line is lost, and the program goes on. */
static void tell(const char *line, size_t size)
{
	struct pollfd error = {.fd = STDERR_FILENO, .events = POLLOUT};
	const struct timespec at_once = {.tv_sec = 0};
	sigset_t pipe, before, pending;
	bool was_pending;

	if (poll(&error, 1, 0) != 1 || !(error.revents & POLLOUT))
		return;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
	if (pthread_sigmask(SIG_BLOCK, &pipe, &before) != 0)
		return;
	if (write(STDERR_FILENO, line, size) < 0 && errno == EPIPE && !was_pending)
		sigtimedwait(&pipe, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void sm_trace_end(const struct sm_trace *trace, enum sm_verdict verdict, int64_t now_ns)
{
	static const char *const families[] = {"none", "ipv4", "ipv6", "both"};
	char line[LINE_SIZE], name[SM_NAME_MAX + 1], got[4 * (SM_TEXT_ADDRESS_MAX + 1) + 16] = "";
	size_t used = 0;
	int length;

	if (verdict == SM_VERDICT_NOT_OURS)
		return;
	for (uint32_t i = 0; i < trace->n; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&trace->addresses[i], text);
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s", i ? "," : "", text);
	}
	if (trace->n_more > 0)
		snprintf(got + used, sizeof(got) - used, ",+%u", trace->n_more);
	write_name(trace->asked, name);
	length = snprintf(line, sizeof(line), "srvmesh: name=%s families=%s from=%s state=%s verdict=%s got=%s ns=%lld\n", name,
	                  families[trace->families & SM_IPV4_AND_IPV6], sm_trace_place(trace->place), trace->state,
	                  sm_trace_verdict(verdict), got[0] ? got : "-", (long long)(now_ns - trace->began_ns));
	tell(line, (size_t)length);
}
