#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The messages of configure for libraries that cannot be used.
place=$(mktemp -d) || exit 99
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 99

# configured SENTENCE PATTERN SETTING...
n=0
configured() {
	n=$((n + 1))
	sentence=$1 pattern=$2
	shift 2
	if said=$("$srcdir/configure" --quiet "$@" 2>&1); then
		echo "not ok $n - $sentence"
	elif printf '%s\n' "$said" | grep -q "$pattern"; then
		echo "ok $n - $sentence"
	else
		echo "not ok $n - $sentence"
		printf '%s\n' "$said" | sed 's/^/# /'
	fi
}

echo 'int ares_init_options(void); int ares_init_options(void) { return 0; }' >one.c
gcc -flto -c one.c && gcc-ar rcs lto.a one.o || exit 99
printf 'BC\300\336 bitcode of another compiler' >bitcode.o && ar rcSD bitcode.a bitcode.o || exit 99
gcc -mcmodel=large -fno-pic -fno-pie -O0 -c -x c - -o text.o <<'C' && ar rcs text.a text.o || exit 99
int counter; int ares_init_options(void); int ares_init_options(void) { return ++counter; }
C
mkdir lmdb1
printf '#define MDB_VERSION_MAJOR 1\n#define MDB_VERSION_MINOR 0\n' >lmdb1/lmdb.h
echo 1..5
configured "a missing archive is told, with what to install" "libcares.a is missing: install libc-ares-dev" CARES_ARCHIVE="$place/none.a"
configured "one of LTO objects is refused: its calls could not be confined" "an archive of plain objects" CARES_ARCHIVE="$place/lto.a"
configured "one that is not machine code is refused" "an archive of plain objects" CARES_ARCHIVE="$place/bitcode.a"
configured "one that cannot be in a shared object is refused" "build c-ares with -fPIC" CARES_ARCHIVE="$place/text.a"
configured "a liblmdb that writes another format is named" "of liblmdb 1.0, which writes another file format; expected 0.9" \
	CPPFLAGS="-I$place/lmdb1"
