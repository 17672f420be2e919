# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of libc and libuv that srvmeshd makes fails, one by one, and from one on, through a short life of it: start, answers,
flush, reload, end. It never crashes or hangs, and nobody gets a wrong answer; where it cannot live, it says why and ends.
SRVMESH_LONG=yes: every call, and not only some."""
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from faulty import KINDS, Faults  # noqa: E402
from lab import BUILDDIR, PROBE, Knot, Lab, Tap  # noqa: E402
from stores import Store, make_key  # noqa: E402

SRVMESH, SRVMESHD = os.path.join(BUILDDIR, "srvmesh"), os.path.join(BUILDDIR, "srvmeshd")
ZONE = """_api._tcp 1 SRV 10 60 80 a
_api._tcp 1 SRV 10 40 80 b
_two._tcp SRV 0 0 443 a
a A 127.0.0.11
b A 127.0.0.12
"""
# Where srvmeshd does not live, the processes find the answers themselves.
RIGHT = ("127.0.0.11", "127.0.0.12", "EAI_AGAIN")


class Life:
    """Of one srvmeshd, in a directory of its own."""

    def __init__(self, lab, number, sections):
        self.lab = lab
        self.place = os.path.join(lab.path, f"life-{number}")
        os.makedirs(self.place)
        self.conf, self.log = os.path.join(self.place, "conf"), os.path.join(self.place, "log")
        self.failing = Faults(os.path.join(self.place, "failing"))
        self.text = (f"{sections}[cache]\ndirectory = {self.place}/run\n"
                     f"[daemon]\nsocket = {self.place}/run/socket\nmetrics = unix:{self.place}/metrics\n")

    def write_conf(self, more=""):
        with open(self.conf + ".new", "w", encoding="utf-8") as file:
            file.write(self.text + more)
        os.rename(self.conf + ".new", self.conf)

    def run(self, *command):
        return self.lab.run(*command, SRVMESH_CONF=self.conf, timeout=30)[1]

    def live(self, kind, n, goes_on):
        """Returns (what is wrong or None, how many calls failed)."""
        self.write_conf()
        if kind:
            self.failing.at(kind, n, goes_on)
        with open(self.log, "w", encoding="utf-8") as log:
            process = subprocess.Popen([SRVMESHD, "--foreground", "--config", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=dict(os.environ, **self.failing.environment()))
        wrong = self.ask(process)
        process.terminate()
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            wrong, code = "it does not end", 0
        with open(self.log, encoding="utf-8") as log:
            said = log.read()
        if code not in (0, 1, -signal.SIGTERM):
            wrong = f"it ends with {code}: {said[-500:]}"
        elif code == 1 and not re.search(r"level=error|srvmeshd: ", said):
            wrong = f"it ends and does not say why: {said[-500:]}"
        return wrong, self.failing.failed()

    def wait(self, process):
        """Until it listens, or has ended."""
        socket = os.path.join(self.place, "run", "socket")
        end = time.monotonic() + 10
        while not os.path.exists(socket) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.004)

    def ask(self, process):
        self.wait(process)
        said = [self.run(PROBE, "gai", "inet", name) for name in ("api.mesh", "two.mesh", "api.mesh")]
        self.run(SRVMESH, "cache", "flush", "--everywhere", "two.mesh")
        self.write_conf("[domain other]\nservers = 127.0.0.1:9\n")
        if process.poll() is None:
            process.send_signal(signal.SIGHUP)
        for words in (("status",), ("servers",), ("health",), ("metrics",)):
            self.run(SRVMESH, *words, "-q")
        said.append(self.run(PROBE, "gai", "inet", "api.mesh"))
        wrong = [one for answer in said for one in answer.split() if one not in RIGHT]
        return f"wrong answers: {said}" if wrong else None


def numbers(is_long, goes_on):
    if is_long:
        return range(1, 1000)
    return [1, 5, 20, 60, 150] if goes_on else [*range(1, 16), *range(16, 60, 4), *range(60, 600, 17)]


def lives(life, kind, is_long):
    """Returns the number of cases and what was wrong."""
    cases, wrong = 0, []
    for goes_on in (False, True):
        for n in numbers(is_long, goes_on):
            why, failed = life.live(kind, n, goes_on)
            if failed == 0 and not why:
                break
            cases += 1
            if why:
                wrong.append(f"{kind} {n}{' and on' if goes_on else ''}: {why}")
    return cases, wrong


def main():
    tap = Tap()
    is_long = os.environ.get("SRVMESH_LONG") == "yes"
    with Lab() as lab:
        knot, store, key = Knot(lab, ZONE), Store(lab), make_key(lab)
        sections = (f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\nhealth = lazy\nmin_ttl = 1s\n"
                    f"[shared]\nservers = 127.0.0.1:{store.port}\nkey = {key}\n")
        began = time.monotonic()
        found = Life(lab, "good", sections).live(None, 0, False)
        tap.equal("where nothing fails, nothing is wrong", found, (None, 0))
        print(f"# one life takes {time.monotonic() - began:.2f} s")
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda kind: lives(Life(lab, kind, sections), kind, is_long), KINDS))
        for kind, (_, wrong) in zip(KINDS, results):
            tap.check(f"srvmeshd whose calls fail, {kind}: it lives, or says why not", not wrong, *wrong[:6])
        total = sum(cases for cases, _ in results)
        print(f"# {total} cases")
        tap.check("these are hundreds of cases", total > 200, total)
        store.stop()
        knot.stop()
    tap.finish()


main()
