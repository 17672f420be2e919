/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How commands end. */
#pragma once

enum exit_code { EXIT_GOOD = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };
