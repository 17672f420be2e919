/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins, behind one pthread key. If there is no memory for it, it returns an error, which __thread storage of a
 * module that is loaded late cannot do. */
#include "find/pin.h"

#include "base/forkzero.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct pinned {
	struct sm_name name;
	struct sm_pin pin;
	int64_t set_ns;
	uint8_t spent_families, missed_families;
};

SM_BESIDE_DATA static _Atomic unsigned key_plus_one; /* 0: not created yet */

static enum sm_status make_key(void)
{
	unsigned none = 0;
	pthread_key_t key;

	if (atomic_load(&key_plus_one))
		return SM_OK;
	if (pthread_key_create(&key, free) != 0)
		return SM_EXHAUSTED;
	if (!atomic_compare_exchange_strong(&key_plus_one, &none, key + 1))
		pthread_key_delete(key);
	return SM_OK;
}

static struct pinned *of_thread(void)
{
	unsigned key = atomic_load_explicit(&key_plus_one, memory_order_relaxed);

	return key ? pthread_getspecific(key - 1) : NULL;
}

enum sm_status sm_pin_set(const struct sm_name *name, const struct sm_pin *pin, int64_t now_ns)
{
	struct pinned *pinned;

	if (make_key() != SM_OK)
		return SM_EXHAUSTED;
	pinned = of_thread();
	if (!pinned) {
		pinned = malloc(sizeof(*pinned));
		if (!pinned || pthread_setspecific(key_plus_one - 1, pinned) != 0) {
			free(pinned);
			return SM_EXHAUSTED;
		}
	}
	*pinned = (struct pinned){.name = *name, .pin = *pin, .set_ns = now_ns};
	return SM_OK;
}

static struct pinned *pinned_for(const char *name)
{
	struct pinned *pinned = of_thread();

	return pinned && strcmp(pinned->name.text, name) == 0 ? pinned : NULL;
}

/* A pin from the future was set in another time namespace. */
static bool is_recent(const struct pinned *pinned, int64_t now_ns)
{
	return now_ns >= pinned->set_ns && now_ns - pinned->set_ns <= SM_PIN_NS;
}

const struct sm_pin *sm_pin_get(const struct sm_name *name, uint8_t families, int64_t now_ns)
{
	const struct pinned *pinned = pinned_for(name->text);

	if (!pinned || (pinned->spent_families & families) || !is_recent(pinned, now_ns))
		return NULL;
	return &pinned->pin;
}

bool sm_pin_is_of(const char *name)
{
	return pinned_for(name);
}

void sm_pin_spend(const struct sm_name *name, uint8_t families)
{
	struct pinned *pinned = pinned_for(name->text);

	if (pinned)
		pinned->spent_families |= families;
}

void sm_pin_miss(const struct sm_name *name, uint8_t families)
{
	struct pinned *pinned = pinned_for(name->text);

	sm_pin_spend(name, families);
	if (pinned)
		pinned->missed_families = families;
}

uint8_t sm_pin_missed_families(const struct sm_name *name, int64_t now_ns)
{
	const struct pinned *pinned = pinned_for(name->text);

	return pinned && is_recent(pinned, now_ns) ? pinned->missed_families : 0;
}
