# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: directories, sockets and options that are not as they should be."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import IS_SANITIZED, PROGRAMS, Daemon, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def odd_starts(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        daemon.stop()
        daemon.start(preexec_fn=lambda: os.closerange(0, 3))
        for _ in range(3):
            daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("without descriptors 0 to 2 the log does not go into the map", lab.guest("quiet", "api.mesh", 1), "found")
        daemon.stop()
        ends = os.pipe()
        daemon.config(config(server), "daemon log_level = debug")
        daemon.start(preexec_fn=lambda: os.dup2(ends[1], 2))
        for _ in range(2000):
            daemon.signal(signal.SIGHUP)
            time.sleep(0.0005)
        tap.equal("who does not read the log does not stop the daemon", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        tap.check("and it was the daemon that answered", daemon.status()["jobs"] > 0)
        os.close(ends[0])
        os.close(ends[1])
        daemon.stop()
        if IS_SANITIZED:
            tap.skip("a liblmdb of another format is named", "not possible here: sanitizers want to be preloaded first")
        else:
            daemon.start(wait=False, env=dict(os.environ, LD_PRELOAD=os.path.join(PROGRAMS, "tests", "later_lmdb.so")))
            tap.equal("with a liblmdb of another format it does not start", daemon.process.wait(10), 1)
            tap.check("and names it", "liblmdb is LMDB 1.0.0, which writes another file format; expected liblmdb 0.9" in daemon.log(),
                      daemon.log())
    server.stop()


if __name__ == "__main__":
    play(odd_starts)
