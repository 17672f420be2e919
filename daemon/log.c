/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log. A line is composed in a bounded buffer and written with one call; text that does not fit is cut. */
#include "daemon/log.h"

#include <arpa/inet.h>
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
} log_setup = {SM_LOG_INFO, SM_LOG_LOGFMT};

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

/* Quotes as in JSON, which logfmt readers accept too. Bytes that are not printable ASCII are escaped one by one. */
static void add_quoted(struct line *line, const char *text)
{
	char escape[8];

	add_char(line, '"');
	for (; *text && line->n < sizeof(line->text) - 2 * TAIL_BYTES; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			add_char(line, '\\');
		if (c >= ' ' && c < 0x7f) {
			add_char(line, (char)c);
			continue;
		}
		snprintf(escape, sizeof(escape), "\\u%04x", c);
		add_text(line, escape);
	}
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

static const char *word_of(enum sm_log_level level)
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

void sm_log(enum sm_log_level level, const char *event, ...)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT}; /* so that a full pipe does not block us */
	struct line line = {.n = 0};
	const char *key;
	va_list fields;
	ssize_t written;

	if (level > log_setup.level)
		return;
	if (log_setup.format == SM_LOG_JSON)
		add_char(&line, '{');
	add_time(&line);
	add_field(&line, "level", word_of(level));
	add_field(&line, "event", event);
	va_start(fields, event);
	while ((key = va_arg(fields, const char *)))
		add_field(&line, key, va_arg(fields, const char *));
	va_end(fields);
	if (log_setup.format == SM_LOG_JSON)
		close_with(&line, '}');
	close_with(&line, '\n');
	if (poll(&room, 1, 0) == 0)
		return;
	written = write(STDERR_FILENO, line.text, line.n);
	(void)written; /* there is no other place to report it */
}

void sm_log_number(enum sm_log_level level, const char *event, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	sm_log(level, event, key, text, NULL);
}

void sm_log_address(const struct sm_address *address, const char *zone, uint16_t port, char ret[SM_LOG_ADDRESS_MAX])
{
	bool is_ipv6 = address->family == SM_IPV6;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
	snprintf(ret, SM_LOG_ADDRESS_MAX, is_ipv6 ? "[%s%s%s]:%u" : "%s%s%s:%u", text, zone[0] ? "%" : "", zone, port);
}
