# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: the end on SIGTERM."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def stopping(tap):
    server = serve()
    server.behaviours = [["delay", "500", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"))
        asker = subprocess.Popen([GUEST, "timed", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.2)
        daemon.signal(signal.SIGTERM)
        answer = asker.communicate()[0].decode()
        tap.equal("SIGTERM finishes what runs", answer.split()[0], "127.0.0.11")
        tap.equal("and asks for nothing else", {q for q in server.questions if "SRV" in q}, {"_two._tcp.mesh SRV"})
        tap.equal("and then ends well", daemon.process.wait(5), 0)
        tap.check("and says so", "event=stopped" in daemon.log(), daemon.log())
    server.stop()


if __name__ == "__main__":
    play(stopping)
