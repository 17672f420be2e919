/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/complaints.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define TEXT_MAX 768

void sm_complain(struct sm_complaints *complaints, enum sm_complaint kind, const char *path, uint32_t line,
                 const char *format, ...)
{
	char text[TEXT_MAX];
	size_t used;
	va_list arguments;
	int n;

	complaints->n_errors += kind == SM_COMPLAINT_ERROR;
	if (!complaints->hear)
		return;
	n = line > 0 ? snprintf(text, sizeof(text), "%s:%u: ", path, line) : snprintf(text, sizeof(text), "%s: ", path);
	used = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - used, format, arguments);
	va_end(arguments);
	complaints->hear(complaints->context, kind, text);
}
