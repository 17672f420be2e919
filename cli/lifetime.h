/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How old an answer is, who gave it, and how long it is kept: in words, and in JSON. */
#pragma once

#include "base/json.h"
#include "cli/inquiry.h"

/* "SRV", "A", "AAAA". */
const char *sm_lifetime_type(uint16_t type);
/* "fresh", "due", "stale", "old", "dead". */
const char *sm_lifetime_word(const struct sm_times *times, int64_t now_ns);
/* The words that a line begins with, and blanks up to what follows. */
void sm_lifetime_lead(const char *word);
/* A line: what was asked, where, when, how long it took; nothing where it is not known. */
void sm_lifetime_print_origin(const struct sm_inquiry *inquiry);
/* A line: "18 s more, then renewed while in use; stale until tomorrow 14:02 if DNS is silent". */
void sm_lifetime_print(const struct sm_inquiry *inquiry);
/* The members "state", "expires_in_ms", "stale_until", "age_ms", "origin". */
void sm_lifetime_write(const struct sm_inquiry *inquiry, struct sm_json *json);
