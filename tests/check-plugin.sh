#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The symbols that the plugin exports, and what it needs from the program.
plugin=$builddir/libnss_srvmesh.so.2
dynamic=$(readelf -dW "$plugin") || exit 99
exported=$(nm -D --defined-only "$plugin" | awk '{ print $3 }' | sort | tr '\n' ' ')
# a sanitizer's library belongs to the instrumented build, not to the plugin
needed=$(printf '%s\n' "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^lib(asan|ubsan|tsan)\.' | tr '\n' ' ')

# report NUMBER SENTENCE GOT EXPECTED
report() {
	if [ "$3" = "$4" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; echo "# got '$3', expected '$4'"; fi
}

echo 1..8
report 1 "the plugin exports its entry points and nothing else" "$exported" \
	"_nss_srvmesh_gethostbyname2_r _nss_srvmesh_gethostbyname3_r _nss_srvmesh_gethostbyname4_r _nss_srvmesh_gethostbyname_r _nss_srvmesh_getservbyname_r "
report 2 "the plugin needs libc alone" "$needed" "libc.so.6 "
report 3 "its name is the one glibc asks for" \
	"$(printf '%s\n' "$dynamic" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')" "libnss_srvmesh.so.2"
report 4 "it is never unloaded, and bound at once" \
	"$(printf '%s\n' "$dynamic" | grep -c 'NOW NODELETE')" 1
report 5 "it has no thread-local storage, which could fail when it is loaded late" \
	"$(readelf -lW "$plugin" | grep -c ' TLS ')" 0
report 6 "it has no text relocations and no executable stack" \
	"$(printf '%s\n' "$dynamic" | grep -c TEXTREL)$(readelf -lW "$plugin" | grep GNU_STACK | grep -c RWE)" 00
# c-ares may have it in parts that are not called; environment.o is srvmeshd's
report 7 "our code in it does not sort with qsort, which asks the kernel for the size of the memory" \
	"$(nm -A "$builddir/libsrvmesh.a" 2>/dev/null | grep ' U qsort' | grep -v 'environment\.o:')" ""
# nss_srvmesh/segments.ld, where the linker took it
most=2
grep -q '^SEGMENTS_LDFLAGS = .*segments' "$builddir/Makefile" && most=1
report 8 "what is only read stands in one segment, and what is executable cannot be written" \
	"$(readelf -lW "$plugin" | awk -v most=$most '$1 == "LOAD" { flags = $7 $8; sub(/0x.*/, "", flags); n[flags]++ }
		END { print (n["R"] <= most), (n["RWE"] > 0) }')" "1 0"
