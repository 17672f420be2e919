# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a failure does not replace an answer that may still serve."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def failures_and_old(tap):
    """When no server can answer, a process still uses the answer it has."""
    server = serve()
    with Lab() as lab:
        text = config(server, "max_ttl = 1s\ntimeout = 200ms\ndeadline = 1s\nstale_after = 900ms")
        daemon = Daemon(lab, text, wait=False)
        daemon.kill()
        shutil.rmtree(daemon.directory, ignore_errors=True)
        process = subprocess.Popen([GUEST, "every", "100", "5", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.5)
        server.behaviours = [["rcode", "SERVFAIL"]]
        daemon.start()
        output = process.communicate()[0].decode()
        tap.check("a daemon that knows nothing yet does not take it away", output.startswith("0 failures"), output)
        tap.check("although it was asked", daemon.status()["failed"] > 0, daemon.status())
    server.stop()


if __name__ == "__main__":
    play(failures_and_old)
