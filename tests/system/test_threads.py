# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads look up while their configuration changes; also for the thread sanitizer."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

SECONDS = 5


def main():
    tap = Tap()
    server = Server()
    server.add("_api._tcp.mesh. 60 SRV 0 1 1 a.mesh.")
    server.add("_api._tcp.mesh. 60 SRV 0 1 1 b.mesh.")
    server.add("a.mesh. 60 A 127.0.0.11")
    server.add("b.mesh. 60 A 127.0.0.12")
    server.start()
    with Lab() as lab:
        config = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nmax_ttl = 1s\n"
        lab.file("srvmesh.conf", config)
        is_over = threading.Event()

        def change():
            turn = 0
            while not is_over.wait(0.3):
                turn += 1
                lab.file("srvmesh.conf", config + f"# {turn}\n" + ("" if turn % 4 else "nonsense\n"))

        changer = threading.Thread(target=change)
        changer.start()
        started = time.monotonic()
        result = lab.probe("soak", SECONDS, "api.mesh")
        is_over.set()
        changer.join()
        tap.equal("threads find it whatever happens to their configuration", result, "0 failures")
        tap.check("for as long as they should", time.monotonic() - started >= SECONDS)
        tap.check("and the configuration was read again meanwhile", len(server.questions) > 3, server.questions)
    server.stop()
    tap.finish()


main()
