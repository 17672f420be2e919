# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: local users who ask for more than is decent. With SRVMESH_LONG=yes for longer, and what others feel is measured."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, IS_SANITIZED, NO_OTHERS, SRCDIR, Daemon, Lab, as_user, can_be_others, resident_kib  # noqa: E402
from system.daemon.stories import config, play, serve  # noqa: E402

IS_LONG = os.environ.get("SRVMESH_LONG") == "yes"
ATTACKER = os.path.join(SRCDIR, "tests", "attacker.py")


class User:
    def __init__(self, uid, daemon, *words):
        with open(ATTACKER, encoding="utf-8") as file:
            program = file.read()
        self.process = subprocess.Popen([*as_user(uid), "/usr/bin/python3", "-c", program, daemon.socket, *map(str, words)],
                                        stdout=subprocess.PIPE, text=True)

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
    """Connect, ask a silent name, close, again and again: each job runs to its end, and then its memory is the system's again."""
    server, silent = serve(), serve()
    silent.behaviours = [["drop"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server) + f"[domain slow]\nservers = 127.0.0.1:{silent.port}\ndeadline = 1s\ntimeout = 300ms\n")
        lab.probe("gai", "inet", "api.mesh")
        before = resident_kib(daemon.process.pid)
        users = [User(uid, daemon, "abandon", 20 if IS_LONG else 3, "slow") for uid in (40001, 40002)]
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
            tap.check("after a storm of abandoned requests memory is within 10 MB of what it was", after - before < 10240,
                      before, most, after)
        tap.equal("... and what was in the map still is", lab.probe("gai", "inet", "api.mesh").split()[0][:9], "127.0.0.1")
        daemon.stop()
    server.stop()
    silent.stop()


def fairness(tap):
    """Others go on being answered beside storms of several users."""
    server, silent = serve("".join(f"*.mesh. 60 A 127.0.0.{i}\n" for i in (7,))), serve()
    silent.behaviours = [["drop"]]
    n = 400 if IS_LONG else 60
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = address") + f"[domain slow]\nservers = 127.0.0.1:{silent.port}\n")
        alone = User(41000, daemon, "quiet", n, "mesh").says()
        storm = [User(uid, daemon, "abandon", 60 if IS_LONG else 8, "slow") for uid in (40001, 40002, 40003, 40004)]
        time.sleep(2)
        beside = User(41000, daemon, "quiet", n, "mesh").says()
        for user in storm:
            user.process.kill()
            user.says()
        print(f"# alone: {alone!r}; beside four: {beside!r}")
        tap.check("beside four users who storm every request of a fifth is answered", f"record {n}" in beside, beside)
        if IS_LONG:
            medians = [float(re.search(r"median ([\d.]+)", said).group(1)) for said in (alone, beside)]
            tap.check("... in at most three times its time", medians[1] <= 3 * medians[0], medians)
        daemon.stop()
    server.stop()
    silent.stop()


def crowd(tap):
    """One user with 2,000 clients: they wait, and nobody is turned away."""
    server = serve()
    clients, count = (400, 2000) if IS_SANITIZED else (2000, 20000 if IS_LONG else 6000)
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "fallback = none\ndeadline = 30s\ntimeout = 5s"))
        user = subprocess.run([*as_user(40001), "sh", "-c", 'ulimit -n 4096; exec "$@"', "sh", "/usr/bin/python3", ATTACKER,
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
    if not can_be_others():
        tap.skip("hostile users", NO_OTHERS)
        return
    memory(tap)
    fairness(tap)
    crowd(tap)
    hints(tap)
    eviction(tap)


if __name__ == "__main__":
    play(hostile_users)
