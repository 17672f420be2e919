# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that do to a lookup what no lookup expects."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import Daemon, Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402


def serve(*lines):
    server = Server()
    for line in lines:
        server.add(line)
    server.start()
    return server


def another_clock(tap):
    """A child in a time namespace of its own has the parent's mapping, and another time since boot."""
    server, other = serve("api.mesh. 60 A 127.0.0.11"), serve("api.mesh. 60 A 127.0.0.12")
    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n")
        with open(os.path.join(lab.path, "srvmesh.conf"), encoding="utf-8") as file:
            text = file.read()
        fresh, conf = (os.path.join(lab.path, name) for name in ("fresh.conf", "guest.conf"))
        lab.probe("gai", "inet", "api.mesh")
        for seconds, what in ((-30, "behind"), (100000, "ahead")):
            lab.file("guest.conf", text) # srvmeshd's own does not change
            lab.file("fresh.conf", f"[domain mesh]\nservers = 127.0.0.1:{other.port}\nfamily = ipv4\n")
            said = lab.guest("new-time", seconds, "api.mesh", fresh, conf, SRVMESH_CONF=conf)
            title = f"a child whose clock is {what} uses no map of its parent's time, and follows the configuration"
            if said.startswith("no "):
                tap.skip(title, f"not possible here: {said}")
            else:
                tap.equal(title, said, "127.0.0.11 with the map, then 127.0.0.11, then 127.0.0.12")
        daemon.stop()
    server.stop()
    other.stop()


def left_by_longjmp(tap, has_daemon):
    """A signal handler leaves lookups in the middle, as curl's does: what they leave behind is put in order by the next one."""
    server, silent = serve("api.mesh. 60 A 127.0.0.11"), serve()
    silent.behaviours = [["drop"]]
    what = "with srvmeshd" if has_daemon else "in a process"
    with Lab() as lab:
        text = f"[domain slow]\nservers = 127.0.0.1:{silent.port}\n[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
        daemon = Daemon(lab, text) if has_daemon else None
        if not has_daemon:
            lab.file("srvmesh.conf", text)
        with open(os.path.join(lab.path, "srvmesh.conf"), encoding="utf-8") as file:
            text = file.read()
        conf = lab.file("guest.conf", text)
        for i in range(9):
            lab.file(f"next.{i}", text if i % 2 else "[domain other]\n")
        said = lab.guest("leave", 40, "api.slow", "api.mesh", os.path.join(lab.path, "next"), conf, SRVMESH_CONF=conf)
        tap.equal(f"lookups that a handler leaves by siglongjmp, {what}: descriptors are closed, the thread can be cancelled, "
                  "and changes of the configuration are followed", said,
                  "127.0.0.11, then 40 of 40 left; 127.0.0.11, 0 descriptors more, can be cancelled, then " +
                  " ".join("127.0.0.11" if i % 2 else "EAI_NONAME" for i in range(9)))
        if daemon:
            daemon.stop()
    server.stop()
    silent.stop()


def main():
    tap = Tap()
    left_by_longjmp(tap, True)
    left_by_longjmp(tap, False)
    another_clock(tap)
    tap.finish()


main()
