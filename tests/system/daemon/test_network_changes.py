# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: addresses that come and go."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab, need, NO_NAMESPACES  # noqa: E402
from system.daemon.stories import serve, config, CLONE_NEWNET, unshare, play  # noqa: E402


def fewest_answers(lab, name):
    return min(len(lab.probe("gai", "inet", name).split()) for _ in range(40))


def network_changes(tap):
    if os.geteuid() != 0:
        tap.skip("a network of its own", NO_NAMESPACES)
        return
    unshare(CLONE_NEWNET)
    ip = need("ip")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    server = serve("_near._tcp.mesh. 600 SRV 0 1 1 x.mesh.\n_near._tcp.mesh. 600 SRV 0 1 1 y.mesh.\n"
                   "x.mesh. 600 A 10.9.0.10\ny.mesh. 600 A 10.9.0.200\n")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("where no target can be reached, nothing is ranked apart", fewest_answers(lab, "near.mesh"), 2)
        subprocess.run([ip, "link", "add", "near0", "type", "veth", "peer", "name", "near1"], check=True)
        subprocess.run([ip, "address", "add", "10.9.0.1/24", "dev", "near0"], check=True)
        for device in ("near0", "near1"):
            subprocess.run([ip, "link", "set", device, "up"], check=True)
        time.sleep(1.5)
        tap.equal("on the subnet that the host has joined, the last one has nothing behind it",
                  fewest_answers(lab, "near.mesh"), 1)
        subprocess.run([ip, "link", "delete", "near0"], check=True)
        time.sleep(2.5)
        tap.equal("and after it has left, it has", fewest_answers(lab, "near.mesh"), 2)
        tap.equal("all from the map", daemon.status()["requests"], 1)
    server.stop()


if __name__ == "__main__":
    play(network_changes)
