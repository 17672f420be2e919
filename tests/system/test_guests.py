# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that do to a lookup what no lookup expects."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Daemon, Lab, NO_OTHERS, Tap, as_user, can_be_others  # noqa: E402
from scripted_server import serve  # noqa: E402


SRVMESH = os.path.join(BUILDDIR, "srvmesh")


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


PRETENDER = """import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(5)
print("listens", flush=True)
while True:
    listener.accept()
    print("asked", flush=True)
"""


def another_listens(tap, what, prepare, is_asked, user=65534):
    """A local user listens where srvmeshd's socket is, or was."""
    server = serve("api.mesh. 60 A 127.0.0.11")
    with Lab() as lab:
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        os.chmod(run, 0o777)
        conf = lab.file("srvmesh.conf", f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
                                        f"deadline = 300ms\n[daemon]\nsocket = {run}/socket\n")
        pretender = subprocess.Popen([*as_user(user), "/usr/bin/python3", "-c", PRETENDER, f"{run}/socket"], stdout=subprocess.PIPE,
                                     text=True)
        pretender.stdout.readline()
        prepare(run)
        answer = lab.probe("gai", "inet", "api.mesh")
        _, _, errors = lab.run(SRVMESH, "status")
        pretender.terminate()
        was_asked = "asked" in pretender.communicate()[0]
        tap.equal(f"{what}: he is {'' if is_asked else 'not '}connected to", was_asked, is_asked)
        tap.equal("... the answer is that of DNS", answer, "127.0.0.11")
        tap.check("... and the command says so", "is not to be trusted" in errors, errors)
    server.stop()


def sockets_of_others(tap):
    if not can_be_others():
        tap.skip("another user listens at the socket", NO_OTHERS)
        return
    another_listens(tap, "a directory that all can write", lambda run: None, False)
    another_listens(tap, "a directory of root's, where another user listens since it was open", lambda run: os.chmod(run, 0o755), True)

    def give_away(run):
        os.chmod(run, 0o755)
        os.chown(run, 65534, 65534)
        os.chmod(os.path.dirname(run), 0o777)
    another_listens(tap, "a directory of his own, below one that all can write", give_away, False)


def main():
    tap = Tap()
    sockets_of_others(tap)
    left_by_longjmp(tap, True)
    left_by_longjmp(tap, False)
    another_clock(tap)
    tap.finish()


main()
