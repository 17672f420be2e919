# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: the same in a process without srvmeshd."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import GUEST, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def embedded_stale(tap):
    server = serve()
    with Lab() as lab:
        lab.file("srvmesh.conf", config(server, "max_ttl = 1s\ntimeout = 300ms\nstale_after = 300ms\nfailure_ttl = 5s"))
        process = subprocess.Popen([GUEST, "every", "200", "4", "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.6)
        server.behaviours = [["drop"]]
        output = process.communicate()[0].decode()
        tap.check("without a daemon too, a process keeps what it has", output.startswith("0 failures"), output)
        tap.check("and waits once, for stale_after", 250 < int(output.split()[-2]) < 600, output)
    server.stop()


if __name__ == "__main__":
    play(embedded_stale)
