# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: sockets handed over by a service manager."""
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, GUEST, NO_OTHERS, Lab, can_be_others  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def activate(lab, stream, hints):
    def hand_over():
        os.dup2(os.dup(stream.fileno()), 30)
        os.dup2(os.dup(hints.fileno()), 31)
        os.dup2(30, 3)
        os.dup2(31, 4)

    return lab.start("sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@"', "sh", os.path.join(BUILDDIR, "srvmeshd"),
                     "--foreground", "--config", os.path.join(lab.path, "srvmesh.conf"), preexec_fn=hand_over, pass_fds=(3, 4),
                     env=dict(os.environ, NOTIFY_SOCKET=os.path.join(lab.path, "notify"), ASAN_OPTIONS="detect_leaks=0"))


def listener_of(path):
    """Whose socket it is, as every client sees it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(path)
        return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]


def listens_again(tap, lab, run, notify):
    """The service manager has called listen(): clients see its user, until srvmeshd does."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hints = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for one, name in ((stream, "socket"), (hints, "socket.hint")):
        os.unlink(os.path.join(run, name))
        one.bind(os.path.join(run, name))
    manager = os.fork()
    if manager == 0:
        os.setuid(65534)
        stream.listen(16)
        os._exit(0)
    os.waitpid(manager, 0)
    before = listener_of(os.path.join(run, "socket"))
    process = activate(lab, stream, hints)
    notify.recv(100)
    tap.equal("clients see srvmeshd's user, not the service manager's", (before, listener_of(os.path.join(run, "socket"))), (65534, 0))
    tap.equal("hints say who sends them", hints.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED), 1)
    process.terminate()
    process.wait(5)


def activation(tap):
    """Passes sockets to the daemon and waits for its readiness, as a service manager does."""
    server = serve()
    with Lab() as lab:
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stream.bind(os.path.join(run, "socket"))
        stream.listen(16)
        hints = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        hints.bind(os.path.join(run, "socket.hint"))
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(os.path.join(lab.path, "notify"))
        notify.settimeout(10)
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {run}\n[daemon]\nsocket = {run}/socket\n")
        early = subprocess.Popen([GUEST, "timed", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        process = activate(lab, stream, hints)
        tap.equal("readiness is told", notify.recv(100), b"READY=1")
        tap.equal("who connected before is answered", early.communicate(timeout=10)[0].decode().split()[0], "127.0.0.11")
        tap.equal("and who comes later", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        process.terminate()
        tap.equal("the end is told", notify.recv(100), b"STOPPING=1")
        tap.equal("and is a good one", process.wait(5), 0)
        tap.check("the sockets are left to who made them", os.path.exists(os.path.join(run, "socket")))
        if can_be_others():
            listens_again(tap, lab, run, notify)
        else:
            tap.skip("clients see srvmeshd's user, not the service manager's", NO_OTHERS)
    server.stop()


if __name__ == "__main__":
    play(activation)
