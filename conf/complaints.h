/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Complaints: what is wrong with a configuration, for the caller to show. Loading goes on after a complaint, so that
 * all of them are reported. */
#pragma once

#include <stdint.h>

enum sm_complaint {
	SM_COMPLAINT_ERROR,   /* a part of the files is not used */
	SM_COMPLAINT_WARNING, /* it is used, but may not do what was meant */
};

struct sm_complaints {
	/* `text` is FILE:LINE: KEY: what is wrong; what was expected. NULL: complaints are dropped. */
	void (*hear)(void *context, enum sm_complaint kind, const char *text);
	void *context;
	uint32_t n_errors; /* counted by sm_complain; set it to 0 first */
};

/* `line` 0: the complaint concerns the whole file. */
void sm_complain(struct sm_complaints *complaints, enum sm_complaint kind, const char *path, uint32_t line,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
