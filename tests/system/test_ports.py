# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports that belong to their addresses: `services: files srvmesh`, real programs, a real DNS server (Knot)."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import NO_NAMESPACES, Knot, Lab, Tap, follows, need  # noqa: E402

ZONE = """
_api._tcp SRV 10 50 8081 a
_api._tcp SRV 10 30 8082 b
_api._tcp SRV 10 20 8083 c
_twin._tcp SRV 0 1 9001 a
_twin._tcp SRV 0 1 9002 a
_mixed._tcp SRV 0 1 9001 a
_mixed._tcp SRV 0 1 9002 six
_mixed._tcp SRV 0 1 9003 both
_apart._tcp SRV 0 1 9002 six
_apart._tcp SRV 9 1 9001 four
four A 127.0.0.15
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
six AAAA ::1
both A 127.0.0.14
both AAAA ::1
"""
API = {("127.0.0.11", "8081"): .5, ("127.0.0.12", "8082"): .3, ("127.0.0.13", "8083"): .2}
FAMILIES = {"inet": {("127.0.0.15", "9001")}, "inet6": {("::1", "9002")}}
MIXED = {("127.0.0.11", "9001"), ("::1", "9002"), ("127.0.0.14", "9003"), ("::1", "9003")}


def count(output):
    """Returns {(address, port): times} from the probe's output; any other output is a failure."""
    pairs = {}
    for line in output.splitlines():
        words = line.split()
        if words[1:] == ["failures"]:
            pairs["failures",] = int(words[0])
            continue
        if len(words) != 3:
            return {line: 1}
        pairs[words[0], words[1]] = pairs.get((words[0], words[1]), 0) + int(words[2])
    return pairs


def pairs(tap, lab):
    good, seen = follows(API, lambda: count(lab.probe("pairs", 10000, "api.mesh", "stream")))
    tap.equal("of 10,000 calls, and children between them, every pair is one of the zone", set(seen), set(API))
    tap.check("and the pairs follow the weights 50/30/20", good, seen)
    seen = count(lab.probe("pairs", 2000, "api.mesh", "any"))
    tap.equal("so is every pair with ai_socktype 0", set(seen), set(API))
    seen = count(lab.probe("pairs-in-threads", 16, "api.mesh"))
    tap.equal("and in 16 threads at once", set(seen), set(API))
    seen = count(lab.probe("pairs", 600, "twin.mesh", "stream"))
    tap.equal("two ports at one address are both drawn", set(seen), {("127.0.0.11", "9001"), ("127.0.0.11", "9002")})
    seen = count(lab.probe("pairs", 600, "mixed.mesh", "stream"))
    tap.check("targets of different families keep their ports", set(seen) <= MIXED and len(seen) >= 3, seen)
    for family, expected in FAMILIES.items():
        seen = count(lab.probe("pairs", 3, "apart.mesh", family))
        tap.check(f"a target without {family} is missed once, and another drawn then", expected <= set(seen) and
                  set(seen) <= expected | {("failures",)}, seen)
    tap.equal("every buffer length is respected", lab.probe("service-buffers", "api.mesh"), "fits from some size on")


def serve(address):
    listener = socket.create_server((address, 0))
    port = listener.getsockname()[1]

    def loop():
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(f"{address} {port}\n".encode())

    threading.Thread(target=loop, daemon=True).start()
    return port


def programs(tap, lab):
    ports = {port for _, port in API}
    _, output, _ = lab.run("getent", "-s", "services:srvmesh", "services", "api.mesh/tcp")
    tap.check("getent services shows a port of the zone",
              output.split()[:1] == ["api.mesh"] and output.split()[1].split("/")[0] in ports, output)
    _, output, _ = lab.host(need("python3"), "-c", "import socket; print(socket.getservbyname('api.mesh', 'tcp'))")
    tap.check("python3's socket.getservbyname too", output in ports, output)
    _, output, _ = lab.host(need("python3"), "-c",
                            "import socket; print(*socket.getaddrinfo('api.mesh', 'api.mesh', type=1)[0][4])")
    tap.check("python3's getaddrinfo gives a pair of the zone", tuple(output.split()) in API, output)
    _, output, _ = lab.host(need("python3"), "-c", "import socket; print(socket.getservbyname('http', 'tcp'))")
    tap.equal("services of /etc/services stay as they are", output, "80")
    wrong = []
    for _ in range(20):
        _, output, errors = lab.host(need("socat"), "-u", "TCP:live.mesh:live.mesh", "-")
        if tuple(output.split()) not in programs.live:
            wrong.append(output + errors)
    tap.check("socat connects to name and port of one target, 20 times", not wrong, *wrong)


def main():
    tap = Tap()
    programs.live = {(address, str(serve(address))) for address in ("127.0.0.11", "127.0.0.12", "127.0.0.13")}
    zone = ZONE + "".join(f"_live._tcp SRV 0 1 {port} {'abc'[int(address[-1]) - 1]}\n" for address, port in programs.live)
    with Lab() as lab:
        knot = Knot(lab, zone)
        for answers in ("ordered", "one", "all"):
            lab.file("srvmesh.conf", f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nanswers = {answers}\n")
            print(f"# answers = {answers}")
            pairs(tap, lab)
        if lab.can_be_a_host():
            programs(tap, lab)
        else:
            tap.skip("unchanged programs by nsswitch.conf", NO_NAMESPACES)
    tap.finish()


main()
