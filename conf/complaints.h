/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who hears what is wrong with a configuration. Loading goes on behind a complaint, so that all of them are heard. */
#pragma once

#include <stdint.h>

enum sm_complaint {
	SM_COMPLAINT_ERROR,   /* something of the files does not count */
	SM_COMPLAINT_WARNING, /* it counts, and may still not do what was meant */
};

struct sm_complaints {
	/* FILE:LINE: KEY: what is wrong; what was expected. NULL: nobody. */
	void (*hear)(void *context, enum sm_complaint kind, const char *text);
	void *context;
	uint32_t n_errors; /* counted here, to begin with 0 */
};

/* `line` 0: of the file as a whole. */
void sm_complain(struct sm_complaints *complaints, enum sm_complaint kind, const char *path, uint32_t line,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
