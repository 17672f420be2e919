# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of libc that the plugin makes fails, one by one, from one on, and by chance; and calls of srvmeshd by chance: no crash, no
descriptor left, no wrong verdict, and the next lookup is right. SRVMESH_LONG=yes: twenty times as many by chance."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, SRCDIR, Daemon, Knot, Lab, Tap, descriptors  # noqa: E402
from faulty import Faults  # noqa: E402

FAULTS = os.path.join(BUILDDIR, "tests", "faults")
ZONE = """*._tcp SRV 0 0 80 a
_api._tcp SRV 0 0 80 a
a A 127.0.0.11
"""
SEEDS = 20000 if os.environ.get("SRVMESH_LONG") == "yes" else 1000
SHORT = "family = ipv4\ntimeout = 60ms\ndeadline = 250ms\n"


class Cases:
    """Runs of tests/faults.c, two at a time."""

    def __init__(self, lab, tap):
        self.lab, self.tap, self.total, self.running = lab, tap, 0, []

    def begin(self, what, *words, conf=None):
        if len(self.running) == 2:
            self.end_one()
        environment = self.lab.environment(**({"SRVMESH_CONF": conf} if conf else {}))
        process = subprocess.Popen([FAULTS, *map(str, words)], env=environment, stdout=subprocess.PIPE, text=True)
        self.running.append((what, process))

    def end_one(self):
        what, process = self.running.pop(0)
        said = process.communicate(timeout=600)[0]
        count = re.search(r"(\d+) cases, (\d+) wrong$", said.strip())
        self.total += int(count.group(1)) if count else 0
        self.tap.check(f"{what}: whatever fails, the verdict is right, and so is the next lookup", count and count.group(2) == "0",
                       said[-1500:])

    def end(self):
        while self.running:
            self.end_one()


def plugin(tap):
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        domain = f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n{SHORT}"
        daemon = Daemon(lab, domain)
        alone = lab.file("alone.conf", domain)
        lab.probe("gai", "inet", "api.mesh")
        cases = Cases(lab, tap)
        for scene in ("first", "again"):
            cases.begin(f"a hit in the host map, {scene}", scene, "api.mesh", "api.mesh", "127.0.0.11")
            cases.begin(f"a miss through srvmeshd, {scene}", scene, "m%.mesh", "api.mesh", "127.0.0.11")
            cases.begin(f"a miss in the process, {scene}", scene, "m%.mesh", "api.mesh", "127.0.0.11", conf=alone)
            for name, what in (("api.mesh", "a hit"), ("m%.mesh", "a miss")):
                conf = lab.file(f"reload-{scene}-{name[0]}.conf", domain)
                lab.file(f"fresh-{scene}-{name[0]}.conf.master", domain + "[domain other]\n")
                os.utime(os.path.join(lab.path, f"fresh-{scene}-{name[0]}.conf.master"), (1e9, 1e9))
                cases.begin(f"{what} while the configuration changes, {scene}", scene, name, "api.mesh", "127.0.0.11",
                            os.path.join(lab.path, f"fresh-{scene}-{name[0]}.conf"), conf, conf=conf)
        cases.begin("a hit in the memory of the process, in a child", "again", "api.mesh", "api.mesh", "127.0.0.11", conf=alone)
        for name, conf, what in (("api.mesh", None, "hits"), ("m%.mesh", None, "misses through srvmeshd"), ("m%.mesh", alone,
                                                                                                          "misses in the process")):
            cases.begin(f"{what}, by chance", "seeds", SEEDS, name, "api.mesh", "127.0.0.11", conf=conf)
        cases.end()
        print(f"# {cases.total} cases")
        tap.check("these are 5,000 cases and more", cases.total >= 4 * SEEDS, cases.total)
        daemon.stop()


def srvmeshd(tap):
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        failing = Faults(os.path.join(lab.path, "failing"))
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n{SHORT}", wait=False)
        daemon.stop()
        daemon.start(env=dict(os.environ, **failing.environment()))
        lab.probe("gai", "inet", "api.mesh")
        time.sleep(0.5)
        before, answers = descriptors(daemon.process.pid), set()
        for one_in in (200, 50, 20, 10) * (10 if SEEDS > 1000 else 1):
            failing.by_chance(one_in)
            subprocess.run([sys.executable, "-B", os.path.join(SRCDIR, "tests", "attacker.py"), daemon.socket, "crowd", "20", "500",
                            "mesh"], stdout=subprocess.DEVNULL, check=False)
            for i in range(20):
                answers.add(lab.probe("gai", "inet", "api.mesh"))
            lab.run(os.path.join(BUILDDIR, "srvmesh"), "status")
            failing.by_chance(0)
        failed = failing.failed()
        print(f"# {failed} calls have failed; answers: {sorted(answers)}")
        tap.check("srvmeshd survives that hundreds of its calls fail", daemon.process.poll() is None and failed > 300, failed)
        tap.check("... nobody gets a wrong answer", all(answer in ("127.0.0.11", "EAI_AGAIN") for answer in answers),
                  answers)
        time.sleep(2)
        tap.equal("... then it answers what it has not been asked before", lab.probe("gai", "inet", "new.mesh"), "127.0.0.11")
        status = daemon.status()
        tap.check("... itself", status["requests"] > 0 and status["jobs_now"] == 0, status)
        srvmesh, end = os.path.join(BUILDDIR, "srvmesh"), time.monotonic() + 20
        while lab.run(srvmesh, "cache", "show", "new.mesh")[0] != 0 and time.monotonic() < end:
            time.sleep(0.1)  # a map that could not be written is tried again once a second
            lab.probe("gai", "inet", "new.mesh")
        tap.equal("... and is what it kept whole", lab.guest("quiet", "new.mesh", 1), "found")
        end = time.monotonic() + 10
        while descriptors(daemon.process.pid) > before and time.monotonic() < end:
            time.sleep(0.1)
        tap.check("... and no descriptor is left", descriptors(daemon.process.pid) <= before, before, descriptors(daemon.process.pid))
        daemon.process.terminate()
        tap.equal("... and it ends well", daemon.process.wait(10), 0)


def main():
    tap = Tap()
    plugin(tap)
    srvmeshd(tap)
    tap.finish()


main()
