# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: srvmeshd is killed and started again, many times."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab, PROBE  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def restarts(tap, times=100):
    """The daemon is killed and restarted again and again, while threads look up all the time."""
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        soak = subprocess.Popen([PROBE, "soak", "12", "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        misses = subprocess.Popen([GUEST, "every", "5", "12", "none.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        began = time.monotonic()
        for turn in range(times):
            if turn % 3 == 0:
                daemon.signal(signal.SIGSTOP)
            daemon.kill()
            daemon.start(wait=turn % 10 == 9)
            time.sleep(max(0, 0.1 - (time.monotonic() - began) / (turn + 1)))
        tap.equal(f"{times} times killed and restarted: no hit fails", soak.communicate(timeout=60)[0].decode().strip(),
                  "0 failures")
        output = misses.communicate(timeout=60)[0].decode()
        tap.check("and no miss takes longer than the deadline", int(output.split()[-2]) < 3100, output)
    server.stop()


if __name__ == "__main__":
    play(restarts)
