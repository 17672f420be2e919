#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ./dev demo: the plugin at work with unchanged programs, a real DNS server and real web servers. Everything runs in
# its own namespaces if the system allows them, uses only loopback, and ends with this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
mode=${2:-}

# knotd, knotc and ip are in directories that are not in an ordinary user's PATH
PATH=$PATH:/usr/sbin:/sbin
export PATH

bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say() { printf '%s\n' "$*"; }

namespaces="unshare --mount --net --pid --fork --kill-child --mount-proc"
if [ -z "$mode" ]; then
	if [ "$(id -u)" = 0 ] && $namespaces true 2>/dev/null; then
		exec $namespaces sh "$here/demo.sh" "$build" "host of its own (mount, network and process namespace, as root)"
	elif $namespaces --map-root-user true 2>/dev/null; then
		exec $namespaces --map-root-user sh "$here/demo.sh" "$build" "host of its own (user namespace, without root)"
	fi
	mode="getent -s (no namespaces to be had here)"
fi

work=$(mktemp -d)
chmod 755 "$work"
pids=
finish() {
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	for pid in $pids; do wait "$pid" 2>/dev/null || :; done
	[ -z "${bound:-}" ] || umount /etc/nsswitch.conf /run 2>/dev/null || :
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

case $mode in
getent*)
	getent_words="-s hosts:srvmesh"
	run=$work/run
	port=$(python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	;;
*)
	getent_words=
	port=8600
	ip link set lo up
	mount -t tmpfs -o mode=755 tmpfs /run
	run=/run/srvmesh
	sed '/^hosts:/d' /etc/nsswitch.conf >"$work/nsswitch.conf"
	sed -i '/^services:/d' "$work/nsswitch.conf"
	echo 'hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns' >>"$work/nsswitch.conf"
	echo 'services: files srvmesh' >>"$work/nsswitch.conf"
	mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf
	bound=yes
	;;
esac
# a copy, because other users run it too and may not be able to read the source tree
mkdir "$work/lib"
cp "$build/libnss_srvmesh.so.2" "$work/lib"
export LD_LIBRARY_PATH="$work/lib" SRVMESH_CONF="$work/srvmesh.conf" PYTHONDONTWRITEBYTECODE=1

zone() {
	serial=$((${serial:-0} + 1))
	cat >"$work/mesh.zone.new" <<END
\$ORIGIN mesh.
\$TTL ${ttl:-1}
@         SOA ns host $serial 60 60 60 1
@         NS  ns
ns        A   127.0.0.1
a         A   127.0.0.11
b         A   127.0.0.12
c         A   127.0.0.13
$1
END
	mv "$work/mesh.zone.new" "$work/mesh.zone"
}
record_a='_api._tcp SRV 10 60 8080 a'
record_b='_api._tcp SRV 10 30 8080 b'
record_c='_api._tcp SRV 10 10 8080 c'
newline='
'

configure() {
	printf '[domain mesh]\nservers = 127.0.0.1:%s\n[cache]\ndirectory = %s\n[daemon]\nsocket = %s/socket\n' \
		"$port" "$run" "$run" >"$work/srvmesh.conf.new"
	mv "$work/srvmesh.conf.new" "$work/srvmesh.conf"
}

# The demo ends if a step fails.
die() {
	printf '\n./dev demo: %s\n' "$*" >&2
	[ ! -s "$work/srvmeshd.log" ] || sed 's/^/srvmeshd: /' "$work/srvmeshd.log" >&2
	exit 1
}
# run CODE PATTERN COMMAND...: shows the output, which must match the pattern (an extended regular expression)
run() {
	code=$1 pattern=$2 got=0
	shift 2
	printf '\033[36m$ %s\033[0m\n' "$*"
	"$@" >"$work/output" 2>&1 || got=$?
	cat "$work/output"
	[ "$got" = 0 ] || say "(exit code $got)"
	[ "$got" = "$code" ] || die "$1 ended with $got, expected $code"
	{ tr '\n' ' ' <"$work/output"; echo; } | grep -qE "$pattern" || die "expected to see $pattern"
}
lookup() { getent $getent_words ahosts "$1"; }

