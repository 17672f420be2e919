/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log. A line is composed in a bounded buffer and written with one call; text that does not fit is cut. */
#include "daemon/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define TAIL_BYTES 8    /* always reserved to close a value and the line */
#define FIELD_BYTES 128 /* needed for a key and the start of its value; else the field is left out */

static struct {
	enum sm_log_level level;
	enum sm_log_format format;
	void (*hear)(void *context, const struct sm_log_event *event);
	void *context;
} log_setup = {.level = SM_LOG_INFO, .format = SM_LOG_LOGFMT};

/* What has been written lately, by hashes: two that share one leave each other less room. */
#define SUBJECTS 1024
#define EVENTS 64
#define LINES_A_SECOND 20

static struct {
	int64_t subject_until_ns[SUBJECTS];
	struct {
		int64_t began_ns; /* of the second that is counted */
		uint32_t n;
		uint64_t n_left_out;
	} events[EVENTS];
} lately;

struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

void sm_log_setup(enum sm_log_level level, enum sm_log_format format)
{
	log_setup.level = level;
	log_setup.format = format;
}

static void add_char(struct line *line, char c)
{
	if (line->n < sizeof(line->text) - TAIL_BYTES)
		line->text[line->n++] = c;
}

/* Adds a character for which TAIL_BYTES reserves the space. */
static void close_with(struct line *line, char c)
{
	line->text[line->n++] = c;
}

static void add_text(struct line *line, const char *text)
{
	while (*text)
		add_char(line, *text++);
}

/* Quotes as in JSON, which logfmt readers accept too. */
static void add_quoted(struct line *line, const char *text)
{
	add_char(line, '"');
	if (line->n < sizeof(line->text) - TAIL_BYTES)
		line->n += sm_json_escape(text, line->text + line->n, sizeof(line->text) - TAIL_BYTES - line->n);
	close_with(line, '"');
}

static bool is_plain(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:+@%")] == '\0';
}

static void add_field(struct line *line, const char *key, const char *value)
{
	bool is_json = log_setup.format == SM_LOG_JSON;

	if (line->n + FIELD_BYTES > sizeof(line->text))
		return;
	if (line->n > 1)
		add_char(line, is_json ? ',' : ' ');
	if (is_json) {
		add_quoted(line, key);
		add_char(line, ':');
		add_quoted(line, value);
		return;
	}
	add_text(line, key);
	add_char(line, '=');
	if (is_plain(value))
		add_text(line, value);
	else
		add_quoted(line, value);
}

static void add_time(struct line *line)
{
	struct timespec now;
	struct tm utc;
	char text[40], whole[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(whole, sizeof(whole), "%s.%03ldZ", text, now.tv_nsec / 1000000);
	add_field(line, "time", whole);
}

const char *sm_log_word(enum sm_log_level level)
{
	switch (level) {
	case SM_LOG_ERROR:
		return "error";
	case SM_LOG_WARNING:
		return "warning";
	case SM_LOG_INFO:
		return "info";
	case SM_LOG_DEBUG:
		break;
	}
	return "debug";
}

void sm_log_follow(void (*hear)(void *context, const struct sm_log_event *event), void *context)
{
	log_setup.hear = hear;
	log_setup.context = context;
}

enum sm_log_level sm_log_level(void)
{
	return log_setup.level;
}

void sm_log_set_level(enum sm_log_level level)
{
	log_setup.level = level;
}

static void write_line(const struct sm_log_event *event)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT}; /* so that a full pipe does not block us */
	struct line line = {.n = 0};
	ssize_t written;

	if (log_setup.format == SM_LOG_JSON)
		add_char(&line, '{');
	add_time(&line);
	add_field(&line, "level", sm_log_word(event->level));
	add_field(&line, "event", event->event);
	for (uint32_t i = 0; i < event->pairs->n; i += 2)
		add_field(&line, event->pairs->fields[i], event->pairs->fields[i + 1]);
	if (log_setup.format == SM_LOG_JSON)
		close_with(&line, '}');
	close_with(&line, '\n');
	if (poll(&room, 1, 0) == 0)
		return;
	written = write(STDERR_FILENO, line.text, line.n);
	(void)written; /* there is no other place to report it */
}

