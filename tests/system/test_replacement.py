# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads look up while the host map is replaced again and again; also for the thread sanitizer."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import PROBE, Daemon, Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

SECONDS = 8


def main():
    tap = Tap()
    server = Server()
    server.add("_api._tcp.mesh. 60 SRV 0 1 1 a.mesh.")
    server.add("a.mesh. 60 A 127.0.0.11")
    server.start()
    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\n")
        lab.probe("gai", "unspec", "api.mesh")
        soak = subprocess.Popen([PROBE, "soak", str(SECONDS), "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        time.sleep(0.5)
        replaced = 0
        while soak.poll() is None:
            daemon.stop()
            os.unlink(os.path.join(daemon.directory, "cache.v2.mdb"))
            daemon.start()
            replaced += 1
            time.sleep(0.7)
        tap.equal("threads find it whatever happens to the map", soak.communicate()[0].decode().strip(), "0 failures")
        tap.check("which was replaced often", replaced > 3, replaced)
    server.stop()
    tap.finish()


main()
