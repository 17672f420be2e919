# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: programs without descriptors, memory or time."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab, NO_NAMESPACES  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def odd_hosts(tap):
    server = serve()
    with Lab() as lab:
        Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("among a stranger's descriptors, and after closefrom", sorted_words(lab.guest("descriptors", "api.mesh")),
                  API)
        tap.equal("forks with lookups on both sides", lab.probe("forks", 300, "api.mesh"), "0 failures")
        tap.equal("64 threads", lab.probe("threads", 64, "api.mesh"), "0 failures")
        tap.equal("a stack of 64 KiB", lab.probe("stack", "api.mesh"), "found")
        tap.equal("a stack of 64 KiB, for a miss", lab.probe("stack", "two.mesh"), "found")
        tap.equal("without descriptors 0 to 2", lab.probe("closed", "api.mesh"), "found, descriptors 0 to 2 still closed")
        tap.equal("... for a miss", lab.probe("closed", "short.mesh"), "found, descriptors 0 to 2 still closed")
        if os.geteuid() == 0:
            os.mkdir(os.path.join(lab.path, "jail"))
            tap.equal("after a chroot to a place without /run",
                      lab.guest("chroot", os.path.join(lab.path, "jail"), "two.mesh"), "127.0.0.11")
        else:
            tap.skip("after a chroot to a place without /run", NO_NAMESPACES)
    server.stop()


if __name__ == "__main__":
    play(odd_hosts)
