#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The messages of configure for an archive of c-ares that cannot be used.
place=$(mktemp -d) || exit 99
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 99

# configured SENTENCE PATTERN ARCHIVE
n=0
configured() {
	n=$((n + 1))
	if said=$("$srcdir/configure" --quiet CARES_ARCHIVE="$3" 2>&1); then
		echo "not ok $n - $1"
	elif printf '%s\n' "$said" | grep -q "$2"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$said" | sed 's/^/# /'
	fi
}

echo 'int ares_init_options(void); int ares_init_options(void) { return 0; }' >one.c
gcc -flto -c one.c && gcc-ar rcs lto.a one.o || exit 99
printf 'BC\300\336 bitcode of another compiler' >bitcode.o && ar rcSD bitcode.a bitcode.o || exit 99
gcc -mcmodel=large -fno-pic -fno-pie -O0 -c -x c - -o text.o <<'C' && ar rcs text.a text.o || exit 99
int counter; int ares_init_options(void); int ares_init_options(void) { return ++counter; }
C
echo 1..4
configured "a missing archive is told, with what to install" "libcares.a is missing: install libc-ares-dev" "$place/none.a"
configured "one of LTO objects is refused: its calls could not be confined" "an archive of plain objects" "$place/lto.a"
configured "one that is not machine code is refused" "an archive of plain objects" "$place/bitcode.a"
configured "one that cannot be in a shared object is refused" "build c-ares with -fPIC" "$place/text.a"
