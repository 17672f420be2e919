# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: the start without --foreground."""
import os
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, Daemon, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def listener_pid(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(path)
        return struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def background(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server), "daemon log_format = json")
        daemon.stop()
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        with open(os.path.join(lab.path, "background.log"), "wb") as log:
            done = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--config", "srvmesh.conf"], cwd=lab.path,
                                  check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=20,
                                  env=environment)
        tap.equal("without --foreground the command returns when the daemon is ready",
                  (done.returncode, bool(daemon.status())), (0, True))
        with open(os.path.join(lab.path, "background.log"), encoding="utf-8") as log:
            tap.check("the log can be JSON", '"event":"ready"' in log.read())
        os.kill(listener_pid(daemon.socket), signal.SIGTERM)
        for _ in range(100):
            if not os.path.exists(daemon.socket):
                break
            time.sleep(0.05)
        tap.check("and it ends when told", not daemon.status() and not os.path.exists(daemon.socket))
        done = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--config", "missing.conf"], check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        tap.check("a file that is not there is an error where it was typed",
                  done.returncode == 1 and "there is no such file" in done.stderr, done.stderr)
    server.stop()


if __name__ == "__main__":
    play(background)