static uint32_t hash(uint32_t sum, const char *text)
{
	for (; *text; text++)
		sum = (sum ^ (uint8_t)*text) * 16777619; /* FNV-1a */
	return sum;
}

/* *ret: lines of this event that were left out before this one. false: so is this one. */
static bool may_write(const struct sm_log_event *is, int64_t now_ns, uint64_t *ret)
{
	uint32_t of_event = hash(2166136261, is->event);
	int64_t *until_ns = &lately.subject_until_ns[hash(of_event, is->pairs->n > 0 ? is->pairs->fields[1] : "") % SUBJECTS];
	uint32_t which = of_event % EVENTS;

	if (now_ns - lately.events[which].began_ns >= SM_NS_PER_S) {
		lately.events[which].began_ns = now_ns;
		lately.events[which].n = 0;
	}
	if (now_ns < *until_ns || (is->level < SM_LOG_DEBUG && lately.events[which].n >= LINES_A_SECOND)) {
		lately.events[which].n_left_out++;
		return false;
	}
	*until_ns = now_ns + SM_NS_PER_S;
	lately.events[which].n++;
	*ret = lately.events[which].n_left_out;
	lately.events[which].n_left_out = 0;
	return true;
}

static void write_rarely(const struct sm_log_event *is, struct sm_log_pairs *pairs)
{
	uint32_t n = pairs->n;
	uint64_t n_left_out;

	if (!may_write(is, sm_clock_now_ns(), &n_left_out))
		return;
	if (n_left_out > 0)
		sm_log_spell(pairs, "left_out", "%llu", (unsigned long long)n_left_out);
	write_line(is);
	pairs->n = n; /* who follows hears all */
}

static void tell(enum sm_log_level level, const char *event, bool is_rare, va_list rest)
{
	struct sm_log_pairs pairs;
	struct sm_log_event is = {.level = level, .event = event, .pairs = &pairs};

	if (level > log_setup.level && !log_setup.hear)
		return;
	pairs.n = pairs.used = 0;
	while (pairs.n < 2 * SM_LOG_PAIRS_MAX && (pairs.fields[pairs.n] = va_arg(rest, const char *))) {
		pairs.fields[pairs.n + 1] = va_arg(rest, const char *);
		pairs.n += 2;
	}
	if (level <= log_setup.level && is_rare)
		write_rarely(&is, &pairs);
	else if (level <= log_setup.level)
		write_line(&is);
	if (log_setup.hear)
		log_setup.hear(log_setup.context, &is);
}

void sm_log(enum sm_log_level level, const char *event, ...)
{
	va_list rest;

	va_start(rest, event);
	tell(level, event, false, rest);
	va_end(rest);
}

void sm_log_rarely(enum sm_log_level level, const char *event, ...)
{
	va_list rest;

	va_start(rest, event);
	tell(level, event, true, rest);
	va_end(rest);
}

void sm_log_matter(enum sm_log_level level, const char *event, const struct sm_log_matter *matter)
{
	struct sm_log_event is = {.level = level, .event = event, .matter = matter};
	struct sm_log_pairs pairs;

	if (level <= log_setup.level) {
		pairs.n = pairs.used = 0;
		matter->spell(matter->what, &pairs);
		is.pairs = &pairs;
		write_rarely(&is, &pairs);
	}
	if (log_setup.hear)
		log_setup.hear(log_setup.context, &is);
}

void sm_log_spell(struct sm_log_pairs *pairs, const char *key, const char *format, ...)
{
	size_t room = sizeof(pairs->room) - pairs->used, length;
	char *value = pairs->room + pairs->used;
	va_list rest;

	va_start(rest, format);
	vsnprintf(value, room, format, rest);
	va_end(rest);
	length = strlen(value);
	pairs->used += length + 1 < room ? length + 1 : length;
	pairs->fields[pairs->n] = key;
	pairs->fields[pairs->n + 1] = value;
	pairs->n += 2;
}

void sm_log_number(enum sm_log_level level, const char *event, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	sm_log(level, event, key, text, NULL);
}
