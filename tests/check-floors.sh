#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The folders form layers: a folder includes only headers of lower layers, folders of one layer do not include each
# other, and some foreign headers may be included in one folder only.
cd "$srcdir" || exit 99

floor_of() {
	case $1 in
	base) echo 0 ;; mesh) echo 1 ;; wire) echo 2 ;; conf|cache|resolve|ipc|health|stream|tier) echo 3 ;; find) echo 4 ;;
	nss_srvmesh|daemon|cli|ports) echo 5 ;; *) echo 9 ;;
	esac
}

# report NUMBER SENTENCE COMPLAINTS
report() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; printf '%s\n' "$3" | sed 's/^/# /'; fi
}

rooms=$(for room in base mesh wire conf cache resolve ipc health stream tier find nss_srvmesh daemon cli ports; do [ -d "$room" ] && echo "$room"; done)

upward() {
	for room in $rooms; do
		grep -Hno '^#include "[a-z_]*/' "$room"/*.[ch] | while IFS=: read -r file line include; do
			target=${include#*\"}; target=${target%/}
			[ "$target" = "$room" ] && continue
			[ "$(floor_of "$target")" -lt "$(floor_of "$room")" ] || echo "$file:$line includes $target/"
		done
	done
}

# only_in HEADER FILE...
strangers() {
	header=$1; shift
	for room in $rooms; do grep -ln "^#include <$header>" "$room"/*.[ch]; done | while read -r file; do
		for allowed; do [ "$file" = "$allowed" ] && continue 2; done
		echo "$file includes <$header>"
	done
}

# Functions of more than 40 lines, and files of more than 500 that are no tables.
too_long() {
	for room in $rooms; do ls "$room"/*.c; done | while read -r file; do
		awk -v file="$file" '
			/^\{/ { start = FNR }
			/^\}/ { if (start && FNR - start - 1 > 40) print file ":" start ": a function of " FNR - start - 1 " lines"; start = 0 }
			END { if (FNR > 500 && file != "conf/keys.c") print file ": " FNR " lines" }' "$file"
	done
}

echo 1..16
report 1 "includes run downwards only" "$(upward)"
report 2 "c-ares is known to resolve/channel.c alone" "$(strangers ares.h resolve/channel.c)"
report 3 "glibc's <nss.h> is known to nss_srvmesh/ alone, and to the command that asks dns" \
	"$(strangers nss.h nss_srvmesh/entry.h nss_srvmesh/fill.h nss_srvmesh/verdict.h cli/compare.c)"
report 4 "liblmdb is known to cache/environment.h alone, and that to the owner" \
	"$(strangers lmdb.h cache/environment.h; grep -l cache/environment.h ./*/*.[ch] | grep -vE 'cache/(environment|owner)\.c')"
report 5 "addresses of local sockets are known to base/sockaddr.h alone" "$(strangers sys/un.h base/sockaddr.h)"
report 6 "the event loop is known to daemon/loop.h alone" "$(strangers uv.h daemon/loop.h)"
report 7 "seccomp filters are known to daemon/seal.c alone" "$(strangers seccomp.h daemon/seal.c)"
report 8 "no room below the top prints, logs or exits" \
	"$(grep -nE '\b(printf|fprintf|puts|syslog|exit|_exit|abort|assert) ?\(' base/*.c mesh/*.c wire/*.c conf/*.c cache/*.c \
		resolve/*.c ipc/*.c health/*.c stream/*.c tier/*.c find/*.c nss_srvmesh/*.c)"
report 9 "the asker, the memory of servers and that of endpoints have no transport, and read neither clock nor chance" \
	"$(grep -nE 'channel\.h|sm_clock_|sm_random_(fill|draw)' resolve/asker.[ch] resolve/try.[ch] \
		resolve/servers.[ch] resolve/outlook.[ch] resolve/table.[ch] health/health.[ch])"
report 10 "no function has more than 40 lines, no file more than 500" "$(too_long)"
report 11 "the kernel's lists of connections are known to health/connections.c alone" \
	"$(strangers linux/inet_diag.h health/connections.c)"
report 12 "health/, stream/ and tier/ are the daemon's alone, and the model of a fleet's" \
	"$(grep -lE '^#include "(health|stream|tier)/' ./*/*.[ch] | grep -vE '^\./(health|stream|tier|daemon)/|^\./bench/fleet\.c')"
report 13 "libcrypto is known to tier/seal.c alone" "$(grep -l '^#include <openssl/' ./*/*.[ch] | grep -vx ./tier/seal.c)"
report 14 "tier/ has no socket, and reads neither clock nor chance" \
	"$(grep -nE 'sm_clock_|sm_random_(fill|draw)|<sys/socket|<unistd' tier/*.[ch])"
report 15 "libsmartcols is known to cli/sheet.c alone" "$(strangers libsmartcols.h cli/sheet.c)"
report 16 "static probes are known to base/usdt.h alone" "$(strangers sys/sdt.h base/usdt.h)"
