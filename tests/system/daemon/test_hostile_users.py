# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: local users who ask for more than is decent. With SRVMESH_LONG=yes for longer, and what others feel is measured."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, IS_SANITIZED, NO_OTHERS, PROBE, SRCDIR, Daemon, Lab, as_user, can_be_others, resident_kib  # noqa: E402
from system.daemon.stories import config, play, serve  # noqa: E402

IS_LONG = os.environ.get("SRVMESH_LONG") == "yes"


def attacker():
    """Its text: other users may not be able to read the source tree."""
    with open(os.path.join(SRCDIR, "tests", "attacker.py"), encoding="utf-8") as file:
        return ["/usr/bin/python3", "-c", file.read()]


class User:
    def __init__(self, uid, daemon, *words):
        self.process = subprocess.Popen([*as_user(uid), *attacker(), daemon.socket, *map(str, words)], stdout=subprocess.PIPE, text=True)

    def says(self):
        return self.process.communicate(timeout=300)[0].strip()

    def counts(self):
        return {word: int(n) for word, n in re.findall(r"(\w+) (\d+)\b(?! ms)", self.says().splitlines()[-1])}


def until(lab, daemon, is_so, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not is_so(daemon.status()):
        time.sleep(0.1)
    return daemon.status()


def memory(tap):
    """Connect, ask a silent name, and close, or wait with many clients: when the jobs have ended their memory is the system's."""
    server, silent = serve(), serve()
    silent.behaviours = [["drop"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server) + f"[domain slow]\nservers = 127.0.0.1:{silent.port}\ndeadline = 1s\ntimeout = 300ms\n")
        lab.probe("gai", "inet", "api.mesh")
        before = resident_kib(daemon.process.pid)
        users = [User(40001, daemon, "abandon", 20 if IS_LONG else 3, "slow"),
                 User(40002, daemon, "crowd", 400, 4000 if IS_LONG else 800, "slow")]
        most, sent = before, 0
        while any(user.process.poll() is None for user in users):
            most = max(most, resident_kib(daemon.process.pid))
            time.sleep(0.05)
        sent = sum(user.counts()["sent"] for user in users)
        until(lab, daemon, lambda status: status["jobs_now"] == 0 and status["clients_now"] <= 1)
        end = time.monotonic() + 10
        while (after := resident_kib(daemon.process.pid)) - before >= 10240 and time.monotonic() < end:
            time.sleep(0.1)
        print(f"# {sent} requests; {before} KiB, at most {most}, then {after}")
        if not IS_SANITIZED:
            tap.check("after a storm memory is within 10 MB of what it was", after - before < 10240,
                      before, most, after)
        tap.equal("... and what was in the map still is", lab.probe("gai", "inet", "api.mesh").split()[0][:9], "127.0.0.1")
        daemon.stop()
    server.stop()
    silent.stop()


def quiet_beside(daemon, n, *words):
    """What a quiet user says of so many lookups, beside four others who do what the words say."""
    users = [User(uid, daemon, *words) for uid in (40001, 40002, 40003, 40004)]
    time.sleep(2)
    said = User(41000, daemon, "quiet", n, "mesh", "127.0.0.7").says()
    for user in users:
        user.process.kill()
        user.says()
    return said


def fairness(tap, what, *storm):
    """Others go on being answered beside storms of several users."""
    server, n = serve("*.mesh. 60 A 127.0.0.7"), 400 if IS_LONG else 60
    with Lab() as lab, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        silent = f"[domain slow]\nservers = 127.0.0.1:{nobody.getsockname()[1]}\n"
        daemon = Daemon(lab, config(server, "fallback = address") + silent)
        alone = User(41000, daemon, "quiet", n, "mesh", "127.0.0.7").says()
        # four who take the processors, too, but not srvmeshd
        busy = quiet_beside(daemon, n, "compute") if IS_LONG else alone
        beside = quiet_beside(daemon, n, *storm, "slow")
        print(f"# alone: {alone!r}; beside four who compute: {busy!r}; beside four: {beside!r}")
        tap.check(f"beside four users who {what} every request of a fifth is answered", f"found {n}" in beside, beside)
        if IS_LONG:
            medians = [float(re.search(r"median ([\d.]+)", said).group(1)) for said in (alone, busy, beside)]
            tap.check("... in at most three times its time", medians[2] <= 3 * medians[0], medians)
            tap.check("... and in at most one and a half times its time beside four who only compute", medians[2] <= 1.5 * medians[1], medians)
        daemon.stop()
    server.stop()


def doubt(tap):
    """Who asks for names that nobody answers makes a server look silent for himself alone."""
    server = serve("*.mesh. 60 A 127.0.0.7")
    server.behaviours = [["drop-name", "slow."]]
    with Lab() as lab:
        short = "timeout = 200ms\nattempts = 1\ndeadline = 500ms"
        daemon = Daemon(lab, config(server, f"fallback = address\n{short}") +
                        f"[domain slow]\nservers = 127.0.0.1:{server.port}\n{short}\n")
        for _ in range(20):  # it has to be silent for three seconds
            User(40001, daemon, "quiet", 2, "slow", "127.0.0.7").says()
            before = daemon.status()["hopeless"]
            if before:
                break
        tap.check("a server that is silent on the names of one user is down for him", before > 0, daemon.status())
        said = User(41000, daemon, "quiet", 1, "mesh", "127.0.0.7").says()
        tap.check("... and another one is answered by it", "found 1" in said and daemon.status()["hopeless"] == before, said)
        said = User(40001, daemon, "quiet", 1, "mesh", "127.0.0.7").says()
        tap.check("... which is then there for the first one, too", "found 1" in said, said)
        daemon.stop()
    server.stop()


def connects(path, stack):
    client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
    try:
        client.connect(path)
    except BlockingIOError:
        return False
    return True


def queue(tap):
    """The kernel's queue of connections, where no user has a turn, is short, and a program that finds it full waits for a place."""
    server = serve("*.mesh. 60 A 127.0.0.7")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = address\ndeadline = 30s"))
        os.kill(daemon.process.pid, signal.SIGSTOP)
        with contextlib.ExitStack() as stack:
            n = 0
            while n < 4096 and connects(daemon.socket, stack):
                n += 1
            tap.check("one user can fill the queue of connections, but it is short", 0 < n <= 32, n)
            waiting = subprocess.Popen([PROBE, "gai", "inet", "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE, text=True)
            time.sleep(0.5)  # it has found the queue full; were it slower, it would be answered all the same
            os.kill(daemon.process.pid, signal.SIGCONT)
            text, _ = waiting.communicate(timeout=60)
        tap.equal("... and a program that finds it full waits, and is answered", (text.split()[0][:9], daemon.status()["jobs"]),
                  ("127.0.0.7", 1))
        daemon.stop()
    server.stop()


def crowd(tap):
    """One user with 2,000 clients: they wait, and nobody is turned away."""
    server = serve()
    clients, count = (400, 2000) if IS_SANITIZED else (2000, 20000 if IS_LONG else 6000)
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = none\ndeadline = 30s\ntimeout = 5s"))
        user = subprocess.run([*as_user(40001), "sh", "-c", 'ulimit -n 4096; exec "$@"', "sh", *attacker(),
                               daemon.socket, "crowd", str(clients), str(count), "mesh"], capture_output=True, text=True, check=False)
        tap.equal(f"of {count} requests of one user with {clients} clients none is refused", user.stdout.strip(),
                  f"sent {count} record {count}")
        daemon.stop()
    server.stop()


def hints(tap):
    """Hints for a name whose servers fail: it is asked for as often as after any failure."""
    server = serve("api.mesh. 3 A 127.0.0.11")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = address\nmin_ttl = 3s"))
        lab.probe("gai", "inet", "api.mesh")
        time.sleep(2.95)  # it is due
        server.behaviours = [["rcode", "SERVFAIL"]]
        server.questions.clear()
        sent = User(40001, daemon, "hints", 2, "api.mesh").counts()["sent"]
        asked = sum(question.startswith("_api._tcp.mesh") for question in server.questions)
        tap.check(f"{sent} hints for a name whose servers fail: it is asked for at most once a second", sent > 1000 and asked <= 6,
                  sent, asked)
        daemon.stop()
    server.stop()


def eviction(tap):
    """Five users together fill the map several times: who has little keeps it."""
    server = serve("*.mesh. 600 A 127.0.0.7")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = address\ndeadline = 20s"), "cache size = 1M")
        User(41000, daemon, "crowd", 10, 100, "quiet.mesh").counts()
        before = set(names_of(lab, "quiet.mesh"))
        each = 200 if IS_SANITIZED else 1000
        users = [User(uid, daemon, "crowd", 20, each, "mesh") for uid in range(40001, 40006)]
        for user in users:
            user.counts()
        tap.equal("five users who together fill the map evict nothing of a sixth, who has 100 names", len(before &
                  set(names_of(lab, "quiet.mesh"))), 100)
        if not IS_SANITIZED:
            tap.check("... and they did fill it", daemon.status()["evicted"] > 1000, daemon.status())
        daemon.stop()
    server.stop()


def names_of(lab, suffix):
    _, text, _ = lab.run(os.path.join(BUILDDIR, "srvmesh"), "cache", "list", f"*.{suffix}", "--no-legend")
    return [line.split()[0] for line in text.splitlines()]


def hostile_users(tap):
    queue(tap)
    if not can_be_others():
        tap.skip("hostile users", NO_OTHERS)
        return
    memory(tap)
    fairness(tap, "ask, leave and ask again", "abandon", 60)
    fairness(tap, "wait with 200 clients each", "crowd", 200, 1000000)
    doubt(tap)
    crowd(tap)
    hints(tap)
    eviction(tap)


if __name__ == "__main__":
    play(hostile_users)
