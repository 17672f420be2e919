#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# No frame of the plugin is above 4 KiB: it runs on the stacks of its hosts. tests/system/test_stack.py measures whole paths.
cd "$srcdir" || exit 99

flags='-std=gnu11 -D_GNU_SOURCE -O2 -fPIC -fstack-protector-strong -Wstack-usage=4096 -I.'
complaints=$(for source in base/*.c mesh/*.c wire/*.c conf/*.c cache/*.c resolve/*.c ipc/*.c find/*.c nss_srvmesh/*.c; do
	gcc $flags -c "$source" -o /dev/null 2>&1 | grep 'stack usage'
done)
echo 1..2
if [ -z "$complaints" ]; then echo "ok 1 - no frame is above 4 KiB"; else
	echo "not ok 1 - no frame is above 4 KiB"; printf '%s\n' "$complaints" | sed 's/^/# /'; fi
printf 'int f(char *); int g(void); int g(void) { char b[5000]; return f(b); }\n' |
	gcc -xc $flags -c - -o /dev/null 2>&1 | grep -q 'stack usage' && echo "ok 2 - a frame that is would be named" ||
	echo "not ok 2 - a frame that is would be named"
