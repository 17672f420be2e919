/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's log: one line for each event on stderr, logfmt or JSON. */
#pragma once

#include "conf/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void sm_log_setup(enum sm_log_level level, enum sm_log_format format);

#define SM_LOG_PAIRS_MAX 12
#define SM_LOG_WHAT_MAX 704

/* Keys and values, which follow each other. */
struct sm_log_pairs {
	uint32_t n; /* of both */
	const char *fields[2 * SM_LOG_PAIRS_MAX + 2];
	size_t used;
	char room[640]; /* of values that are spelled */
};

/* What happens so often that its pairs are made only where somebody reads them. */
struct sm_log_matter {
	void (*spell)(const void *what, struct sm_log_pairs *ret); /* by sm_log_spell */
	const void *what; /* may be copied, and kept; without pointers to what ends */
	size_t size;      /* at most SM_LOG_WHAT_MAX */
};

/* `hear` gets every event, of all levels, whatever the log writes; it must not log. */
struct sm_log_event {
	enum sm_log_level level;
	const char *event;
	const struct sm_log_matter *matter; /* NULL: the pairs are here */
	const struct sm_log_pairs *pairs;
};
void sm_log_follow(void (*hear)(void *context, const struct sm_log_event *event), void *context);
enum sm_log_level sm_log_level(void);
void sm_log_set_level(enum sm_log_level level);
const char *sm_log_word(enum sm_log_level level);

/* `event` says what happened; then follow pairs of a key ([a-z_]+) and a value (any text), and NULL. */
void sm_log(enum sm_log_level level, const char *event, ...) __attribute__((sentinel));
/* For what anybody's names, servers or requests may bring about, however often: the log has a line of the event and the value of
 * its first pair once a second at most, and above the level of debugging twenty of the event; its next line says how many were
 * `left_out`. Who follows hears all. */
void sm_log_rarely(enum sm_log_level level, const char *event, ...) __attribute__((sentinel));
/* As sm_log_rarely. */
void sm_log_matter(enum sm_log_level level, const char *event, const struct sm_log_matter *matter);
/* Adds a pair; of a value that has no room, as much as has. */
void sm_log_spell(struct sm_log_pairs *pairs, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As sm_log, with one value, which is a number. */
void sm_log_number(enum sm_log_level level, const char *event, const char *key, uint64_t number);
