# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a configuration with errors that is put right."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, Daemon, Lab  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def corrections(tap):
    """A correction takes effect for kept answers too; a change that does not affect answers removes none."""
    server, other = serve(), serve("_api._tcp.mesh. 60 SRV 0 1 1 z.mesh.\nz.mesh. 60 A 127.0.0.99\n")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        daemon.config(config(server, "timeout = 700ms"))
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("another time-out takes nothing away", daemon.status()["entries"], 1)
        daemon.config(config(other))
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("other servers: their answers", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.99")
        daemon.stop()
        daemon.config(config(server))
        daemon.start()
        tap.equal("... over a restart as well", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        daemon.config(config(other))
        time.sleep(1.5)
        tap.check("without a signal and without a request: within a second", "wait for their renewal" in daemon.log().split("ready")[-1],
                  daemon.log())
        tap.equal("... and not the old answer of the map", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.99")
        daemon.config(config(other) + f"[service new.elsewhere]\nsrv = _api._tcp.mesh\nservers = 127.0.0.1:{other.port}\n")
        tap.equal("a name that is new is resolved at once", lab.probe("gai", "unspec", "new.elsewhere"), "127.0.0.99")
        daemon.stop()
        precious = lab.file("precious", "of somebody else")
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {daemon.directory}\n[daemon]\nsocket = {precious}\n")
        refused = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--foreground", "--config",
                                  os.path.join(lab.path, "srvmesh.conf")], check=False, capture_output=True, text=True,
                                 timeout=20, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        with open(precious, encoding="utf-8") as file:
            tap.equal("a file where the socket should be is not touched", (refused.returncode, file.read()),
                      (1, "of somebody else"))
        daemon.config(config(server))
        daemon.start()
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {daemon.directory}\n[daemon]\nsocket = {precious}\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        daemon.stop()
        tap.check("nor by one that was told of it later", os.path.exists(precious) and not os.path.exists(daemon.socket))
    server.stop()
    other.stop()


if __name__ == "__main__":
    play(corrections)
