# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stack that the plugin takes of its host, on every path and with the largest answer: helpers of getaddrinfo_a have
64 KiB in all. tests/check-stack.sh bounds each frame."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import IS_SANITIZED, Daemon, Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

LONG = ".".join(["a" * 50] * 4)
TARGETS = 256
BOUND = 24 * 1024


def serve():
    """The largest answer: 256 targets with long names and an address of each family, all of them glue by TCP."""
    server = Server()
    for i in range(TARGETS):
        target = f"t{i}.{LONG}.mesh." if i < 60 else f"t{i}.mesh."
        server.add(f"_large._tcp.mesh. 60 SRV 0 1 {i + 1} {target}")
        server.add(f"{target} 60 A 127.1.{i}.1")
        server.add(f"{target} 60 AAAA fd00::{i:x}")
    server.add("_small._tcp.mesh. 60 SRV 0 1 1 s.mesh.")
    server.add("s.mesh. 60 A 127.0.0.1")
    server.start()
    return server


def depths(lab, name):
    return [int(word) for word in lab.probe("depth", 3, name).split()]


def main():
    tap = Tap()
    server = serve()
    text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nmax_answers = 64\n"
    with Lab() as lab:
        lab.file("srvmesh.conf", text)
        tap.equal("the largest answer is there", len(lab.probe("gai", "unspec", "large.mesh").split()), 64)
        for name in ("small.mesh", "large.mesh"):
            found = depths(lab, name)
            tap.check(f"{name}: loading and DNS, then twice from memory: at most 24 KiB each",
                      len(found) == 3 and 0 < min(found) and max(found) <= BOUND, found)
            print(f"# {name}, by itself: {found}")
    with Lab() as lab:
        Daemon(lab, text)
        for name in ("small.mesh", "large.mesh"):
            for how in ("through srvmeshd, then twice from the map", "three times from the map"):
                found = depths(lab, name)
                tap.check(f"{name}: {how}: at most 24 KiB each", len(found) == 3 and 0 < min(found) and max(found) <= BOUND, found)
                print(f"# {name}, {how}: {found}")
    server.stop()
    tap.finish()


if IS_SANITIZED:
    print("1..0 # SKIP not possible here: sanitizers enlarge every frame")
    sys.exit(0)
main()
