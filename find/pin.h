/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread's memory of the target that it was given a port of, so that the hosts lookup that follows gives addresses of
 * the same target: glibc looks up the service first, then the host, in one thread. One name a thread. */
#pragma once

#include "base/status.h"
#include "mesh/choose.h"

#define SM_PIN_NS (10 * 1000000000LL) /* between getservbyname and the gethostbyname that belongs to it */

/* SM_MEMORY: it cannot be remembered; then the port must not be given either. */
enum sm_status sm_pin_set(const struct sm_name *name, const struct sm_pin *pin, int64_t now_ns) SM_MUST_CHECK;

/* The pin for a hosts lookup of these families; NULL: none, or they have had theirs. Until the next sm_pin_set of the
 * thread. */
const struct sm_pin *sm_pin_get(const struct sm_name *name, uint8_t families, int64_t now_ns);

/* The program has its addresses of these families: later lookups are drawn anew. */
void sm_pin_spend(const struct sm_name *name, uint8_t families);

/* The pinned target has none of these families: the pin is spent for them, and the thread's next draw for the name had
 * better be of them. */
void sm_pin_miss(const struct sm_name *name, uint8_t families);
/* The families of sm_pin_miss; 0: none. */
uint8_t sm_pin_missed(const struct sm_name *name, int64_t now_ns);
