# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a crowd of processes that ask for one name."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, IS_SANITIZED, Lab  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def stampede(tap):
    processes = 60 if IS_SANITIZED else 1000
    server = serve()
    server.behaviours = [["delay", "300", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 10s\ndeadline = 20s"), "daemon quota = 100%")
        gate = os.pipe()
        environment = lab.environment()
        crowd = [subprocess.Popen([GUEST, "wait", "api.mesh"], stdin=gate[0], stdout=subprocess.PIPE, env=environment)
                 for _ in range(processes)]
        os.write(gate[1], b"x" * processes)
        answers = {sorted_words(one.communicate(timeout=120)[0].decode()) for one in crowd}
        os.close(gate[0])
        os.close(gate[1])
        tap.equal(f"{processes} processes that ask at once all find it", answers, {API})
        tap.equal("by one job", daemon.status()["jobs"], 1)
        tap.equal("that asks for nothing else", {q for q in server.questions if "SRV" in q}, {"_api._tcp.mesh SRV"})
        tap.check("nobody was turned away", daemon.status()["busy"] == 0, daemon.status())
    server.stop()


if __name__ == "__main__":
    play(stampede)