bold "srvmesh: service names for every program of a host"
say "mode: $mode"
zone "$record_a$newline$record_b$newline$record_c"
configure
cat >"$work/knot.conf" <<END
server:
    rundir: $work
    listen: 127.0.0.1@$port
database:
    storage: $work
control:
    listen: $work/knot.sock
template:
  - id: default
    global-module: mod-stats
zone:
  - domain: mesh
    storage: $work
    file: mesh.zone
    zonefile-sync: -1
    journal-content: none
log:
  - target: stderr
    any: error
END
knotd -c "$work/knot.conf" &
knot=$!
pids="$pids $knot"
for last in 11 12 13; do
	mkdir "$work/$last"
	echo "hello from 127.0.0.$last:8080" >"$work/$last/index.html"
	python3 -m http.server --bind "127.0.0.$last" --directory "$work/$last" 8080 >"$work/web.log" 2>&1 &
	pids="$pids $!"
done
for last in 11 12 13; do
	for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		! curl -s --max-time 1 "http://127.0.0.$last:8080/" >/dev/null || break
		sleep 0.2
	done
done
# each try is a new process, which has no cached answer of the last one
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	! lookup api.mesh >/dev/null 2>&1 || break
	sleep 0.3
done

bold "1. A real DNS server (Knot, port $port) serves this"
printf '%s\n' "$record_a" "$record_b" "$record_c" | sed 's/^/   /'
say "   and three web servers listen on 127.0.0.11, .12 and .13, port 8080."
if [ -z "$getent_words" ]; then
	say "   nsswitch.conf says: hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns"
	say "                       services: files srvmesh"
fi

bold "2. Unchanged programs resolve api.mesh to the addresses of its SRV targets"
run 0 '127\.0\.0\.1[123] ' getent $getent_words ahosts api.mesh
if [ -z "$getent_words" ]; then
	run 0 'hello from 127\.0\.0\.1[123]:8080' curl -s --max-time 5 http://api.mesh:8080/
	run 0 '127\.0\.0\.11.*127\.0\.0\.12.*127\.0\.0\.13' python3 -c "import socket; print(sorted({a[4][0] for a in socket.getaddrinfo('api.mesh', 8080)}))"
	if command -v node >/dev/null; then
		run 0 '127\.0\.0\.11.*127\.0\.0\.12.*127\.0\.0\.13' node -e "require('dns').lookup('api.mesh', {all: true}, (e, a) => console.log(e || a.map(x => x.address).sort()))"
	fi
else
	say "(curl, python3 and node need the hosts line, and so namespaces)"
fi

bold "3. Weights: 300 lookups, each by a process of its own; glibc's sorting does not undo them (answers = ordered)"
i=0
while [ $i -lt 300 ]; do
	lookup api.mesh | head -n 1
	i=$((i + 1))
done >"$work/firsts"
awk '
	{ count[$1]++ }
	END {
		split("127.0.0.11 127.0.0.12 127.0.0.13", address); split("60 30 10", weight)
		print "   target       weight  lookups"
		for (i = 1; i <= 3; i++) {
			bar = ""
			for (n = 0; n < count[address[i]] / 5; n++) bar = bar "#"
			printf "   %-12s %5d%%  %3d = %4.1f%%  %s\n", address[i], weight[i], count[address[i]], count[address[i]] / 3, bar
			missing += count[address[i]] < 300 * weight[i] / 100 / 4
		}
		exit NR != 300 || missing
	}' "$work/firsts" || die "300 lookups, and not by weight"

