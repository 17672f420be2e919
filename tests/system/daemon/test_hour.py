# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd and fifty processes that ask without end, while everything around them changes: the servers, the zone, the
configuration, srvmeshd itself. A minute; SRVMESH_LONG=yes makes an hour of 200,000 lookups a minute of it."""
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import IS_SANITIZED, PROGRAMS, Daemon, Knot, Lab, descriptors, resident_kib  # noqa: E402
from system.daemon.stories import play  # noqa: E402

IS_LONG = os.environ.get("SRVMESH_LONG") == "yes"
SECONDS = 3600 if IS_LONG else 60
PAUSE_S = 10 if IS_LONG else 2  # from one change to the next
PROCESSES, RATE = (50, 67) if not IS_SANITIZED else (20, 20)
GROWTH_KIB = 2048  # of a process
STORM_KIB = 10240  # of srvmeshd, where a moment of load has been: as after a storm (test_hostile_users.py)
REGULAR = os.path.join(PROGRAMS, "tests", "regular")


def zone(version):
    """500 names, each with a target of its own; a third of them lives for two seconds."""
    lines = []
    for i in range(500):
        ttl = 2 if i % 3 == 0 else 60
        lines.append(f"_n{i}._tcp {ttl} SRV 0 0 80 t{i}")
        lines.append(f"t{i} {ttl} A 127.{10 + version}.{i // 250}.{i % 250 + 1}")
    return "\n".join(lines) + "\n"


class World:
    """What changes."""

    def __init__(self, lab, knots):
        self.lab, self.knots = lab, knots
        self.variant = self.version = 0
        self.daemon = Daemon(lab, self.sections())
        self.dice = random.Random(20)

    def sections(self):
        """Of the configuration, in its present variant."""
        ports = [f"127.0.0.1:{knot.port}" for knot in self.knots]
        if self.variant % 2:
            ports.reverse()
        servers = f"servers = {', '.join(ports)}\ntimeout = 300ms\n"
        text = f"[domain mesh]\n{servers}" + ("family = ipv4\n", "answers = one\n", "max_ttl = 10s\nfallback = none\n")[self.variant % 3]
        return text + (f"[domain extra]\nsrv = _{{service}}._tcp.mesh\n{servers}" if self.variant % 4 > 1 else "")

    def configuration(self):
        """Files are replaced as an administrator's tools do it, whole."""
        self.variant += 1
        path = os.path.join(self.lab.path, "srvmesh.conf")
        kept = self.lab.path
        self.lab.path = os.path.join(kept, "fresh")
        os.makedirs(self.lab.path, exist_ok=True)
        self.daemon.config(self.sections())
        os.rename(os.path.join(self.lab.path, "srvmesh.conf"), path)
        self.lab.path = kept
        if self.variant % 2:
            self.daemon.signal(signal.SIGHUP)

    def contents(self):
        self.version = 1 - self.version
        for knot in self.knots:
            knot.change(zone(self.version))

    def server_silent(self):
        knot = self.dice.choice(self.knots)
        knot.process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        knot.process.send_signal(signal.SIGCONT)

    def server_gone(self):
        knot = self.dice.choice(self.knots)
        knot.stop()
        time.sleep(PAUSE_S)
        knot.start()

    def daemon_restarted(self):
        self.daemon.stop()
        self.daemon.start()

    def daemon_killed(self):
        self.daemon.kill()
        time.sleep(PAUSE_S / 4)
        self.daemon.start()

    def daemon_stopped(self):
        self.daemon.signal(signal.SIGSTOP)
        time.sleep(1)
        self.daemon.signal(signal.SIGCONT)


def at_rest(daemon, few=0):
    """The descriptors of srvmeshd when nobody asks any more; it goes on for a while renewing what was used."""
    end = time.monotonic() + 20
    while daemon.status()["jobs_now"] > 0 or (few and descriptors(daemon.process.pid) > few):
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return descriptors(daemon.process.pid)


def live_on(world, until, changes):
    """Yields srvmeshd's memory and descriptors after each change."""
    n = 0
    while time.monotonic() < until:
        getattr(world, changes[n % len(changes)])()
        n += 1
        time.sleep(PAUSE_S)
        yield resident_kib(world.daemon.process.pid), descriptors(world.daemon.process.pid)


def hour(tap):
    with Lab() as lab, Lab() as other:
        world = World(lab, [Knot(lab, zone(0)), Knot(other, zone(0))])
        lab.probe("gai", "inet", "n1.mesh")
        few = at_rest(world.daemon)
        began = time.monotonic()
        crowd = [subprocess.Popen([REGULAR, str(RATE), str(SECONDS), str(seed)], env=lab.environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for seed in range(PROCESSES)]
        others = ("configuration", "server_silent", "contents", "server_gone")
        lives = len(list(live_on(world, began + SECONDS / 3, others + ("daemon_killed", "daemon_stopped", "daemon_restarted"))))
        seen = list(live_on(world, began + SECONDS - 2 * PAUSE_S, others + ("daemon_stopped",)))
        said = [process.communicate(timeout=60) for process in crowd]
        report(tap, said, seen, lives)
        tap.equal("and when all is still, srvmeshd has the descriptors it began with", at_rest(world.daemon, few), few)
        tap.check("... and ends as it should", world.daemon.stop() == 0, world.daemon.log()[-2000:])


def report(tap, said, seen, lives):
    words = [dict(re.findall(r"(right|wrong|again) (\d+)", out)) for out, _ in said]
    right, wrong, again = (sum(int(one[word]) for one in words) for word in ("right", "wrong", "again"))
    grown = [[int(n) for n in re.search(r"descriptors (\d+) (\d+) kib (\d+) (\d+)", out).groups()] for out, _ in said]
    half = len(seen) // 2
    early, late = seen[:half], seen[half:]
    print(f"# {right} right, {wrong} wrong, {again} again; {lives + len(seen)} changes; srvmeshd {seen[0]}, then {seen[-1]}; "
          f"a process grew by {max(after - before for _, _, before, after in grown)} KiB")
    tap.equal("while servers, zone, configuration and srvmeshd change, no answer is wrong", wrong, 0)
    if wrong:
        print("\n".join(f"# {line}" for _, errors in said for line in errors.splitlines()[:2]))
    tap.check("... of very many", right > PROCESSES * RATE * SECONDS * 0.5, right)
    tap.check("... and at most one in a hundred is to be asked again", again * 100 <= right, again, right)
    tap.check("no process keeps a descriptor", all(after <= before for before, after, _, _ in grown), grown)
    if not IS_SANITIZED:
        tap.check("... or memory, beyond the answers that it may keep", all(after - before <= GROWTH_KIB for _, _, before, after in grown), grown)
        tap.check("srvmeshd's memory does not grow", min(late)[0] <= max(early)[0] + STORM_KIB, seen)
    tap.check("... nor its descriptors", min(n for _, n in late) <= min(n for _, n in early), seen)


if __name__ == "__main__":
    play(hour)
