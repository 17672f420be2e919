/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log.h"

#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

static char text[4096];

/* The line written to stderr, from the level on, because the time before it differs each time. */
static const char *logged(enum sm_log_level level, const char *event, const char *key, const char *value)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	sm_log(level, event, key, value, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "level") ? strstr(text, "level") : "";
}

static void a_line_is_logfmt(void **state)
{
	(void)state;
	sm_log_setup(SM_LOG_INFO, SM_LOG_LOGFMT);
	assert_string_equal(logged(SM_LOG_INFO, "ready", "path", "/run/x"), "level=info event=ready path=/run/x\n");
	assert_string_equal(logged(SM_LOG_ERROR, "no map", "error", ""), "level=error event=\"no map\" error=\"\"\n");
	assert_memory_equal(text, "time=20", 7);
}

static void a_line_is_json(void **state)
{
	(void)state;
	sm_log_setup(SM_LOG_INFO, SM_LOG_JSON);
	assert_string_equal(logged(SM_LOG_WARNING, "x", "a", "say \"hi\"\\"),
	                    "level\":\"warning\",\"event\":\"x\",\"a\":\"say \\\"hi\\\"\\\\\"}\n");
	assert_memory_equal(text, "{\"time\":\"20", 11);
}

static void no_text_breaks_a_line(void **state)
{
	(void)state;
	sm_log_setup(SM_LOG_INFO, SM_LOG_LOGFMT);
	assert_string_equal(logged(SM_LOG_INFO, "x", "a", "b\nlevel=error \xff\x1b"),
	                    "level=info event=x a=\"b\\u000alevel=error \\u00ff\\u001b\"\n");
}

static void levels_above_are_silent(void **state)
{
	(void)state;
	sm_log_setup(SM_LOG_WARNING, SM_LOG_LOGFMT);
	sm_log(SM_LOG_INFO, "x", NULL);
	assert_string_equal(logged(SM_LOG_WARNING, "y", "a", "b"), "level=warning event=y a=b\n");
}

static void a_long_line_is_cut_and_whole(void **state)
{
	static char value[5000];

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	sm_log_setup(SM_LOG_INFO, SM_LOG_JSON);
	logged(SM_LOG_INFO, "x", "a", value);
	assert_true(strlen(text) <= 2048);
	assert_string_equal(text + strlen(text) - 4, "a\"}\n");
}

/* Many lines at once; what was written of them. */
static const char *logged_rarely(enum sm_log_level level, const char *event, int n, bool are_different)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t size;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", are_different ? i : 0);
		sm_log_rarely(level, event, "name", name, NULL);
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	size = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	text[size > 0 ? size : 0] = '\0';
	return text;
}

static int lines_of(const char *written)
{
	int n = 0;

	for (; *written; written++)
		n += *written == '\n';
	return n;
}

static void what_is_often_is_written_rarely(void **state)
{
	int n;

	(void)state;
	sm_log_setup(SM_LOG_DEBUG, SM_LOG_LOGFMT);
	assert_int_equal(lines_of(logged_rarely(SM_LOG_WARNING, "one subject", 100, false)), 1);
	n = lines_of(logged_rarely(SM_LOG_WARNING, "many subjects", 100, true));
	assert_in_range(n, 19, 20); /* two of the names may share a place */
	assert_in_range(lines_of(logged_rarely(SM_LOG_DEBUG, "many that were asked for", 30, true)), 28, 30);
	sleep(1);
	assert_non_null(strstr(logged_rarely(SM_LOG_WARNING, "one subject", 1, false), " name=n0 left_out=99\n"));
	sleep(1);
	assert_null(strstr(logged_rarely(SM_LOG_WARNING, "one subject", 1, false), "left_out"));
}

static int n_heard;

static void hear(void *context, const struct sm_log_event *event)
{
	(void)context;
	n_heard += event->pairs->n == 2;
}

static void who_follows_hears_all(void **state)
{
	(void)state;
	sm_log_setup(SM_LOG_INFO, SM_LOG_LOGFMT);
	sm_log_follow(hear, NULL);
	assert_int_equal(lines_of(logged_rarely(SM_LOG_INFO, "heard", 100, false)), 1);
	sm_log_follow(NULL, NULL);
	assert_int_equal(n_heard, 100);
}

static int n_spelled;

static void spell(const void *what, struct sm_log_pairs *ret)
{
	n_spelled++;
	sm_log_spell(ret, "name", "%s", (const char *)what);
	sm_log_spell(ret, "number", "%d", 7);
}

static const struct sm_log_matter *heard;

static void hear_matter(void *context, const struct sm_log_event *event)
{
	(void)context;
	heard = event->matter;
}

/* A subject of its own, which is written as if its pairs had been given. */
static void a_matter_is_spelled_where_it_is_read(void **state)
{
	const struct sm_log_matter matter = {spell, "a b", 4};
	struct sm_log_pairs pairs = {.n = 0};
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	sm_log_setup(SM_LOG_INFO, SM_LOG_LOGFMT);
	sm_log_follow(hear_matter, NULL);
	sm_log_matter(SM_LOG_DEBUG, "a matter", &matter);
	assert_int_equal(n_spelled, 0);
	assert_ptr_equal(heard, &matter);
	sm_log_setup(SM_LOG_DEBUG, SM_LOG_LOGFMT);
	sm_log_matter(SM_LOG_DEBUG, "a matter", &matter);
	sm_log_matter(SM_LOG_DEBUG, "a matter", &matter);
	sm_log_follow(NULL, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	text[n > 0 ? n : 0] = '\0';
	assert_int_equal(n_spelled, 2);
	assert_int_equal(lines_of(text), 1);
	assert_non_null(strstr(text, "level=debug event=\"a matter\" name=\"a b\" number=7\n"));
	for (int i = 0; i < SM_LOG_PAIRS_MAX; i++) /* a name is no longer than half of the room */
		sm_log_spell(&pairs, "name", "%0400d", i);
	assert_int_equal(pairs.n, 2 * SM_LOG_PAIRS_MAX);
	assert_int_equal(strlen(pairs.fields[1]), 400);
	assert_int_equal(strlen(pairs.fields[3]), sizeof(pairs.room) - 402);
	assert_string_equal(pairs.fields[5], "");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_matter_is_spelled_where_it_is_read),
	cmocka_unit_test(what_is_often_is_written_rarely),
	cmocka_unit_test(who_follows_hears_all),
	cmocka_unit_test(a_line_is_logfmt),
	cmocka_unit_test(a_line_is_json),
	cmocka_unit_test(no_text_breaks_a_line),
	cmocka_unit_test(levels_above_are_silent),
	cmocka_unit_test(a_long_line_is_cut_and_whole),
};

TESTS_MAIN(tests)
