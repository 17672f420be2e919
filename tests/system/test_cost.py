# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of a hit in instructions, which noise does not affect: at most the measured value and a margin."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import PROBE, Daemon, Knot, Lab, Tap, need  # noqa: E402
from stores import Store, make_key  # noqa: E402

ZONE = """
_one._tcp SRV 0 1 80 a
_four._tcp SRV 0 1 80 a
_four._tcp SRV 0 1 80 b
_four._tcp SRV 0 1 80 c
_four._tcp SRV 0 1 80 d
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
d A 127.0.0.14
"""
METADATA = "".join(f'{host} TXT "version=2" "zone=eu"\n' for host in "abcd")
# instructions of one call of the module, measured on x86-64 with gcc 12 -O2, plus a fifth
BOUNDS = {"a hit in the host map, one address": (2750, "one.mesh", True),
          "a hit in the host map, four addresses": (4700, "four.mesh", True),
          "a hit in the memory of the process, one address": (2500, "one.mesh", False),
          "a foreign name": (450, "localhost", True)}


def instructions(lab, name, lookups, function="_nss_srvmesh_gethostbyname4_r", **more):
    _, _, errors = lab.run(need("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           f"--toggle-collect={function}", PROBE, "draws", str(lookups), name,
                           PROBE_HOSTS="srvmesh files", **more)
    found = re.search(r"Collected : (\d+)", errors)
    return int(found.group(1)) if found else 0


def whole(lab):
    """Of one getaddrinfo call for four targets, all glibc's own included."""
    return (instructions(lab, "four.mesh", 1010, "getaddrinfo") - instructions(lab, "four.mesh", 10, "getaddrinfo")) / 1000


def main():
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        domain = f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n"
        daemon = Daemon(lab, domain)
        alone = lab.file("alone.conf", domain)
        for name in ("one.mesh", "four.mesh"):
            lab.probe("gai", "unspec", name)
        for what, (bound, name, has_daemon) in BOUNDS.items():
            more = {} if has_daemon else {"SRVMESH_CONF": alone}
            cost = (instructions(lab, name, 1010, **more) - instructions(lab, name, 10, **more)) / 1000
            tap.check(f"{what} costs at most {bound} instructions", 0 < cost <= bound, cost)
            print(f"# {cost:.0f} instructions")
        plain = whole(lab)
        alone = instructions(lab, "one.mesh", 1000)
        with Store(lab) as store:
            daemon.config(f"{domain}[shared]\nservers = 127.0.0.1:{store.port}\nkey = {make_key(lab)}\n")
            daemon.signal(signal.SIGHUP)
            shared = instructions(lab, "one.mesh", 1000)
        tap.check("a hit costs the same on a host that shares", abs(shared - alone) <= 0.01 * alone, shared, alone)
        daemon.stop()
        knot.change(ZONE + METADATA)
        daemon.config(domain + "filter = version=2\nprefer = zone=eu\n")
        daemon.start()
        lab.probe("gai", "unspec", "four.mesh")
        judged = whole(lab)
        tap.check("a call of getaddrinfo with a filter and a preference costs at most 3.5 % more", judged <= 1.035 * plain,
                  judged, plain)
        print(f"# {judged / plain:.3f}")
        daemon.stop()
    tap.finish()


main()
