/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop: libuv. srvmeshd has one thread and one loop; nothing blocks but commits to memory. */
#pragma once

#include <uv.h>
