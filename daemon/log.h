/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's log: one line for each event on stderr, logfmt or JSON. */
#pragma once

#include "conf/keys.h"

void sm_log_setup(enum sm_log_level level, enum sm_log_format format);

/* `event` says what happened; then follow pairs of a key ([a-z_]+) and a value (any text), and NULL. */
void sm_log(enum sm_log_level level, const char *event, ...) __attribute__((sentinel));
/* The same with one value, which is a number. */
void sm_log_number(enum sm_log_level level, const char *event, const char *key, uint64_t number);

/* "127.0.0.1:53", "[::1]:53", "[fe80::1%eth0]:53", as a value; `zone` "": none. */
#define SM_LOG_ADDRESS_MAX 80
void sm_log_address(const struct sm_address *address, const char *zone, uint16_t port, char ret[SM_LOG_ADDRESS_MAX]);
