# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: directories, sockets and options that are not as they should be."""
import contextlib
import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, IS_SANITIZED, PROGRAMS, Daemon, Lab  # noqa: E402
from system.daemon.stories import serve, config, play  # noqa: E402


def options(tap, lab):
    program = os.path.join(BUILDDIR, "srvmeshd")
    tap.check("--version says the release", re.fullmatch(r"srvmeshd [\d.]+", lab.run(program, "--version")[1]), lab.run(program, "--version"))
    _, said, _ = lab.run(program, "--config", os.path.join(lab.path, "srvmesh.conf"), "--memory")
    high, most = map(int, re.fullmatch(r"MemoryHigh=(\d+)K\nMemoryMax=(\d+)K", said).groups())
    tap.check("--memory prints limits for two maps of 64 MiB and more", 2 * 65536 < high < most, said)
    tap.check("--help names every option", all(word in lab.run(program, "--help")[1] for word in ("--config", "--foreground", "--memory")))
    for words in (("--nonsense",), ("operand",)):
        code, _, errors = lab.run(program, *words)
        tap.check(f"{words[0]} is no option: how to call it", code == 2 and "usage:" in errors, code, errors)


def watchdog(tap, lab, daemon):
    """The words that a service manager hears in the first second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.path.join(lab.path, "notify"))
        manager.settimeout(0.2)
        for pid, expects in (({}, True), ({"WATCHDOG_PID": "1"}, False)):
            daemon.start(env=dict(os.environ, NOTIFY_SOCKET=os.path.join(lab.path, "notify"), WATCHDOG_USEC="300000",
                                  ASAN_OPTIONS="detect_leaks=0", **pid))
            heard, end = b"", time.monotonic() + (10 if expects else 1)
            while time.monotonic() < end and heard.count(b"WATCHDOG=1") < 3:
                with contextlib.suppress(TimeoutError):
                    heard += manager.recv(4096) + b"\n"
            tap.check("it tells a service manager that it lives" if expects else "... not one that watches another process",
                      b"READY=1" in heard and (heard.count(b"WATCHDOG=1") >= 3) == expects, heard)
            daemon.stop()


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
        options(tap, lab)
        watchdog(tap, lab, daemon)
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
