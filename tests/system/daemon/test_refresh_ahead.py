# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a name in use is renewed before it expires."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def refresh_ahead(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 1s"))
        process = subprocess.Popen([GUEST, "every", "20", "7", "short.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        output = process.communicate()[0].decode()
        status = daemon.status()
        tap.check("a name in use never fails", output.startswith("0 failures"), output)
        tap.check("and is renewed before it expires", status["renewed"] >= 3 and status["requests"] == 1, status)
        tap.check("by one hint each", status["hints"] <= status["renewed"] + 1, status)
    server.stop()


if __name__ == "__main__":
    play(refresh_ahead)
