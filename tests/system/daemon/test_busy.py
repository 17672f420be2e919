# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: the limits of clients and jobs."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def busy(tap):
    server = serve()
    server.behaviours = [["delay", "400", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"), "daemon max_clients = 1\ndaemon quota = 100%\ncache embedded = no")
        crowd = [subprocess.Popen([GUEST, "timed", f"b{i}.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
                 for i in range(10)]
        answers = [one.communicate()[0].decode().split()[0] for one in crowd]
        tap.check("who is turned away is told so: try again, not somebody else's name",
                  set(answers) == {"EAI_NONAME", "EAI_AGAIN"} and answers.count("EAI_AGAIN") >= 5, answers)
    server.stop()


if __name__ == "__main__":
    play(busy)
