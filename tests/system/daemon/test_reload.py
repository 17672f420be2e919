# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a changed configuration."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def reload(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("a name that is not ours", lab.probe("gai", "unspec", "api.other"), "EAI_NONAME")
        server.add("_api._tcp.other. 60 SRV 0 0 1 a.mesh.")
        daemon.config(config(server) + f"[domain other]\nservers = 127.0.0.1:{server.port}\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("is ours after SIGHUP", lab.probe("gai", "unspec", "api.other"), "127.0.0.11")
        tap.check("by the daemon", daemon.status()["jobs"] == 1, daemon.status())
        lab.file("srvmesh.conf", "[domain mesh]\ntimeout = soon\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.check("an error in the configuration changes nothing, and the log says where it is",
                  'srvmesh.conf:2: timeout' in daemon.log() and daemon.process.poll() is None, daemon.log())
        daemon.config(config(server))
        tap.equal("what ran before runs", daemon.status()["jobs"], 1)
    server.stop()


if __name__ == "__main__":
    play(reload)
