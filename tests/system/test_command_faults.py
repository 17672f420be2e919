# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of libc that `srvmesh` makes fails, one by one, and from one on: no command crashes, hangs, or says that all is well
beside half an answer. SRVMESH_LONG=yes: every call of each kind, and not only the first ones and some of the others."""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Daemon, Knot, Lab, Tap, in_namespaces, own_etc  # noqa: E402
from faulty import KINDS, Faults  # noqa: E402

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
ZONE = """_api._tcp SRV 10 60 80 a
_api._tcp SRV 10 40 80 b
_two._tcp SRV 0 0 443 a
a A 127.0.0.11
a TXT "zone=a"
b A 127.0.0.12
b TXT "zone=b"
"""
COMMANDS = (
    "lookup api.mesh", "lookup --srv api.mesh", "lookup -j api.mesh", "lookup new%.mesh", "lookup nope.mesh",
    "explain api.mesh", "explain -j api.mesh", "explain new%.mesh", "explain nope.mesh", "explain api.other",
    "cache list api*", "cache list -j two.*", "cache show api.mesh", "cache flush two.mesh", "cache flush --everywhere two.mesh",
    "servers", "health -j", "status", "metrics", "who -j 127.0.0.12",
    "check-config -j", "show-config", "show-config -j", "reload", "log-level info",
    "doctor -j api.mesh", "doctor --pid $PID", "compare api.mesh two.mesh", "compare --from NAMES -j",
    "run api.mesh -- true %h %p", "run --retry api.mesh -- true", "disable mesh", "enable mesh", "disable", "enable",
    "shared-key KEY", "help", "help lookup", "_complete lookup a",
)
SLOW = ("doctor --bundle BUNDLE",)  # commands of ours as children, of which one waits
# Where what is printed is what the host has just now, or what could be looked at.
IS_LOOSE = ("doctor", "status", "metrics", "servers", "compare", "run", "explain", "lookup new", "_complete")


def without_figures(text):
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.:]*( ?(ms|us|s|min|h|d)\b)?|just now|127\S+|\b(srvmeshd|map|dns|DNS|memory)\b", "N", text))


class Command:
    """One command line, again and again."""

    def __init__(self, lab, number, words, pid):
        self.lab, self.number, self.faults, self.wrong = lab, 0, 0, []
        self.line = words
        self.place = os.path.join(lab.path, f"command-{number}")
        os.makedirs(self.place)
        self.failing = Faults(os.path.join(self.place, "failing"))
        self.fixed = {"BUNDLE": os.path.join(self.place, "bundle"), "KEY": os.path.join(self.place, "key"), "$PID": str(pid),
                      "NAMES": os.path.join(lab.path, "names")}
        self.good = self.run()

    def words(self):
        self.number += 1
        return [self.fixed.get(word, word.replace("%", f"{self.number}-{os.path.basename(self.place)}")) for word in self.line.split()]

    def run(self, kind=None, n=0, goes_on=False):
        """(exit code or None, output, errors, how many calls failed)"""
        for name in ("BUNDLE", "KEY"):
            if os.path.exists(self.fixed[name]):
                os.unlink(self.fixed[name])
        if kind:
            self.failing.at(kind, n, goes_on)
        environment = self.lab.environment(**self.failing.environment())
        if self.line.startswith(("disable", "enable")):
            del environment["SRVMESH_CONF"]  # these write into /etc
        try:
            done = subprocess.run([SRVMESH, *self.words()], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
                                  env=environment, check=False)
        except subprocess.TimeoutExpired:
            return None, "", "", 1
        return done.returncode, done.stdout.strip(), done.stderr.strip(), self.failing.failed()

    def why_wrong(self, code, output, errors):
        if code is None:
            return "it hangs"
        if code < 0 or code > 4:
            return f"it ends with {code}: {errors[-200:]}"
        if output and ("-j" in self.line.split() and not self.is_json(output)) and code == 0:
            return f"this is no JSON: {output[-200:]}"
        if code in (1, 3, 4) and not output and not errors and self.good[0] == 0:
            return f"it ends with {code} and says nothing"
        if code == 0 and not self.line.startswith(IS_LOOSE) and without_figures(output) != without_figures(self.good[1]):
            return f"it says that all is well, and prints {output[-300:]!r}"
        return None

    @staticmethod
    def is_json(output):
        try:
            for line in [output] if output.startswith(("{\n", "[\n")) else output.splitlines():
                json.loads(line)
        except ValueError:
            return False
        return True

    def fail_all(self, is_long):
        singly = range(1, 400) if is_long else [*range(1, 24), *range(24, 90, 3)]
        for kind in KINDS:
            for goes_on, numbers in ((False, singly), (True, singly if is_long else singly[::5])):
                for n in numbers:
                    code, output, errors, failed = self.run(kind, n, goes_on)
                    if failed == 0:
                        break
                    self.faults += 1
                    why = self.why_wrong(code, output, errors)
                    if why:
                        self.wrong.append(f"{self.line}: {kind} {n}{' and on' if goes_on else ''}: {why}")


def main():
    tap = Tap()
    is_long = os.environ.get("SRVMESH_LONG") == "yes"
    with Lab() as lab:
        own_etc(lab)
        with open("/etc/resolv.conf", "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        knot = Knot(lab, ZONE, port=53)
        os.makedirs("/etc/srvmesh.conf.d", exist_ok=True)
        with open("/etc/srvmesh.conf", "w", encoding="utf-8") as file:
            file.write("[domain mesh]\nservers = 127.0.0.1\n")
        lab.file("names", "api.mesh\ntwo.mesh\n")
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\nhealth = lazy\nprefer = zone=a\n")
        for name in ("api.mesh", "two.mesh", "nope.mesh"):
            lab.probe("gai", "inet", name)
        commands = [Command(lab, i, words, os.getpid()) for i, words in enumerate(COMMANDS + (SLOW if is_long else ()))]
        for command in commands:
            tap.check(f"srvmesh {command.line}: ends as it should where nothing fails", command.good[0] in (0, 1) and
                      (command.good[1] or command.good[2] or command.line.startswith(("run", "doctor --bundle"))), command.good)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda command: command.fail_all(is_long and command.line not in SLOW), commands))
        for command in commands:
            tap.check(f"... and whatever fails, well or not at all: {command.line}", not command.wrong and command.faults > 0,
                      *command.wrong[:8])
        print(f"# {sum(command.faults for command in commands)} cases")
        tap.check("srvmeshd goes on as if nothing were", daemon.status().get("requests", 0) > 0 and daemon.process.poll() is None)
        tap.equal("... and answers", lab.probe("gai", "inet", "two.mesh"), "127.0.0.11")
        daemon.stop()
        knot.stop()
    tap.finish()


in_namespaces()
main()
