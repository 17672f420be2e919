# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: clients with little time."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, Double, working_for_ever, play  # noqa: E402


def short_of_time(tap):
    """A deadline that is shorter than the daemon's own times."""
    server = serve()
    with Lab() as lab:
        server.behaviours = [["delay", "110", "SRV"]]
        daemon = Daemon(lab, config(server, "deadline = 250ms"))
        tap.equal("a live daemon is believed within a short deadline", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        tap.equal("and nobody else asks", [q for q in server.questions if "SRV" in q], ["_two._tcp.mesh SRV"])
        daemon.stop()
        shutil.rmtree(daemon.directory)
        server.behaviours = []
        daemon.config(config(server, "max_ttl = 1s\nmin_ttl = 0\ndeadline = 100ms\nstale_after = 500ms"))
        process = subprocess.Popen([GUEST, "every", "300", "3", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.7)
        double = Double(daemon.socket, working_for_ever)
        output = process.communicate()[0].decode()
        double.stop()
        tap.check("with something old in hand too, no lookup takes longer than the deadline",
                  output.startswith("0 failures") and int(output.split()[-2]) < 130, output)
    server.stop()


if __name__ == "__main__":
    play(short_of_time)
