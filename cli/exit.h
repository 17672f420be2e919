/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How commands end. */
#pragma once

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_NO = 1,        /* no such name, a problem found, nothing matched */
	EXIT_USAGE = 2,     /* the command line is wrong */
	EXIT_NO_DAEMON = 3, /* no srvmeshd answers */
	EXIT_TRY_AGAIN = 4, /* no server could tell */
};