bold "4. One target is taken out of the zone; the next lookups go without it"
zone "$record_b$newline$record_c"
knotc -b -s "$work/knot.sock" zone-reload mesh >/dev/null
say "   the zone now:"
printf '%s\n' "$record_b" "$record_c" | sed 's/^/   /'
attempt=0
while lookup api.mesh | grep -q '127\.0\.0\.11 ' && [ $attempt -lt 20 ]; do sleep 0.1; attempt=$((attempt + 1)); done
run 0 '^(127\.0\.0\.1[23] +[A-Z]+[^1]*)+$' getent $getent_words ahosts api.mesh
bold "5. Ports come from SRV too, where a program asks for a service by name"
run 0 'api\.mesh +8080/tcp' getent $(printf %s "$getent_words" | sed s/hosts/services/) services api.mesh/tcp
if [ -z "$getent_words" ]; then
	run 0 '^8080 ' python3 -c "import socket; print(socket.getservbyname('api.mesh', 'tcp'))"
	say "   socat is given no port but the name:"
	printf 'GET / HTTP/1.0\r\n\r\n' >"$work/request"
	run 0 'hello from' sh -c 'socat -t 2 "STDIN!!STDOUT" TCP:api.mesh:api.mesh <"$0" | sed -n "/^hello/p"' "$work/request"
fi
say "   (a URL with a port in it, http://api.mesh:8080/, uses that port and no other)"
bold "6. What does not exist is told at once; other names are left to the other modules"
run 2 '^$' getent $getent_words hosts nothing.mesh
# very small systems have no /etc/hosts
[ -n "$getent_words" ] || ! grep -qsw localhost /etc/hosts || run 0 'localhost' getent hosts localhost
bold "7. Until now every process asked DNS by itself. From here on srvmeshd does, once for all of them"
# "_brief" is for section 8
ttl=600
zone "$record_b$newline$record_c$newline"'_brief._tcp 1 SRV 10 1 8080 b'
knotc -b -s "$work/knot.sock" zone-reload mesh >/dev/null
"$build/srvmeshd" --foreground --config "$work/srvmesh.conf" 2>"$work/srvmeshd.log" &
daemon=$!
pids="$pids $daemon"
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	! "$build/srvmesh" status >/dev/null 2>&1 || break
	sleep 0.2
done
other_user=
[ -n "$getent_words" ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null ||
	other_user="setpriv --reuid=65534 --regid=65534 --clear-groups"

questions() {
	knotc -b -s "$work/knot.sock" stats mod-stats.request-protocol | awk -F '= ' '{ n += $2 } END { print n + 0 }'
}
hundred_processes() {
	i=0
	while [ $i -lt 100 ]; do
		$other_user getent $getent_words ahosts api.mesh | head -n 1
		i=$((i + 1))
	done | awk '$1 ~ /^127\.0\.0\.1/ { n++ } END { print "   " n + 0 " of 100 processes found it"; exit n != 100 }' ||
		die "not every process found it"
}
# counted LEAST MOST COMMAND...
counted() {
	before=$(questions) least=$1 most=$2
	shift 2
	"$@"
	asked=$(($(questions) - before))
	say "   questions that the DNS server saw: $asked"
	[ "$asked" -ge "$least" ] && [ "$asked" -le "$most" ] || die "expected $least to $most questions"
}
say "   the first process:"
counted 1 9 run 0 '127\.0\.0\.1[23] ' getent $getent_words ahosts api.mesh
say "   a hundred processes after it${other_user:+, of another user}:"
counted 0 0 hundred_processes
lookup brief.mesh >/dev/null || die "brief.mesh is not found"
ls -l "$run" | sed 1d
bold "8. The DNS server dies; answers go on, and past their TTL (brief.mesh has one second)"
kill "$knot" && wait "$knot" 2>/dev/null || :
sleep 2
run 0 '127\.0\.0\.12 ' getent $getent_words ahosts brief.mesh
bold "9. srvmeshd is killed; what is in the map goes on"
kill -9 "$daemon" && wait "$daemon" 2>/dev/null || :
run 0 '127\.0\.0\.1[23] ' getent $getent_words ahosts api.mesh
run 0 '127\.0\.0\.12 ' getent $getent_words ahosts brief.mesh
bold "That was srvmesh. Everything started for it has been ended."
