# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: lifetimes in the host map."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab, need, PROBE  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def lifetimes(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        for _ in range(20):
            lab.probe("gai", "unspec", "zero.mesh")
        tap.check("a TTL of 0 lives for min_ttl", daemon.status()["jobs"] <= 3, daemon.status())
        lab.probe("gai", "unspec", "api.mesh")
        before = daemon.status()["requests"]
        for shift in ("+10y", "-10y"):
            _, output, errors = lab.run(need("faketime"), "-f", shift, PROBE, "gai", "unspec", "api.mesh",
                                             DONT_FAKE_MONOTONIC="1")
            tap.equal(f"with the wall clock at {shift} a hit is a hit", sorted_words(output), API)
        tap.equal("and nobody asks", daemon.status()["requests"], before)
        lab.probe("gai", "unspec", "short.mesh")
        time.sleep(2.2)
        before = daemon.status()["requests"]
        lab.run(need("faketime"), "-f", "-10y", PROBE, "gai", "unspec", "short.mesh", DONT_FAKE_MONOTONIC="1")
        tap.equal("nor does it keep anything alive", daemon.status()["requests"], before + 1)
    server.stop()


if __name__ == "__main__":
    play(lifetimes)
