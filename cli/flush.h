/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh cache flush: what is to be flushed, and what became of it. */
#pragma once

#include "cli/exit.h"
#include "ipc/frame.h"

/* The words behind "cache". false: they are no flush. */
bool sm_flush_read_words(char **words, struct sm_request *ret);

/* Prints srvmeshd's text (daemon/flush.h). Where all hosts were to be flushed, EXIT_NO says that only this one was. */
enum exit_code sm_flush_print(const char *text, size_t size);
enum exit_code sm_flush_print_everywhere(const char *text, size_t size);
