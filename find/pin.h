/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The target whose port a thread got last, kept for that thread, so that the hosts lookup that follows gives
 * addresses of the same target: glibc looks up the service first, then the host, in one thread. One name for each
 * thread. */
#pragma once

#include "base/status.h"
#include "mesh/choose.h"

#define SM_PIN_NS (10 * 1000000000LL) /* at most, between getservbyname and its gethostbyname */

/* SM_EXHAUSTED: the pin cannot be kept; the caller must not give out the port then. */
enum sm_status sm_pin_set(const struct sm_name *name, const struct sm_pin *pin, int64_t now_ns) SM_MUST_CHECK;

/* The pin for a hosts lookup of these families; NULL: none, or it is already spent for them. Valid until the
 * thread's next sm_pin_set. */
const struct sm_pin *sm_pin_get(const struct sm_name *name, uint8_t families, int64_t now_ns);

/* Has the thread a pin for this name? `name` as it stands. */
bool sm_pin_is_of(const char *name);

/* The program has got its addresses of these families: later lookups draw again. */
void sm_pin_spend(const struct sm_name *name, uint8_t families);

/* The pinned target has no address of these families: the pin is spent for them, and the thread's next draw for the
 * name should take a target that has them. */
void sm_pin_miss(const struct sm_name *name, uint8_t families);
/* The families passed to sm_pin_miss; 0: none. */
uint8_t sm_pin_missed_families(const struct sm_name *name, int64_t now_ns);
