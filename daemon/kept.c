/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/kept.h"

#include "base/clock.h"

#include <stdlib.h>

#define SHARE 20

const char *sm_kept_text(struct sm_kept_text *kept, int64_t now_ns)
{
	return now_ns < kept->until_ns ? kept->text : NULL;
}

const char *sm_kept_put(struct sm_kept_text *kept, char *text, size_t size, int64_t began_ns)
{
	int64_t now_ns = sm_clock_now_ns();

	free(kept->text);
	kept->text = text;
	kept->size = size;
	kept->until_ns = now_ns + SHARE * (now_ns - began_ns);
	return text;
}
